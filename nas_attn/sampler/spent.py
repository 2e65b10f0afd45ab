"""Which candidates are not to be proposed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .candidates import NOT_ASKED
from .features import Integers
from .posterior import Code


@dataclass(frozen=True)
class Spent:
    """Candidates by their codes, by what they share with others, and by what does not go with what is given."""

    codes: Collection[Code]
    alike: Collection[Code]
    """Codes that stand for all candidates that agree with them wherever they are not `NOT_ASKED`."""
    only: Mapping[int, Sequence[int]]
    """The fillings that some places may have."""

    def leaves(self, codes: Integers) -> NDArray[np.bool_]:
        """Which of these candidates, (candidates, places), are left."""
        left = np.array([code not in self.codes for code in map(tuple, codes.tolist())], dtype=np.bool_)
        for place, numbers in self.only.items():
            left &= np.isin(codes[:, place], numbers)
        shared: dict[tuple[int, ...], set[Code]] = {}
        for code in self.alike:
            places = tuple(place for place, number in enumerate(code) if number != NOT_ASKED)
            shared.setdefault(places, set()).add(tuple(code[place] for place in places))
        for places, known in shared.items():
            rows = np.flatnonzero(left)
            left[rows] = [code not in known for code in map(tuple, codes[rows][:, places].tolist())]
        return left
