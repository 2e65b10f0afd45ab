"""What the networks of a whole space cost: sums over its slots, so that even a space too large to list is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, product

import numpy as np
import pandas as pd

from nas_attn.space import Architecture, InputError, SearchSpace

from .distribution import Distribution, Integers, Share, Sums, add_up

MEASURES = ("params", "macs", "flops")
"""What is known of a network before anything runs, and adds up over its slots."""

_MOST_LISTED = 1_000_000
_MOST_SUMS = 200_000  # different sums over the first slots, and over the others
_MOST_OTHERS = 4_000


@dataclass(frozen=True, eq=False)
class SpacePrices:
    """What every network of a space costs: the bare one, and what each filling of each slot adds to it.

    A network is a filling number for each slot, in the order of `Slot.fillings`; 0 leaves the slot empty.
    """

    bare: Integers
    """Of the bare network, in the order of `MEASURES`."""
    added: tuple[Integers, ...]
    """For each slot, (fillings, measures)."""

    @property
    def fillings(self) -> tuple[int, ...]:
        """How many fillings each slot has."""
        return tuple(map(len, self.added))

    @property
    def networks(self) -> int:
        """How many networks there are."""
        return math.prod(self.fillings)

    def totals(self, answers: Integers) -> dict[str, Integers]:
        """Each measure of the networks whose filling numbers are given, (networks, slots), as an array.

        Raises `InputError` for an array of another shape or type, and a filling that a slot does not have.
        """
        answers, sizes = np.asarray(answers), np.array(self.fillings, dtype=np.int64)
        if answers.ndim != 2 or answers.shape[1] != len(sizes) or answers.dtype.kind not in "iu":
            raise InputError(
                f"answers: found {answers.dtype} of shape {answers.shape}; whole numbers of (networks, {len(sizes)})"
            )
        if answers.size and ((answers < 0) | (answers >= sizes)).any():
            raise InputError(f"answers: filling numbers must be at least 0 and below {', '.join(map(str, sizes))}")
        totals = {
            name: np.full(len(answers), start, dtype=np.int64) for name, start in zip(MEASURES, self.bare, strict=True)
        }
        for slot, added in enumerate(self.added):
            for column, total in enumerate(totals.values()):
                total += added[:, column][answers[:, slot]]
        return totals

    def listed(self) -> Integers:
        """The filling numbers of every network, in the order of `SearchSpace.architectures`."""
        return np.array(list(product(*map(range, self.fillings))), dtype=np.int64)

    def drawn(self, number: int, seed: int) -> Integers:
        """The filling numbers of so many different networks, each as likely to be drawn as any other.

        Raises `ValueError` for more than there are.
        """
        if number > self.networks:
            raise ValueError(f"found {number}; there are {self.networks} networks")
        rng = np.random.default_rng(seed)
        found = pd.DataFrame(np.empty((0, len(self.added)), dtype=np.int64))
        while len(found) < number:
            more = rng.integers(0, self.fillings, (number, len(self.added)))
            found = pd.concat([found, pd.DataFrame(more)]).drop_duplicates()
        return found.to_numpy()[:number]

    def extreme(self, measure: str, *, dearest: bool) -> tuple[int, ...]:
        """The filling numbers of the cheapest or the dearest network; of equals, the first."""
        column = MEASURES.index(measure)
        return tuple(int((added[:, column] * (-1 if dearest else 1)).argmin()) for added in self.added)

    def distribution(self, measure: str) -> Distribution:
        """How this measure is distributed: exact, but for a space with too many different sums, which is sampled."""
        ends = np.array([self.extreme(measure, dearest=dearest) for dearest in (False, True)])
        lowest, highest = self.totals(ends)[measure].tolist()
        column, whole = MEASURES.index(measure), self.networks < 2**63
        ways = partial(np.ones, dtype=np.int64 if whole else np.float64)
        slots: Sequence[Sums] = [Sums(added[:, column], ways(len(added))) for added in self.added]
        sums, slots = add_up(Sums(self.bare[column : column + 1], ways(1)), slots, _MOST_SUMS)
        others, slots = add_up(Sums(np.zeros(1, dtype=np.int64), ways(1)), slots, _MOST_OTHERS)
        if not slots:
            return Distribution(lowest, highest, sums, others)
        drawn = np.unique(self.totals(self.drawn(_MOST_LISTED, 0))[measure], return_counts=True)
        nothing = Sums(np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64))
        return Distribution(lowest, highest, Sums(*drawn), nothing, sampled=True)

    def within(self, limits: Mapping[str, float]) -> Share:
        """How many networks keep within all of these limits.

        Exact where the distribution is and one limit decides, and for several where the networks can be listed.
        """
        known = {measure: self.distribution(measure) for measure in limits}
        unmet = [measure for measure, limit in limits.items() if limit < known[measure].lowest]
        deciding = unmet[:1] or [measure for measure, limit in limits.items() if limit < known[measure].highest]
        if len(deciding) < 2:
            measure = next(iter((*deciding, *limits)))
            return known[measure].at_most(limits[measure])
        sampled = self.networks > _MOST_LISTED
        totals = self.totals(self.drawn(_MOST_LISTED, 0) if sampled else self.listed())
        fits = np.all([totals[measure] <= limit for measure, limit in limits.items()], axis=0)
        return Share(int(fits.sum()), len(fits), sampled)


def filled(space: SearchSpace, answers: Integers) -> list[Architecture]:
    """The architectures of a space whose filling numbers are given, (networks, slots)."""
    fillings = [tuple(slot.fillings()) for slot in space.slots]
    return [
        Architecture(tuple(chain.from_iterable(slot[number] for slot, number in zip(fillings, row, strict=True))))
        for row in answers.tolist()
    ]
