"""Differences of networks with intervals that hold for all of them at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from .anytime import widening
from .contrasts import Contrasts
from .least_squares import AdjustedMeans
from .main_effects import Additive
from .rank_correlation import Numbers

CONFIDENCE = 0.95
"""The probability with which all intervals of a family hold at once."""

_DRAWS = 8000
"""How many times noise is drawn to find how far the largest of many differences strays."""

_AT_ONCE = 2_000_000
"""How many numbers are drawn together."""

_DECIMALS = 12
"""Of a difference; what is less is rounding, which would be sure where seeds do not differ at all."""

_STRETCH = 1.15
"""By how much wider intervals of single networks are than those of pooled effects, which they stand beside."""


@dataclass(frozen=True, eq=False, slots=True)
class Family:
    """Combinations of networks' means that are judged together."""

    contrasts: Contrasts
    nuisance_sd: Numbers
    """What effects that are taken to be drawn leave in each, as standard deviations, shape (contrasts, effects)."""
    pooled: NDArray[np.bool_]
    """Which rest on the additive fit, so that what it leaves over is noise to them; shape (contrasts,)."""

    @classmethod
    def single(cls, contrasts: Contrasts, pooled: bool = False) -> "Family":
        """Contrasts that rest on no effect that is drawn."""
        return cls(contrasts, np.zeros((len(contrasts), 0)), np.full(len(contrasts), pooled))

    def __add__(self, other: "Family") -> "Family":
        """Both families, judged together; what is drawn for one is not drawn for the other."""
        wide = np.zeros(
            (len(self.nuisance_sd) + len(other.nuisance_sd), max(self.nuisance_sd.shape[1], other.nuisance_sd.shape[1]))
        )
        wide[: len(self.nuisance_sd), : self.nuisance_sd.shape[1]] = self.nuisance_sd
        wide[len(self.nuisance_sd) :, : other.nuisance_sd.shape[1]] = other.nuisance_sd
        return Family(self.contrasts + other.contrasts, wide, np.concatenate([self.pooled, other.pooled]))

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Family":
        return Family(self.contrasts[chosen], self.nuisance_sd[chosen], self.pooled[chosen])


@dataclass(frozen=True, eq=False, slots=True)
class Compared:
    """Contrasts with intervals that hold at once, shape (contrasts,); NaN where seeds cannot tell."""

    values: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    """The probability that any of the family strays as far where nothing differs."""
    missing: Numbers
    """How many times as many trainings would put an interval's end at 0, if the value stayed what it is."""

    def __getitem__(self, part: slice) -> "Compared":
        """Some of the contrasts."""
        return Compared(self.values[part], self.low[part], self.high[part], self.p[part], self.missing[part])


def compared(known: AdjustedMeans, fit: Additive, family: Family, seed: int = 0) -> Compared:
    """A family's differences, judged by the largest of their t statistics where nothing differs (Dunnett, 1955).

    Noise and what the additive fit leaves over are drawn as the trainings show them and estimated anew in each draw,
    so that few degrees of freedom and unequal seeds are paid for (Westfall and Young, Resampling-Based Multiple
    Testing, 1993). What is so found for the seeds at hand is widened to hold after any number of seeds.
    """
    clear = known.comparable(family.contrasts)
    values = np.where(clear, (family.contrasts @ known.means).round(_DECIMALS) + 0.0, np.nan)
    if known.freedom < 1 or not clear.any():
        return _unknown(values)
    stretch = np.where(family.pooled, 1.0, _STRETCH)
    errors = stretch * _errors(known, family, np.array([known.variance]), np.array([fit.remainder]))[0]
    largest = _largest(known, fit, family, clear, stretch, np.random.default_rng(seed))
    once = float(np.quantile(largest, CONFIDENCE))
    wider = widening(once, known.seeds, known.freedom)
    reach = wider * once * errors
    with np.errstate(invalid="ignore", divide="ignore"):
        strayed = np.nan_to_num(np.abs(values / errors), nan=0.0) / wider
        missing = (reach / values) ** 2
    p = 1 - np.searchsorted(np.sort(largest), strayed) / len(largest)
    return Compared(values, values - reach, values + reach, np.where(clear, p, np.nan), missing)


def alone(known: AdjustedMeans, fit: Additive, family: Family) -> Compared:
    """The same of each difference by itself: their intervals need not hold at once."""
    clear = known.comparable(family.contrasts)
    values = np.where(clear, (family.contrasts @ known.means).round(_DECIMALS) + 0.0, np.nan)
    if known.freedom < 1:
        return _unknown(values)
    errors = _errors(known, family, np.array([known.variance]), np.array([fit.remainder]))[0]
    once = float(t.isf((1 - CONFIDENCE) / 2, known.freedom))
    wider = widening(once, known.seeds, known.freedom)
    reach = wider * once * errors
    with np.errstate(invalid="ignore", divide="ignore"):
        p, missing = 2 * t.sf(np.abs(values / errors) / wider, known.freedom), (reach / values) ** 2
    return Compared(values, values - reach, values + reach, p, missing)


def _unknown(values: Numbers) -> Compared:
    nothing = np.full(len(values), np.nan)
    return Compared(values, nothing, nothing, nothing, nothing)


def _errors(known: AdjustedMeans, family: Family, variances: Numbers, remainder: Numbers) -> Numbers:
    """Standard errors, shape (draws, contrasts), where noise and the remainder have these variances, shape (draws,)."""
    noise = known.variances(family.contrasts)
    between = np.where(family.pooled, family.contrasts.squares(np.ones(len(known.means))), 0.0)
    left = (family.nuisance_sd**2).sum(axis=1)
    errors: Numbers = np.sqrt(np.multiply.outer(variances, noise) + np.multiply.outer(remainder, between) + left)
    return errors


def _largest(
    known: AdjustedMeans,
    fit: Additive,
    family: Family,
    clear: NDArray[np.bool_],
    stretch: Numbers,
    rng: np.random.Generator,
) -> Numbers:
    """The largest absolute t statistic of the family in each draw, where nothing differs."""
    single, pooled = family[clear & ~family.pooled], family[clear & family.pooled]
    units = stretch[clear & ~family.pooled] * np.sqrt(known.variances(single.contrasts))
    ratios = single.contrasts.over(units)
    largest = []
    for part in np.array_split(np.arange(_DRAWS), math.ceil(_DRAWS * len(known.means) / _AT_ONCE)):
        draws = len(part)
        noise = np.sqrt(known.variance) * known.drawn(draws, rng)
        variances = known.variance * rng.chisquare(known.freedom, draws) / known.freedom
        with np.errstate(invalid="ignore", divide="ignore"):
            strayed = _farthest(ratios @ noise) / np.sqrt(variances)
            if len(pooled.contrasts):
                if fit.remainder:
                    noise += np.sqrt(fit.remainder) * rng.standard_normal(noise.shape)
                left = pooled.nuisance_sd @ rng.standard_normal((pooled.nuisance_sd.shape[1], draws))
                errors = _errors(known, pooled, variances, fit.remainders(noise, variances)).T
                strayed = np.fmax(
                    strayed, _farthest(np.nan_to_num((pooled.contrasts @ noise + left) / errors, nan=0.0))
                )
        largest.append(np.nan_to_num(strayed, nan=0.0))
    return np.concatenate(largest)


def _farthest(values: Numbers) -> Numbers:
    """The largest absolute value of each column; 0 where there is no row."""
    farthest: Numbers = np.maximum(values.max(axis=0, initial=0.0), -values.min(axis=0, initial=0.0))
    return farthest
