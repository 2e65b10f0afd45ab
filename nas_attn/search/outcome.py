"""What Optuna is told of a network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from nas_attn.results import Evaluation
from nas_attn.settings import Budget


@dataclass(frozen=True)
class Answer:
    """How a trial ends."""

    state: TrialState
    """`PRUNED` where there is no result, so that samplers learn to avoid it: they pass over what is `FAIL`."""
    values: list[float] | None
    """The objectives."""
    constraints: dict[str, float]
    """More than 0 where a limit is exceeded."""


def answer(row: Evaluation, objectives: Sequence[str], budget: Budget) -> Answer:
    """The answer that a row gives; an objective that is not known leaves nothing to compare."""
    excess = {measure: row[measure] - limit for measure, limit in budget.limits.items()}
    constraints = {measure: value for measure, value in excess.items() if not math.isnan(value)}
    if row.state == "failed":
        constraints["failed"] = 1.0
    values = [float(row[objective]) for objective in objectives]
    if row.state == "complete" and not any(map(math.isnan, values)):
        return Answer(TrialState.COMPLETE, values, constraints)
    return Answer(TrialState.PRUNED, None, constraints)
