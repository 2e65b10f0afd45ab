"""History of an Optuna study, by candidate, and which candidates it excludes."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from nas_attn.pricing import Integers

from .candidates import UNANSWERED, Answers, Candidates
from .features import Code

CHOSEN = "nas_attn:chosen"
"""The attribute of a trial that says what was proposed, before its parameters do, and where they never do."""
EVALUATIONS = "nas_attn:evaluations"
"""The attribute of a trial whose values are means: every evaluation of its candidate so far, of other trials too."""
_FIXED = "fixed_params"


@dataclass(frozen=True)
class Excluded:
    """Candidates that are not to be proposed."""

    codes: Collection[Code]
    shared: Collection[Code]
    """Codes that stand for all candidates that agree with them wherever they are not `UNANSWERED`."""
    only: Mapping[int, Sequence[int]]
    """The fillings that some places may have."""

    def leaves(self, codes: Integers) -> NDArray[np.bool_]:
        """Which of these candidates, (candidates, places), are left."""
        left = np.array([code not in self.codes for code in map(tuple, codes.tolist())], dtype=np.bool_)
        for place, numbers in self.only.items():
            left &= np.isin(codes[:, place], numbers)
        by_places: dict[tuple[int, ...], set[Code]] = {}
        for code in self.shared:
            places = tuple(place for place, number in enumerate(code) if number != UNANSWERED)
            by_places.setdefault(places, set()).add(tuple(code[place] for place in places))
        for places, known in by_places.items():
            rows = np.flatnonzero(left)
            left[rows] = [code not in known for code in map(tuple, codes[rows][:, places].tolist())]
        return left


@dataclass(frozen=True)
class History:
    """Outcomes of candidates.

    A trial that did not answer every question stands for one candidate, the one that was proposed for it.
    """

    evaluated: dict[Code, list[list[float]]] = field(default_factory=dict)
    """The objectives' values, an item an evaluation, in the order of trials."""
    refused: set[Code] = field(default_factory=set)
    """What was evaluated and exceeds a limit, and what was pruned."""
    failures: Counter[Code] = field(default_factory=Counter)
    pending: set[Code] = field(default_factory=set)
    """What is running or waits for it."""
    shared: dict[Code, Code] = field(default_factory=dict)
    """The answers of trials that did not answer everything, with the candidate that stands for all that share them."""
    broken: set[Code] = field(default_factory=set)
    """The same of trials that ended before they had a value."""

    @classmethod
    def of(cls, trials: Iterable[FrozenTrial], current: FrozenTrial, candidates: Candidates) -> "History":
        """The outcomes of all of these trials but the current one."""
        history = cls()
        for trial in trials:
            if trial.number != current.number:
                history._take(trial, candidates)
        return history

    def _take(self, trial: FrozenTrial, candidates: Candidates) -> None:
        answered, code = _codes(trial, candidates)
        if answered is None or code is None:
            return
        partly = UNANSWERED in answered and {*answered} != {UNANSWERED}
        if trial.state in (TrialState.RUNNING, TrialState.WAITING):
            self.pending.add(code)
        elif trial.state == TrialState.FAIL:
            self.failures[code] += 1
        elif trial.state == TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
            code = self.shared.setdefault(answered, code) if partly else code
            every = trial.user_attrs.get(EVALUATIONS)
            self.evaluated[code] = every or [*self.evaluated.get(code, []), trial.values]
        else:
            self.refused.add(code)
        if partly and trial.state in (TrialState.PRUNED, TrialState.FAIL):
            self.broken.add(answered)
        if any(value > 0 for value in trial.constraints.values()):
            self.refused.add(code)

    @property
    def spent(self) -> set[Code]:
        """What was evaluated, refused, or is on its way."""
        return {*self.evaluated} | self.refused | self.pending

    @property
    def within_limits(self) -> list[Code]:
        """What was evaluated or is on its way, and was not refused."""
        return [code for code in dict.fromkeys([*self.evaluated, *self.pending]) if code not in self.refused]

    def exclusions(self, only: Mapping[int, Sequence[int]]) -> Iterator[Excluded]:
        """What is not to be proposed, ever less of it, where only these fillings of some places may be."""
        lost = {code for code, times in self.failures.items() if times > 1}
        done, hopeless = self.spent | self.failures.keys(), self.refused | lost | self.pending
        yield Excluded(done, self.shared.keys() | self.broken, only)
        yield Excluded(done, self.shared.keys(), only)
        yield Excluded(self.spent | lost, self.shared.keys(), only)
        yield Excluded(hopeless, (), only)
        yield Excluded(self.pending, (), only)
        yield Excluded((), (), only)


def claimed(
    trials: Iterable[FrozenTrial], current: FrozenTrial, candidates: Candidates
) -> dict[int, tuple[Code, bool]]:
    """The candidate that each of these trials stands for, or that is being proposed for it, by the trials' numbers.

    With it, whether the trial has ended. The current one is left out.
    """
    others = [trial for trial in trials if trial.number != current.number]
    codes = {trial.number: (_codes(trial, candidates)[1], trial.state.is_finished()) for trial in others}
    return {number: (code, finished) for number, (code, finished) in codes.items() if code is not None}


def given(study: Study, current: FrozenTrial, others: Collection[str]) -> Answers:
    """The answers that others give in this trial: what is enqueued, and to questions of `others` what came last."""
    enqueued, answers = current.system_attrs.get(_FIXED, {}), {}
    if others:
        for trial in study.get_trials(deepcopy=False):
            fixed = trial.system_attrs.get(_FIXED, {})
            answers.update({name: trial.params[name] for name in others if name in trial.params and name not in fixed})
    return {**answers, **enqueued}


def _codes(trial: FrozenTrial, candidates: Candidates) -> tuple[Code | None, Code | None]:
    """What a trial answered, and the candidate that it stands for, by what is enqueued and was proposed too."""
    answered = known = candidates.code(trial.params)
    if fixed := trial.system_attrs.get(_FIXED):
        known = candidates.code({**fixed, **trial.params})
    if known is None or UNANSWERED not in known:
        return answered, known
    chosen: Any = trial.system_attrs.get(CHOSEN)
    if not candidates.offers(chosen):
        if {*known} == {UNANSWERED} or not trial.state.is_finished():
            return answered, None
        chosen = [0] * len(known)
    return answered, tuple(other if one == UNANSWERED else one for one, other in zip(known, chosen, strict=True))
