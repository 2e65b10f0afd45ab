"""Rank correlations with their intervals, over many resamples of the same networks at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""How many bootstrap resamples an interval rests on."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % bootstrap interval, by percentiles; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        spelt = f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"
        return spelt.replace("-", "\N{MINUS SIGN}")

    @property
    def inline(self) -> str:
        """As it is spelt within brackets: `0.81, 0.62 to 0.90`."""
        return str(self).replace(" (", ", ").removesuffix(")")

    @property
    def positive(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.high < 0


UNKNOWN = Estimate(math.nan, math.nan, math.nan)
"""An estimate that is not known."""


def resamples(networks: int, rng: np.random.Generator) -> Numbers:
    """How often each network stands in each resample, shape (1 + 2000, networks); the first is the sample itself.

    Networks are drawn with replacement and keep all their seeds: drawing seeds again as well would count their noise
    twice and pull every correlation towards 0.
    """
    drawn = np.zeros((RESAMPLES, networks))
    np.add.at(drawn, (np.arange(RESAMPLES)[:, None], rng.integers(max(1, networks), size=(RESAMPLES, networks))), 1)
    return np.concatenate([np.ones((1, networks)), drawn])


def estimate(statistics: Numbers) -> Estimate:
    """What a statistic is in the sample, which comes first, with its interval over the resamples that define it."""
    value, drawn = float(statistics[0]), statistics[1:][np.isfinite(statistics[1:])]
    if not math.isfinite(value) or not len(drawn):
        return UNKNOWN
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def spearman(first: Numbers, second: Numbers, counts: Numbers) -> Numbers:
    """Spearman's rank correlation in every resample; ties share their mean rank; NaN where one side has no order."""
    one, other = _deviations(first, counts), _deviations(second, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt((counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1))
        correlations: Numbers = (counts * one * other).sum(axis=1) / scale
    return correlations


def kendall(first: Numbers, second: Numbers, counts: Numbers) -> Numbers:
    """Kendall's tau-b in every resample; NaN where one side has no order."""
    one, other = (np.sign(np.subtract.outer(values, values)) for values in (first, second))
    both, ordered, reordered = (_pairs(signs, counts) for signs in (one * other, one**2, other**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations: Numbers = both / np.sqrt(ordered * reordered)
    return correlations


def _deviations(values: Numbers, counts: Numbers) -> Numbers:
    """How far the rank of each network is from the mean rank, in every resample."""
    below = np.greater.outer(values, values) + 0.5 * np.equal.outer(values, values)
    deviations: Numbers = counts @ below.T - counts.sum(axis=1, keepdims=True) / 2
    return deviations


def _pairs(signs: Numbers, counts: Numbers) -> Numbers:
    """The sum over all pairs of networks, in every resample."""
    sums: Numbers = ((counts @ signs) * counts).sum(axis=1)
    return sums
