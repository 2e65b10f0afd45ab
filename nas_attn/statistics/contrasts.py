"""Combinations of networks' means, kept as what they are made of, so that thousands of them cost little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array, diags_array, vstack

from .rank_correlation import Numbers


@dataclass(frozen=True, eq=False, slots=True)
class Contrasts:
    """Combinations of networks, and of effects, which are combinations of networks themselves; each sums to 0."""

    direct: csr_array
    """What each network counts by itself, shape (contrasts, networks)."""
    parts: Numbers
    """What each effect counts, shape (contrasts, effects)."""
    effects: Numbers
    """What each network counts in an effect, shape (effects, networks)."""

    @classmethod
    def few(cls, rows: Sequence[Mapping[int, float]], networks: int) -> "Contrasts":
        """Those in which few of so many networks count, each given by its place."""
        counted = [(number, place, share) for number, row in enumerate(rows) for place, share in row.items()]
        contrasts, places, shares = zip(*counted, strict=True) if counted else ((), (), ())
        indices = np.array(contrasts, dtype=np.intp), np.array(places, dtype=np.intp)
        direct = csr_array((np.array(shares, dtype=np.float64), indices), shape=(len(rows), networks))
        return cls(direct, np.zeros((len(rows), 0)), np.zeros((0, networks)))

    @classmethod
    def many(cls, weights: Numbers) -> "Contrasts":
        """Those in which many networks count, of these weights, shape (contrasts, networks)."""
        return cls.sums(np.eye(len(weights)), weights)

    @classmethod
    def sums(cls, parts: Numbers, effects: Numbers) -> "Contrasts":
        """Those that are sums of effects alone."""
        return cls(csr_array((len(parts), effects.shape[1])), parts, effects)

    def __len__(self) -> int:
        return len(self.parts)

    def __matmul__(self, values: Numbers) -> Numbers:
        """The contrasts of values of networks, shape (networks, ...)."""
        found: Numbers = self.direct @ values + self.parts @ (self.effects @ values)
        return found

    def __add__(self, other: "Contrasts") -> "Contrasts":
        """Both, one after the other."""
        return Contrasts(
            csr_array(vstack([self.direct, other.direct])),
            block_diag([self.parts, other.parts]).toarray(),
            np.concatenate([self.effects, other.effects]),
        )

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Contrasts":
        return Contrasts(self.direct[np.flatnonzero(chosen)], self.parts[chosen], self.effects)

    def over(self, units: Numbers) -> "Contrasts":
        """Each divided by a number of its own."""
        return Contrasts(csr_array(diags_array(1 / units) @ self.direct), self.parts / units[:, None], self.effects)

    def squares(self, scale: Numbers) -> Numbers:
        """Sums of the squares of what networks count, each network scaled; shape (contrasts,)."""
        valued = self.effects * scale
        both = ((self.direct @ valued.T) * self.parts).sum(axis=1)
        by_effects = ((self.parts @ (valued @ self.effects.T)) * self.parts).sum(axis=1)
        squares: Numbers = self.direct.power(2) @ scale + 2 * both + by_effects
        return squares
