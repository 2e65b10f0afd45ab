"""Differences of networks with intervals that hold for all of them at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

from .anytime import boundary, widening
from .contrasts import Contrasts
from .least_squares import AdjustedMeans
from .main_effects import Additive
from .rank_correlation import Numbers

CONFIDENCE = 0.95
"""The probability with which all intervals of a family hold at once."""

_DRAWS = 8000
"""How many times noise is drawn to find how far the largest of many differences strays."""

_MANY = 1500
"""Networks from which on noise is drawn less often, at last half as often: the largest of more differs less."""

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
    """Which rest on the additive fit, so that what it leaves over is noise to them; shape (contrasts,).

    The others count networks and no effects.
    """

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
    stretch = np.where(family.pooled, 1.0, _STRETCH * _heavier(known, family, (1 - CONFIDENCE) / len(values)))
    errors = stretch * _errors(known, fit, family)
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
    level = 1 - CONFIDENCE
    errors = _errors(known, fit, family) * _heavier(known, family, level)
    once = -float(stdtrit(known.freedom, level / 2))
    wider = widening(once, known.seeds, known.freedom)
    reach = wider * once * errors
    with np.errstate(invalid="ignore", divide="ignore"):
        p, missing = 2 * stdtr(known.freedom, -np.abs(values / errors) / wider), (reach / values) ** 2
    return Compared(values, values - reach, values + reach, p, missing)


def _unknown(values: Numbers) -> Compared:
    nothing = np.full(len(values), np.nan)
    return Compared(values, nothing, nothing, nothing, nothing)


def _errors(known: AdjustedMeans, fit: Additive, family: Family) -> Numbers:
    """Standard errors, shape (contrasts,): those of single networks from their own noise."""
    pooled = _pooled_variances(known, family, np.array([known.variance]), np.array([fit.remainder]))[0]
    single = family.contrasts.squares(known.noise.variances / known.counts)
    single += known.variance * ((family.contrasts @ known.root) ** 2).sum(axis=1)
    errors: Numbers = np.sqrt(np.where(family.pooled, pooled, single))
    return errors


def _pooled_variances(known: AdjustedMeans, family: Family, variances: Numbers, remainder: Numbers) -> Numbers:
    """Variances where noise and the remainder have these, shape (draws,); shape (draws, contrasts)."""
    noise = np.multiply.outer(variances, known.variances(family.contrasts))
    between = np.multiply.outer(remainder, family.contrasts.squares(np.ones(len(known.means))))
    found: Numbers = noise + between + (family.nuisance_sd**2).sum(axis=1)
    return found


def _heavier(known: AdjustedMeans, family: Family, level: float) -> Numbers:
    """By how much farther t statistics stray from 0 that rest on the noise of few networks, not of all; (contrasts,).

    That of a contrast has the degrees of freedom of its networks' noise, each by its share.
    """
    if math.isinf(known.noise.alike):
        return np.ones(len(family.contrasts))
    shares = known.noise.variances / known.counts
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = family.contrasts.squares(shares * known.noise.freedom) / family.contrasts.squares(shares)
    beyond = ndtr(-boundary(level, known.seeds))
    heavier: Numbers = np.nan_to_num(stdtrit(freedom, beyond) / stdtrit(known.freedom, beyond), nan=1.0)
    return heavier


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
    stretched = single.contrasts.over(stretch[clear & ~family.pooled])
    counted, by_seeds = single.contrasts.direct.power(2), ((single.contrasts @ known.root) ** 2).sum(axis=1)
    largest = []
    draws = int(_DRAWS * np.clip(_MANY / len(known.means), 0.5, 1.0))
    for part in np.array_split(np.arange(draws), math.ceil(draws * len(known.means) / _AT_ONCE)):
        noise, variances, shares = known.drawn(len(part), rng)
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = counted @ (shares / known.counts[:, None]) + by_seeds[:, None]
            strayed = _farthest(stretched @ noise / np.sqrt(squares)) / np.sqrt(variances)
            if len(pooled.contrasts):
                if fit.remainder:
                    noise += np.sqrt(fit.remainder) * rng.standard_normal(noise.shape)
                left = pooled.nuisance_sd @ rng.standard_normal((pooled.nuisance_sd.shape[1], len(part)))
                errors = np.sqrt(_pooled_variances(known, pooled, variances, fit.remainders(noise, variances))).T
                strayed = np.fmax(strayed, _farthest((pooled.contrasts @ noise + left) / errors))
        largest.append(np.nan_to_num(strayed, nan=0.0))
    return np.concatenate(largest)


def _farthest(ratios: Numbers) -> Numbers:
    """The largest absolute value of each column that is known; 0 where there is none."""
    farthest: Numbers = np.fmax.reduce(np.abs(ratios), axis=0, initial=0.0)
    return farthest
