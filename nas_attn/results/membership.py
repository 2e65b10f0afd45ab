"""How sure it is which networks are on the front, and how large the front is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import moocore
import numpy as np

from .belief import believed
from .front import candidates, losses
from .ranks import UNKNOWN, Estimate, Numbers, estimate
from .rows import Evaluation
from .table import table
from .truth import METRICS

SURE = 0.95
"""The probability from which something counts as sure."""

Standing = Literal["surely in", "perhaps", "surely out"]
"""Whether a network is on the front."""


@dataclass(frozen=True, eq=False, slots=True)
class Membership:
    """A front as a set that is known with some probability."""

    networks: tuple[Evaluation, ...]
    """A row an architecture."""
    accuracy: tuple[Estimate, ...]
    """What is known of each one's accuracy or loss, whichever the study trades off; unknown with one seed each."""
    probability: Numbers
    """That each belongs to the front, shape (networks,); NaN with one seed each."""
    hypervolume: Estimate
    """The volume between the front and the worst value of each objective among the networks."""

    def standing(self, number: int) -> Standing:
        """Whether this network is on the front; `perhaps` where nothing is known."""
        if self.probability[number] >= SURE:
            return "surely in"
        return "surely out" if self.probability[number] <= 1 - SURE else "perhaps"


def membership(rows: Iterable[Evaluation], objectives: Sequence[str], seed: int = 0) -> Membership:
    """Which networks of one step are on the front of these objectives, by its rows of all seeds.

    Costs count as known. Raises `InputError` as `front` does, and where rows come from several steps.
    """
    metric = next((metric for metric in METRICS if metric in objectives), METRICS[0])
    every = list(rows)
    fit = set(candidates(table({row.key: row for row in every}.values()), list(objectives)).index)
    belief = believed((row for row in every if row.key in fit), metric, seed)
    points = losses(table(belief.networks), list(objectives))
    known = np.isfinite(belief.draws).all() and len(points) > 0
    if not known:
        nothing = (UNKNOWN,) * len(points)
        return Membership(belief.networks, nothing, np.full(len(points), np.nan), UNKNOWN)
    sign = -1.0 if metric == "accuracy" else 1.0
    column = list(objectives).index(metric) if metric in objectives else None
    fronts, volumes = _over_draws(points, column, sign * belief.draws)
    means = np.concatenate([belief.draws.mean(axis=0, keepdims=True), belief.draws])
    told = tuple(estimate(means[:, number]) for number in range(len(points)))
    return Membership(belief.networks, told, fronts.mean(axis=0), estimate(np.append(volumes.mean(), volumes)))


def _over_draws(points: Numbers, column: int | None, draws: Numbers) -> tuple[Numbers, Numbers]:
    """Whether each network is on the front in each draw, and the front's volume there."""
    fronts, volumes = np.zeros(draws.shape), np.zeros(len(draws))
    worst = points.max(axis=0)
    if column is not None:
        worst[column] = np.quantile(draws, 0.975)
    for number, drawn in enumerate(draws):
        if column is not None:
            points[:, column] = drawn
        fronts[number] = moocore.is_nondominated(points, keep_weakly=True)
        volumes[number] = moocore.hypervolume(points, ref=worst)
    return fronts, volumes
