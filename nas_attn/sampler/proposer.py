"""Choice of the next candidate: at first space-filling, then by the acquisition function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .acquisition import AcquisitionState, Objectives
from .features import Code
from .history import Excluded, History
from .pool import Encoded, Pools
from .surrogate import Surrogate

_STARTUP = 8  # candidates of a space-filling design, before anything is learnt
_SPACED = 1000  # candidates among which the farthest is sought
_GROWTH = 1.08  # how many times as many observations before hyper-parameters are fitted again
_ROUNDS, _CLIMBED = 6, 12  # of local search, and from how many candidates each


@dataclass
class Proposer:
    """Surrogates of a study, and the choice by them."""

    pools: Pools
    rng: np.random.Generator
    _surrogates: dict[int, Surrogate] = field(default_factory=dict, init=False)
    _fitted: int = field(default=0, init=False)
    """How many observations the hyper-parameters were fitted to."""

    def propose(self, history: History, objectives: Objectives, only: Mapping[int, Sequence[int]]) -> Code:
        """The next candidate, where only these fillings of some places may be.

        What was evaluated comes again only where there is nothing else.
        """
        learnt = len(history.evaluated) >= _STARTUP
        if learnt:
            self._learn(history, objectives)
        candidates = self.pools.restricted(only)
        excluded = next(each for each in history.exclusions(only) if each.leaves(candidates.codes).any())
        if not learnt:
            return self._space_filling(candidates, excluded.leaves(candidates.codes), history, objectives)
        pending = self.pools.of(history.pending).features
        surrogates = {number: surrogate.expecting(pending) for number, surrogate in self._surrogates.items()}
        evaluated = self.pools.of(history.within_limits)
        state = AcquisitionState.of(objectives, surrogates, self.pools.pool, evaluated)
        return self._best(state, candidates, excluded)

    def _space_filling(self, pool: Encoded, free: NDArray[np.bool_], history: History, objectives: Objectives) -> Code:
        """The cheapest candidate, the most expensive one, and then what is far from all that were proposed."""
        before = self.pools.of(history.spent | history.failures.keys())
        numbers = np.flatnonzero(free)
        if len(before.codes) < 2 and objectives.known:
            price = -objectives.signs[objectives.known[0]] * pool.costs[numbers, 0]
            return pool.tuples[int(numbers[price.argmax() if len(before.codes) else price.argmin()])]
        numbers = self.rng.choice(numbers, min(_SPACED, -(-len(numbers) // 2)), replace=False)
        if not len(before.codes):
            return pool.tuples[int(self.rng.choice(numbers))]
        away = (pool.codes[numbers, None] != before.codes).mean(axis=2)
        for prices, of_before in zip(pool.costs.T, before.costs.T, strict=True):
            ordered = np.sort(prices)
            ranks, of_theirs = (np.searchsorted(ordered, these) / len(prices) for these in (prices[numbers], of_before))
            away += 2 * np.abs(ranks[:, None] - of_theirs) / pool.costs.shape[1]
        return pool.tuples[int(numbers[away.min(axis=1).argmax()])]

    def _learn(self, history: History, objectives: Objectives) -> None:
        """Condition on what is new; hyper-parameters are fitted again once there is much of it."""
        total = sum(map(len, history.evaluated.values()))
        times = next(iter(self._surrogates.values())).times if self._surrogates else {}
        again = any(len(history.evaluated.get(code, ())) != known for code, known in times.items())
        anew = again or not self._surrogates or total >= _GROWTH * self._fitted
        if anew:
            self._fitted = total
            self.pools.redraw()
        codes = [code for code in history.evaluated if anew or code not in times]
        features = self.pools.of(codes).features
        for number in objectives.learnt:
            sign, before = objectives.signs[number], self._surrogates.get(number)
            evaluated = {code: [sign * values[number] for values in history.evaluated[code]] for code in codes}
            if anew or before is None:
                start = None if before is None else before.theta
                pool = self.pools.pool.features
                self._surrogates[number] = Surrogate.of(self.pools.encoding, pool, features, evaluated, start)
            else:
                self._surrogates[number] = before.given(features, evaluated)

    def _best(self, state: AcquisitionState, candidates: Encoded, excluded: Excluded) -> Code:
        """The candidate with the largest expected improvement; in a large space, after a local search."""
        found = state.scores(candidates, excluded)
        if self.pools.whole:
            return max(found, key=found.__getitem__)
        starts = state.front
        for _ in range(_ROUNDS):
            leaders = sorted(found, key=found.__getitem__, reverse=True)[:_CLIMBED]
            near = self.pools.around(np.array([*leaders, *starts], dtype=np.int64), excluded, found.keys())
            found |= state.scores(near, excluded)
            starts = []
            if max(found, key=found.__getitem__) == leaders[0]:
                break
        return max(found, key=found.__getitem__)
