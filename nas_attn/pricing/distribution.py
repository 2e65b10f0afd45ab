"""How a sum over independent slots is distributed, known exactly without making every one of the sums."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """For how many networks something holds."""

    holds: int
    of: int
    """All that were looked at."""
    sampled: bool = False
    """Whether these are a sample of the space, or the whole of it."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.holds / self.of

    @property
    def error(self) -> float:
        """The standard error of a sampled share; 0 for an exact one."""
        return math.sqrt(self.share * (1 - self.share) / self.of) if self.sampled else 0.0


@dataclass(frozen=True, eq=False)
class Sums:
    """Different sums over some slots, in order, with the number of ways in which each comes about."""

    values: Integers
    ways: NDArray[Any]

    def plus(self, other: "Sums") -> "Sums":
        """Sums over the slots of both."""
        values = np.add.outer(self.values, other.values).ravel()
        order = np.argsort(values, kind="stable")
        different, starts = np.unique(values[order], return_index=True)
        return Sums(different, np.add.reduceat(np.multiply.outer(self.ways, other.ways).ravel()[order], starts))


@dataclass(frozen=True, eq=False)
class Distribution:
    """How a measure is distributed over the networks of a space; each network counts once."""

    lowest: int
    highest: int
    """Exact, whatever is sampled."""
    sums: Sums
    """Sums over the first slots."""
    others: Sums
    """Sums over the other slots: a network is a pair of sums, and no pair is ever made."""
    sampled: bool = False
    """Whether the sums are those of a sample of the networks."""

    def at_most(self, limit: float) -> Share:
        """How many networks have at most this."""
        return Share(self._at_most(math.floor(limit)), self._at_most(self.highest), self.sampled)

    def quantile(self, share: float) -> int:
        """The smallest value that at least this share of the networks does not exceed."""
        needed = share * self._at_most(self.highest)
        return self.lowest + bisect_left(range(self.lowest, self.highest), needed, key=self._at_most)

    def histogram(self, bins: int) -> list[tuple[int, int, float]]:
        """At most so many parts of one width, as first value, first value after it and share of the networks."""
        width = (self.highest - self.lowest) // bins + 1
        starts = range(self.lowest, self.highest + 1, width)
        below = [self.at_most(start - 1).share for start in (*starts, starts[-1] + width)]
        shares = (after - before for before, after in pairwise(below))
        return [(start, start + width, share) for start, share in zip(starts, shares, strict=True)]

    def _at_most(self, limit: int) -> int:
        fitting = np.searchsorted(self.sums.values, limit - self.others.values, side="right")
        return int((self.others.ways * np.concatenate([[0], self.sums.ways.cumsum()])[fitting]).sum())


def add_up(sums: Sums, slots: Sequence[Sums], most: int) -> tuple[Sums, Sequence[Sums]]:
    """Sums over as many slots as have no more different ones than this, and the slots that are left."""
    while slots and len((longer := sums.plus(slots[0])).values) <= most:
        sums, slots = longer, slots[1:]
    return sums, slots
