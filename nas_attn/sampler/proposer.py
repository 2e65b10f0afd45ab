"""Which candidate comes next: at first spread out, then what is expected to add most volume to the front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .acquisition import Goal, Ground
from .history import History
from .pool import Looked, Pools
from .posterior import Belief, Code
from .spent import Spent

STARTUP = 8  # candidates that are spread out before anything is learnt
_SPREAD = 1000  # candidates among which the farthest is sought
_GROWTH = 1.08  # how many times as many observations make hyper-parameters worth finding again
_ANY: Mapping[int, Sequence[int]] = {}
_ROUNDS, _CLIMBED = 6, 12  # of local search, and from how many candidates each


@dataclass
class Proposer:
    """Learns from what was evaluated, and remembers what it has learnt."""

    pools: Pools
    rng: np.random.Generator
    _beliefs: dict[int, Belief] = field(default_factory=dict, init=False)
    _fitted: int = field(default=0, init=False)
    """How many observations the hyper-parameters were found from."""

    def propose(self, history: History, goal: Goal, only: Mapping[int, Sequence[int]] = _ANY) -> Code:
        """The next candidate, where only these fillings of some places may be.

        What was evaluated comes again only where there is nothing else.
        """
        learnt = len(history.seen) >= STARTUP
        if learnt:
            self._learn(history, goal)
        looked = self.pools.held(only)
        spent = next(spent for spent in history.spending(only) if spent.leaves(looked.codes).any())
        if not learnt:
            return self._spread(looked, spent.leaves(looked.codes), history, goal)
        pending = self.pools.of(history.pending).features
        believed = {number: belief.expecting(pending) for number, belief in self._beliefs.items()}
        return self._best(Ground.of(self.pools, believed, history, goal), looked, spent)

    def _spread(self, pool: Looked, free: NDArray[np.bool_], history: History, goal: Goal) -> Code:
        """The cheapest candidate, the dearest one, and then what is far from all that was looked at."""
        looked = self.pools.of(history.spent | history.failed)
        numbers = np.flatnonzero(free)
        if len(looked.codes) < 2 and goal.known:
            price = -goal.signs[goal.known[0]] * pool.costs[numbers, 0]
            return pool.tuples[int(numbers[price.argmax() if len(looked.codes) else price.argmin()])]
        numbers = self.rng.choice(numbers, min(_SPREAD, -(-len(numbers) // 2)), replace=False)
        if not len(looked.codes):
            return pool.tuples[int(self.rng.choice(numbers))]
        away = (pool.codes[numbers, None] != looked.codes).mean(axis=2)
        for prices, of_looked in zip(pool.costs.T, looked.costs.T, strict=True):
            ordered = np.sort(prices)
            ranks, of_theirs = (np.searchsorted(ordered, these) / len(prices) for these in (prices[numbers], of_looked))
            away += 2 * np.abs(ranks[:, None] - of_theirs) / pool.costs.shape[1]
        return pool.tuples[int(numbers[away.min(axis=1).argmax()])]

    def _learn(self, history: History, goal: Goal) -> None:
        """Take in what is new; hyper-parameters are found again once there is much of it."""
        total = sum(map(len, history.seen.values()))
        rows = next(iter(self._beliefs.values())).rows if self._beliefs else {}
        again = any(len(history.seen.get(code, ())) != times for code, times in rows.items())
        anew = again or not self._beliefs or total >= _GROWTH * self._fitted
        if anew:
            self._fitted = total
            self.pools.redraw()
        codes = [code for code in history.seen if anew or code not in rows]
        features = self.pools.of(codes).features
        for number in goal.learnt:
            seen = {code: [goal.signs[number] * values[number] for values in history.seen[code]] for code in codes}
            before = self._beliefs.get(number)
            if anew or before is None:
                start = None if before is None else before.theta
                self._beliefs[number] = Belief.of(self.pools.encoding, self.pools.pool.features, features, seen, start)
            else:
                self._beliefs[number] = before.given(features, seen)

    def _best(self, ground: Ground, looked: Looked, spent: Spent) -> Code:
        """The candidate with the largest expected improvement; in a large space, after a climb."""
        found = ground.scores(looked, spent)
        if self.pools.whole:
            return max(found, key=found.__getitem__)
        starts = ground.front
        for _ in range(_ROUNDS):
            leaders = sorted(found, key=found.__getitem__, reverse=True)[:_CLIMBED]
            near = self.pools.around(np.array([*leaders, *starts], dtype=np.int64), spent, found.keys())
            found |= ground.scores(near, spent)
            starts = []
            if max(found, key=found.__getitem__) == leaders[0]:
                break
        return max(found, key=found.__getitem__)
