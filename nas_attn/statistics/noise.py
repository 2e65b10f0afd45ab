"""How noisy each network is, measured by its own trainings and by how much networks differ in that."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, digamma, polygamma

from .rank_correlation import Numbers

_SURELY = 0.05
"""The probability of saying that networks differ in their noise where they do not."""

_UNLIKE = 1.0
"""Degrees of freedom that the common variance counts for at least."""

_ALIKE = 1e4
"""Degrees of freedom from which on networks are taken to be equally noisy."""


@dataclass(frozen=True, eq=False, slots=True)
class Noise:
    """Variances of networks' noise, drawn about a common one as a scaled inverse chi-squared variable is."""

    common: float
    """The variance about which they are drawn."""
    alike: float
    """Degrees of freedom that the common one counts for beside a network's own; infinite where all are equal."""
    own: Numbers
    """Degrees of freedom of each network's residuals, shape (networks,)."""
    variances: Numbers
    """Each network's own variance, shrunk to the common one, shape (networks,)."""

    @property
    def freedom(self) -> Numbers:
        """Degrees of freedom of the shrunk variances, shape (networks,)."""
        return self.alike + self.own

    def drawn(self, number: int, freedom: int, rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
        """Variances of as many networks, and what trainings make of them: the pooled one, and each one's share of it.

        Of shape (networks, number), (number,), which has so many degrees of freedom, and (networks, number); one column
        stands for all draws where they are equal.
        """
        if math.isinf(self.alike):
            equal = np.ones((len(self.own), 1))
            return self.common * equal, self.common * rng.chisquare(freedom, number) / freedom, equal
        shape = (len(self.own), number)
        true = self.common * self.alike / rng.chisquare(self.alike, shape)
        squares = np.zeros(shape)
        known = self.own > 0
        squares[known] = true[known] * rng.chisquare(self.own[known, None], (known.sum(), number))
        pooled = squares.sum(axis=0) / freedom
        return true, pooled, (self.alike * self.common + squares) / self.freedom[:, None] / pooled


def noise(squares: Numbers, own: Numbers, pooled: float) -> Noise:
    """Fitted to sums of squared residuals, their degrees of freedom, both (networks,), and the pooled variance.

    Networks are equally noisy unless Bartlett's test says otherwise (Proceedings of the Royal Society A 160, 1937).
    Then the moments of the variances' logarithms say how they differ (Smyth, Statistical Applications in Genetics and
    Molecular Biology 3, 2004).
    """
    measured = (own > 0.5) & (squares > 1e-12 * squares.max(initial=0.0))
    half = own[measured] / 2
    logs = np.log(squares[measured] / own[measured]) - digamma(half) + np.log(half)
    spread = float(logs.var(ddof=1) - polygamma(1, half).mean()) if len(logs) > 1 else 0.0
    most, least = polygamma(1, np.array([_UNLIKE, _ALIKE]) / 2)
    if spread <= least or _bartlett(squares[measured], own[measured]) > _SURELY:
        return Noise(pooled, math.inf, own, np.full(len(own), pooled))
    alike = 2 * brentq(lambda half: float(polygamma(1, half)) - min(spread, most), _UNLIKE / 2, _ALIKE)
    common = math.exp(logs.mean() + digamma(alike / 2) - math.log(alike / 2))
    return Noise(common, alike, own, (alike * common + squares) / (alike + own))


def _bartlett(squares: Numbers, freedom: Numbers) -> float:
    """The probability that variances of equal noise differ as much."""
    whole, groups = freedom.sum(), len(freedom)
    statistic = whole * np.log(squares.sum() / whole) - freedom @ np.log(squares / freedom)
    correction = 1 + ((1 / freedom).sum() - 1 / whole) / (3 * (groups - 1))
    return float(chdtrc(groups - 1, statistic / correction))
