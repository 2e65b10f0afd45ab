"""Acquisition function: the expected improvement of the front by each candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .features import Code, Floats
from .history import Excluded
from .improvement import HypervolumeCells, expected_improvement, hypervolume_cells, on_front
from .pool import Encoded
from .surrogate import Surrogate

_MARGIN = 0.05  # how far the reference lies beyond the worst cost, as a share of the range
_LOW = 0.02  # share of candidates whose values the reference leaves below it


@dataclass(frozen=True)
class Objectives:
    """Directions of a study's objectives, and which of them are known."""

    signs: Sequence[float]
    """For each objective, 1 where more is better, and -1 where less is."""
    known: Sequence[int]
    """The objectives that are known, in the order of the candidates' costs."""
    learnt: Sequence[int]
    """The others; the first is learnt with its uncertainty, what follows is taken to be as predicted."""
    reference: Mapping[int, float]
    """The worst values that count, of some objectives."""


@dataclass(frozen=True, eq=False)
class AcquisitionState:
    """Expected front of a study, above which candidates are scored."""

    objectives: Objectives
    surrogates: Mapping[int, Surrogate]
    """Of every objective that is not known."""
    cells: HypervolumeCells
    front: list[Code]

    @classmethod
    def of(
        cls, objectives: Objectives, surrogates: Mapping[int, Surrogate], pool: Encoded, candidates: Encoded
    ) -> "AcquisitionState":
        """The front of these candidates, as predicted; the pool gives the range of all."""
        main, *others = objectives.learnt
        values, costs = surrogates[main].expected(pool.features), _costs(objectives, surrogates, pool)
        low, high = costs.min(axis=0), costs.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        worst, least = high + _MARGIN * span, float(np.quantile(values, _LOW))
        for column, number in enumerate((*objectives.known, *others)):
            sign = -objectives.signs[number]
            worst[column] = sign * objectives.reference.get(number, sign * worst[column])
        least = objectives.signs[main] * objectives.reference.get(main, objectives.signs[main] * least)
        values, costs = surrogates[main].expected(candidates.features), _costs(objectives, surrogates, candidates)
        cells = hypervolume_cells(costs, values, np.minimum(low, worst) - span, (worst, least))
        front = [code for code, kept in zip(candidates.tuples, on_front(costs, values), strict=True) if kept]
        return cls(objectives, surrogates, cells, front)

    def scores(self, candidates: Encoded, excluded: Excluded) -> dict[Code, float]:
        """The expected improvement of the front by each candidate that is not excluded."""
        surrogate = self.surrogates[self.objectives.learnt[0]]
        mean, variance = surrogate.posterior.at(candidates.features)
        improvements = expected_improvement(mean, variance, surrogate.latent(self.cells.levels), surrogate.warp)
        gain = self.cells.improvement(_costs(self.objectives, self.surrogates, candidates), improvements)
        free = excluded.leaves(candidates.codes)
        gain = gain if gain[free].any() else variance
        return {code: score for code, score, left in zip(candidates.tuples, gain.tolist(), free, strict=True) if left}


def _costs(objectives: Objectives, surrogates: Mapping[int, Surrogate], candidates: Encoded) -> Floats:
    """All costs, known ones first, of which less is better; without any, one that is the same for all."""
    signs = [-objectives.signs[number] for number in objectives.known]
    predicted = [-surrogates[number].expected(candidates.features) for number in objectives.learnt[1:]]
    costs = np.column_stack([candidates.costs[:, : len(signs)] * signs, *predicted])
    return costs if costs.shape[1] else np.zeros((len(costs), 1))
