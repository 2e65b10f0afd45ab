"""What the trials of an Optuna study say of candidates."""

import math
from dataclasses import dataclass, field, replace

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from .candidates import Candidates
from .posterior import Code

CHOSEN = "nas_attn:chosen"
"""The attribute of a trial that says what was proposed, before its parameters do."""
EVALUATIONS = "nas_attn:evaluations"
"""The attribute of a trial whose values are means: every evaluation of its candidate so far, of other trials too."""


@dataclass(frozen=True)
class History:
    """What became of candidates."""

    seen: dict[Code, list[list[float]]] = field(default_factory=dict)
    """The objectives' values, an item an evaluation, in the order of trials."""
    refused: set[Code] = field(default_factory=set)
    """What was evaluated and exceeds a limit, and what was pruned."""
    failed: set[Code] = field(default_factory=set)
    pending: set[Code] = field(default_factory=set)
    """What is running or waits for it."""
    ahead: set[Code] = field(default_factory=set)
    """What is running and was asked for earlier."""

    @classmethod
    def of(cls, study: Study, asking: FrozenTrial, candidates: Candidates) -> "History":
        """All that the study's trials say, but for the one that asks."""
        history = cls()
        for trial in study.get_trials(deepcopy=False):
            if trial.number != asking.number and (code := _code(trial, candidates)) is not None:
                history._take(trial, code)
        return replace(history, ahead=ahead(study, asking, candidates))

    def _take(self, trial: FrozenTrial, code: Code) -> None:
        if trial.state in (TrialState.RUNNING, TrialState.WAITING):
            self.pending.add(code)
        elif trial.state == TrialState.FAIL:
            self.failed.add(code)
        elif trial.state == TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
            every = trial.user_attrs.get(EVALUATIONS)
            self.seen[code] = every or [*self.seen.get(code, []), trial.values]
        else:
            self.refused.add(code)
        if any(value > 0 for value in trial.constraints.values()):
            self.refused.add(code)

    @property
    def spent(self) -> set[Code]:
        """What was evaluated, refused, or is on its way."""
        return {*self.seen} | self.refused | self.pending


def ahead(study: Study, asking: FrozenTrial, candidates: Candidates) -> set[Code]:
    """What is running in trials that were asked for before this one."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    codes = (_code(trial, candidates) for trial in running if trial.number < asking.number)
    return {code for code in codes if code is not None}


def _code(trial: FrozenTrial, candidates: Candidates) -> Code | None:
    fixed = trial.system_attrs.get("fixed_params", {})
    code = candidates.code({**fixed, **trial.params})
    chosen = trial.system_attrs.get(CHOSEN)
    if code is None and chosen is not None and trial.state == TrialState.RUNNING:
        return tuple(chosen)
    return code
