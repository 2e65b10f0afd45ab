"""Pool of candidates: all of a space, or of a large one a sample."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas_attn.pricing import Integers
from nas_attn.space import InputError

from .candidates import Candidates, Cost, Fits
from .features import Code, Encoding, Features, Floats
from .history import Excluded

_LISTED = 20_000  # the largest space whose pool is all of it
_DRAWN = 4_000  # candidates of a larger one
_TRIES = 10  # draws, where few candidates fit
_NEIGHBOURS = 600  # in a round of local search


@dataclass(frozen=True, eq=False)
class Encoded:
    """Candidates with their costs and features."""

    codes: Integers
    """(candidates, places)."""
    costs: Floats
    """(candidates, costs): what is known, in its own units."""
    features: Features

    @cached_property
    def tuples(self) -> list[Code]:
        """Each candidate as a key."""
        return [*map(tuple, self.codes.tolist())]


class Pools:
    """Source of encoded candidates that may be proposed."""

    def __init__(
        self, candidates: Candidates, known: tuple[Cost, ...], fits: Fits | None, rng: np.random.Generator
    ) -> None:
        """List or draw the pool; raises `InputError` where nothing fits."""
        self._candidates, self._known, self._fits, self._rng = candidates, known, fits, rng
        self.whole = candidates.number <= _LISTED
        codes = self._fitting(candidates.listed()) if self.whole else self._drawn()
        if not len(codes):
            raise InputError(f"fits: none of {candidates.number} candidates was found to fit")
        self.encoding = Encoding(candidates.labels, candidates.costs(known, codes))
        self.pool = self.at(codes)

    def redraw(self) -> None:
        """Draw another pool, where it is a sample."""
        if not self.whole and len(codes := self._drawn()):
            self.pool = self.at(codes)

    def at(self, codes: Integers) -> Encoded:
        """These candidates."""
        costs = self._candidates.costs(self._known, codes)
        return Encoded(codes, costs, self.encoding(codes, costs))

    def of(self, codes: Collection[Code]) -> Encoded:
        """These candidates, by their keys."""
        return self.at(np.array([*codes], dtype=np.int64).reshape(-1, len(self._candidates.sizes)))

    def restricted(self, only: Mapping[int, Sequence[int]]) -> Encoded:
        """The pool where only these fillings of some places may be; of a large space, what it becomes with them."""
        if not only:
            return self.pool
        codes = self.pool.codes
        kept = codes[np.all([np.isin(codes[:, place], numbers) for place, numbers in only.items()], axis=0)]
        if not self.whole or not len(kept):
            made = codes.copy()
            for place, numbers in only.items():
                made[:, place] = self._rng.choice(numbers, len(made))
            fit = self._fitting(made)
            kept = np.unique(np.concatenate([kept, fit if len(fit) or len(kept) else made]), axis=0)
        return self.at(kept)

    def around(self, codes: Integers, excluded: Excluded, known: Collection[Code]) -> Encoded:
        """What differs from one of these in one place, fits, and is neither excluded nor known."""
        near = self._candidates.neighbours(codes.tolist())
        near = near[excluded.leaves(near) & [code not in known for code in map(tuple, near.tolist())]]
        if len(near) > _NEIGHBOURS:
            near = near[np.sort(self._rng.choice(len(near), _NEIGHBOURS, replace=False))]
        return self.at(self._fitting(near))

    def _fitting(self, codes: Integers) -> Integers:
        return codes[self._candidates.fitting(self._fits, codes)]

    def _drawn(self) -> Integers:
        found = [self._fitting(self._candidates.drawn(_DRAWN, self._rng))]
        while sum(map(len, found)) < _DRAWN // 2 and len(found) < _TRIES:
            found.append(self._fitting(self._candidates.drawn(_DRAWN, self._rng)))
        return np.unique(np.concatenate(found), axis=0)
