"""What the networks of a whole space cost: sums over its slots, so that even a space too large to list is known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nas_attn.space import Architecture, InputError, SearchSpace

from .distribution import Distribution, Integers, Share

COUNTED = ("params", "macs", "flops")
"""What is known of a network before anything runs, and adds up over its slots."""

_MOST_LISTED = 1_000_000
_SAMPLE = 200_000  # networks of a larger space


@dataclass(frozen=True, eq=False)
class SpacePrices:
    """What every network of a space costs: the plain backbone, and what each filling of each slot adds to it.

    A network is a filling number for each slot, in the order of `Slot.fillings`; 0 leaves the slot empty.
    """

    plain: Integers
    """Of the plain backbone, in the order of `COUNTED`."""
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

    def totals(self, answers: ArrayLike) -> dict[str, Integers]:
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
        totals = np.tile(self.plain.astype(np.int64), (len(answers), 1))
        for added, filling in zip(self.added, answers.T, strict=True):
            totals += added[filling]
        return dict(zip(COUNTED, totals.T, strict=True))

    def listed(self) -> Integers:
        """The filling numbers of every network, in the order of `SearchSpace.architectures`."""
        return np.indices(self.fillings).reshape(len(self.fillings), self.networks).T

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

    def extreme(self, measure: str, *, highest: bool) -> tuple[int, ...]:
        """The filling numbers of the network with the least or the most of a measure; of equals, the first."""
        column = COUNTED.index(measure)
        return tuple(int((added[:, column] * (-1 if highest else 1)).argmin()) for added in self.added)

    def distribution(self, measure: str) -> Distribution:
        """The distribution of a measure: of all networks, or of a sample of a space that is too large to list."""
        answers, sampled = self._evaluated
        return Distribution(self.totals(answers)[measure], *self._range(measure), sampled)

    def fits(self, answers: Integers, limits: Mapping[str, float]) -> NDArray[np.bool_]:
        """Whether each of these networks, (networks, slots), keeps within all limits."""
        totals, fits = self.totals(answers), np.ones(len(answers), dtype=np.bool_)
        for measure, limit in limits.items():
            fits &= totals[measure] <= limit
        return fits

    def within(self, limits: Mapping[str, float]) -> Share:
        """How many networks keep within all of these limits: exact where the space can be listed, or all or none do."""
        ranges = {measure: self._range(measure) for measure in limits}
        if any(limit < ranges[measure][0] for measure, limit in limits.items()):
            return Share(0, self.networks)
        if all(limit >= ranges[measure][1] for measure, limit in limits.items()):
            return Share(self.networks, self.networks)
        answers, sampled = self._evaluated
        return Share(int(self.fits(answers, limits).sum()), len(answers), sampled)

    def _range(self, measure: str) -> tuple[int, int]:
        """The least and the most of a measure, exactly."""
        lowest, highest = self.totals([self.extreme(measure, highest=highest) for highest in (False, True)])[measure]
        return int(lowest), int(highest)

    @cached_property
    def _evaluated(self) -> tuple[Integers, bool]:
        """All networks, or a random sample of them, and whether it is one."""
        sampled = self.networks > _MOST_LISTED
        return self.drawn(_SAMPLE, 0) if sampled else self.listed(), sampled


def filled(space: SearchSpace, answers: Integers) -> list[Architecture]:
    """The architectures of a space whose filling numbers are given, (networks, slots)."""
    fillings = [tuple(slot.fillings()) for slot in space.slots]
    return [
        Architecture(tuple(chain.from_iterable(slot[number] for slot, number in zip(fillings, row, strict=True))))
        for row in answers.tolist()
    ]
