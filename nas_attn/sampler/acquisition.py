"""What a candidate's expected improvement of the front depends on, as things stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .features import Floats
from .history import History
from .improvement import Terrain, excess, on_front, terrain
from .pool import Looked, Pools
from .posterior import Belief, Code
from .spent import Spent

_MARGIN = 0.05  # how far the reference lies beyond the worst cost, as a share of the range
_LOW = 0.02  # share of candidates whose values the reference leaves below it


@dataclass(frozen=True)
class Goal:
    """What a study asks for."""

    signs: Sequence[float]
    """For each objective, 1 where more is better, and -1 where less is."""
    known: Sequence[int]
    """The objectives that are known, in the order of the candidates' costs."""
    learnt: Sequence[int]
    """The others; the first is learnt with its uncertainty, what follows is taken to be as predicted."""
    reference: Mapping[int, float]
    """The worst values that count, of some objectives."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The front as it is believed to be, and what is believed of candidates."""

    goal: Goal
    pool: Looked
    believed: Mapping[int, Belief]
    """Of every objective that is not known."""
    terrain: Terrain
    front: list[Code]

    @classmethod
    def of(cls, pools: Pools, believed: Mapping[int, Belief], history: History, goal: Goal) -> "Ground":
        """The front of what is expected of all that was evaluated within limits, and of what is on its way."""
        looked = pools.of(
            [code for code in dict.fromkeys([*history.seen, *history.pending]) if code not in history.refused]
        )
        main, *others = goal.learnt
        belief = believed[main]
        values, costs = _value(belief, pools.pool, pools.pool), _costs(goal, pools.pool, pools.pool, believed)
        low, high = costs.min(axis=0), costs.max(axis=0)
        reach = np.where(high > low, high - low, 1.0)
        worst, least = high + _MARGIN * reach, float(np.quantile(values, _LOW))
        for column, number in enumerate((*goal.known, *others)):
            worst[column] = -goal.signs[number] * goal.reference.get(number, -goal.signs[number] * worst[column])
        least = goal.signs[main] * goal.reference.get(main, goal.signs[main] * least)
        found, paid = _value(belief, looked, pools.pool), _costs(goal, looked, pools.pool, believed)
        best = on_front(paid, found)
        front = [code for code, kept in zip(looked.tuples, best, strict=True) if kept]
        above = terrain(paid, found, np.minimum(low, worst) - reach, (worst, least))
        return cls(goal, pools.pool, believed, above, front)

    def scores(self, looked: Looked, spent: Spent) -> dict[Code, float]:
        """By how much each candidate that is not spent is expected to improve the front."""
        belief = self.believed[self.goal.learnt[0]]
        mean, variance = belief.posterior.moments if looked is self.pool else belief.posterior.at(looked.features)
        far = excess(mean, variance, belief.inside(self.terrain.levels), belief.bend)
        gain = self.terrain.improvement(_costs(self.goal, looked, self.pool, self.believed), far)
        free = spent.leaves(looked.codes)
        gain = gain if gain[free].any() else variance
        return dict(
            zip(
                (code for code, left in zip(looked.tuples, free, strict=True) if left), gain[free].tolist(), strict=True
            )
        )


def _value(belief: Belief, looked: Looked, pool: Looked) -> Floats:
    """What an objective is expected to be, with the sign that makes more better."""
    posterior = belief.posterior
    return belief.value((posterior.moments if looked is pool else posterior.at(looked.features))[0])


def _costs(goal: Goal, looked: Looked, pool: Looked, believed: Mapping[int, Belief]) -> Floats:
    """All costs, known ones first, of which less is better; without any, one that is the same for all."""
    known = looked.costs[:, : len(goal.known)] * [-goal.signs[number] for number in goal.known]
    predicted = [-_value(believed[number], looked, pool) for number in goal.learnt[1:]]
    costs = np.column_stack([known, *predicted])
    return costs if costs.shape[1] else np.zeros((len(costs), 1))
