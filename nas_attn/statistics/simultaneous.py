"""Differences of networks with intervals that hold for all of them at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .least_squares import AdjustedMeans
from .main_effects import Additive
from .rank_correlation import Numbers

CONFIDENCE = 0.95
"""The probability with which all intervals of a family hold at once."""

_DRAWS = 8000
"""How many times noise is drawn to find how far the largest of many differences strays."""

_DECIMALS = 12
"""Of a difference; what is less is rounding, which would be sure where seeds do not differ at all."""

_STRETCH = 1.15
"""By how much wider intervals of single networks are than those of pooled effects, which they stand beside."""


@dataclass(frozen=True, eq=False, slots=True)
class Family:
    """Combinations of networks' means that are judged together."""

    weights: Numbers
    """Shape (contrasts, networks); each row sums to 0."""
    nuisance_sd: Numbers
    """What effects that are taken to be drawn leave in each, as standard deviations, shape (contrasts, effects)."""
    pooled: NDArray[np.bool_]
    """Which rest on the additive fit, so that what it leaves over is noise to them; shape (contrasts,)."""

    @classmethod
    def single(cls, weights: Numbers, pooled: bool = False) -> "Family":
        """Contrasts that rest on no effect that is drawn."""
        return cls(weights, np.zeros((len(weights), 0)), np.full(len(weights), pooled))

    def __add__(self, other: "Family") -> "Family":
        """Both families, judged together; what is drawn for one is not drawn for the other."""
        wide = np.zeros(
            (len(self.nuisance_sd) + len(other.nuisance_sd), max(self.nuisance_sd.shape[1], other.nuisance_sd.shape[1]))
        )
        wide[: len(self.nuisance_sd), : self.nuisance_sd.shape[1]] = self.nuisance_sd
        wide[len(self.nuisance_sd) :, : other.nuisance_sd.shape[1]] = other.nuisance_sd
        return Family(np.concatenate([self.weights, other.weights]), wide, np.concatenate([self.pooled, other.pooled]))


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
    """The family's differences, judged by the largest of their t statistics where nothing differs (Dunnett, 1955).

    Noise and what the additive fit leaves over are drawn as the trainings show them and estimated anew in each draw,
    so that few degrees of freedom and unequal seeds are paid for (Westfall and Young, Resampling-Based Multiple
    Testing, 1993).
    """
    clear = known.comparable(family.weights)
    values = np.where(clear, (family.weights @ known.means).round(_DECIMALS) + 0.0, np.nan)
    if known.freedom < 1 or not clear.any():
        nothing = np.full(len(values), np.nan)
        return Compared(values, nothing, nothing, nothing, nothing)
    stretch = np.where(family.pooled, 1.0, _STRETCH)
    errors = stretch * _errors(known, family, np.array([known.variance]), np.array([fit.remainder]))[0]
    largest = _largest(known, fit, family, clear, stretch, np.random.default_rng(seed))
    reach = float(np.quantile(largest, CONFIDENCE)) * errors
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (largest[:, None] >= np.abs(values / errors)).mean(axis=0)
        missing = (reach / values) ** 2
    return Compared(values, values - reach, values + reach, np.where(clear, p, np.nan), missing)


def _errors(known: AdjustedMeans, family: Family, variances: Numbers, remainder: Numbers) -> Numbers:
    """Standard errors, shape (draws, contrasts), where noise and the remainder have these variances, shape (draws,)."""
    noise = ((family.weights @ known.covariance) * family.weights).sum(axis=1)
    between = np.where(family.pooled, (family.weights**2).sum(axis=1), 0.0)
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
    values, vectors = np.linalg.eigh(known.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0) * known.variance)
    noise = rng.standard_normal((_DRAWS, len(values))) @ root.T
    variances = known.variance * rng.chisquare(known.freedom, _DRAWS) / known.freedom
    single, pooled = clear & ~family.pooled, clear & family.pooled
    weights = (family.weights / (stretch * _errors(known, family, np.ones(1), np.zeros(1)).T[:, 0])[:, None])[single]
    with np.errstate(invalid="ignore", divide="ignore"):
        largest: Numbers = np.abs(noise @ weights.T).max(axis=1, initial=0.0) / np.sqrt(variances)
        if pooled.any():
            strays = noise + np.sqrt(fit.remainder) * rng.standard_normal(noise.shape)
            part = Family(family.weights[pooled], family.nuisance_sd[pooled], family.pooled[pooled])
            drawn = (
                strays @ part.weights.T + rng.standard_normal((_DRAWS, part.nuisance_sd.shape[1])) @ part.nuisance_sd.T
            )
            errors = stretch[pooled] * _errors(known, part, variances, fit.remainders(strays, variances))
            largest = np.maximum(largest, np.nan_to_num(np.abs(drawn / errors), nan=0.0).max(axis=1))
    return np.nan_to_num(largest, nan=0.0)
