"""What the trials of an Optuna study say of candidates."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .candidates import NOT_ASKED, Answers, Candidates
from .posterior import Code
from .spent import Spent

CHOSEN = "nas_attn:chosen"
"""The attribute of a trial that says what was proposed, before its parameters do, and where they never do."""
EVALUATIONS = "nas_attn:evaluations"
"""The attribute of a trial whose values are means: every evaluation of its candidate so far, of other trials too."""
_FIXED = "fixed_params"


@dataclass(frozen=True)
class History:
    """What became of candidates.

    A trial that was not asked every question stands for one candidate, the one that was proposed for it.
    """

    seen: dict[Code, list[list[float]]] = field(default_factory=dict)
    """The objectives' values, an item an evaluation, in the order of trials."""
    refused: set[Code] = field(default_factory=set)
    """What was evaluated and exceeds a limit, and what was pruned."""
    failed: set[Code] = field(default_factory=set)
    lost: set[Code] = field(default_factory=set)
    """What has failed more than once."""
    pending: set[Code] = field(default_factory=set)
    """What is running or waits for it."""
    rivals: dict[int, Code] = field(default_factory=dict)
    """What is running in other trials, or is being proposed for them, by their numbers."""
    alike: dict[Code, Code] = field(default_factory=dict)
    """What was asked by trials that were not asked everything, with the candidate that stands for all that share it."""
    broken: set[Code] = field(default_factory=set)
    """The same of trials that ended before they had a value."""

    @classmethod
    def of(cls, study: Study, asking: FrozenTrial, candidates: Candidates) -> "History":
        """All that the study's trials say, but for the one that asks."""
        history = cls()
        for trial in study.get_trials(deepcopy=False):
            if trial.number != asking.number:
                history._take(trial, candidates)
        return replace(history, rivals=rivals(study, asking, candidates))

    def _take(self, trial: FrozenTrial, candidates: Candidates) -> None:
        asked, code = candidates.asked(trial.params), _code(trial, candidates)
        if asked is None or code is None:
            return
        partly = NOT_ASKED in asked and {*asked} != {NOT_ASKED}
        if trial.state in (TrialState.RUNNING, TrialState.WAITING):
            self.pending.add(code)
        elif trial.state == TrialState.FAIL:
            (self.lost if code in self.failed else self.failed).add(code)
        elif trial.state == TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
            code = self.alike.setdefault(asked, code) if partly else code
            every = trial.user_attrs.get(EVALUATIONS)
            self.seen[code] = every or [*self.seen.get(code, []), trial.values]
        else:
            self.refused.add(code)
        if partly and trial.state in (TrialState.PRUNED, TrialState.FAIL):
            self.broken.add(asked)
        if any(value > 0 for value in trial.constraints.values()):
            self.refused.add(code)

    @property
    def spent(self) -> set[Code]:
        """What was evaluated, refused, or is on its way."""
        return {*self.seen} | self.refused | self.pending

    def spending(self, only: Mapping[int, Sequence[int]]) -> Iterator[Spent]:
        """What is not to be proposed, ever less of it, where only these fillings of some places may be."""
        done, hopeless = self.spent | self.failed, self.refused | self.lost | self.pending
        yield Spent(done, self.alike.keys() | self.broken, only)
        yield Spent(done, self.alike.keys(), only)
        yield Spent(self.spent | self.lost, self.alike.keys(), only)
        yield Spent(hopeless, (), only)
        yield Spent(self.pending, (), only)
        yield Spent((), (), only)


def rivals(study: Study, asking: FrozenTrial, candidates: Candidates) -> dict[int, Code]:
    """What is running in other trials, or is being proposed for them, by the trials' numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    codes = {trial.number: _code(trial, candidates) for trial in running if trial.number != asking.number}
    return {number: code for number, code in codes.items() if code is not None}


def given(study: Study, asking: FrozenTrial, others: Collection[str]) -> Answers:
    """The answers that others give in this trial: what is enqueued, and to questions of `others` what came last."""
    enqueued, answers = asking.system_attrs.get(_FIXED, {}), {}
    if others:
        for trial in study.get_trials(deepcopy=False):
            fixed = trial.system_attrs.get(_FIXED, {})
            answers.update({name: trial.params[name] for name in others if name in trial.params and name not in fixed})
    return {**answers, **enqueued}


def _code(trial: FrozenTrial, candidates: Candidates) -> Code | None:
    """The candidate that a trial stands for: what was asked, is enqueued, and was proposed."""
    known = candidates.asked({**trial.system_attrs.get(_FIXED, {}), **trial.params})
    chosen: Any = trial.system_attrs.get(CHOSEN)
    if known is None or NOT_ASKED not in known:
        return known
    if not candidates.offers(chosen):
        if {*known} == {NOT_ASKED} or not trial.state.is_finished():
            return None
        chosen = [0] * len(known)
    return tuple(other if one == NOT_ASKED else one for one, other in zip(known, chosen, strict=True))
