"""The candidates that are looked at: all of a space, or of a large one a sample, and a climb from the best of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas_attn.space import InputError

from .candidates import Candidates, Cost, Fits
from .features import Encoding, Features, Floats, Integers
from .posterior import Code
from .spent import Spent

_LISTED = 20_000  # the largest space of which every candidate is looked at
_DRAWN = 4_000  # candidates of a larger one
_TRIES = 10  # draws, where few candidates fit
_NEIGHBOURS = 600  # that are looked at in a round of local search


@dataclass(frozen=True, eq=False)
class Looked:
    """Candidates with what is known of them."""

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
    """Looks at candidates, and keeps to what may be proposed."""

    def __init__(
        self,
        candidates: Candidates,
        known: tuple[Cost, ...],
        fits: Fits | None,
        rng: np.random.Generator,
    ) -> None:
        """Look at all or some; raises `InputError` where nothing fits."""
        self._candidates, self._known, self._fits, self._rng = candidates, known, fits, rng
        self.whole = candidates.number <= _LISTED
        codes = self._listed() if self.whole else self._drawn()
        costs = candidates.costs(known, codes)
        self.encoding = Encoding(candidates.labels, costs)
        self.pool = Looked(codes, costs, self.encoding(codes, costs))

    def redraw(self) -> None:
        """Look at other candidates, where not all are looked at."""
        if not self.whole:
            self.pool = self.at(self._drawn())

    def at(self, codes: Integers) -> Looked:
        """These candidates."""
        costs = self._candidates.costs(self._known, codes)
        return Looked(codes, costs, self.encoding(codes, costs))

    def of(self, codes: Collection[Code]) -> Looked:
        """These candidates, by their keys."""
        return self.at(np.array([*codes], dtype=np.int64).reshape(-1, len(self._candidates.sizes)))

    def held(self, only: Mapping[int, Sequence[int]]) -> Looked:
        """The pool where only these fillings of some places may be; of a large space, what it becomes with them."""
        if not only:
            return self.pool
        codes = self.pool.codes
        kept = codes[np.all([np.isin(codes[:, place], numbers) for place, numbers in only.items()], axis=0)]
        if not self.whole or not len(kept):
            made = codes.copy()
            for place, numbers in only.items():
                made[:, place] = self._rng.choice(numbers, len(made))
            fit = made[self._candidates.fitting(self._fits, made)]
            kept = np.unique(np.concatenate([kept, fit if len(fit) or len(kept) else made]), axis=0)
        return self.at(kept)

    def around(self, codes: Integers, spent: Spent, known: Collection[Code]) -> Looked:
        """What differs from one of these in one place, fits, and is neither spent nor known."""
        near = self._candidates.neighbours(codes.tolist())
        near = near[spent.leaves(near) & [code not in known for code in map(tuple, near.tolist())]]
        if len(near) > _NEIGHBOURS:
            near = near[np.sort(self._rng.choice(len(near), _NEIGHBOURS, replace=False))]
        return self.at(near[self._candidates.fitting(self._fits, near)])

    def _drawn(self) -> Integers:
        found = [self._candidates.drawn(_DRAWN, self._rng)]
        found[0] = found[0][self._candidates.fitting(self._fits, found[0])]
        while sum(map(len, found)) < _DRAWN // 2 and len(found) < _TRIES:
            more = self._candidates.drawn(_DRAWN, self._rng)
            found.append(more[self._candidates.fitting(self._fits, more)])
        return self._some(np.unique(np.concatenate(found), axis=0))

    def _listed(self) -> Integers:
        codes = self._candidates.listed()
        return self._some(codes[self._candidates.fitting(self._fits, codes)])

    def _some(self, codes: Integers) -> Integers:
        if not len(codes):
            raise InputError(f"fits: none of {self._candidates.number} candidates was found to fit")
        return codes
