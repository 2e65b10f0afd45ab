"""Differences whose intervals hold for other seeds, widened so that they hold for other images too."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from nas_attn.statistics import Estimate, ImageVariance

from .difference import Difference

_P = 0.05
"""The probability that any interval of a family fails."""


def for_other_images(differences: Sequence[Difference], images: ImageVariance) -> tuple[Difference, ...]:
    """A family of differences whose intervals hold for other seeds, widened so that they hold for other images too.

    Both reaches are of standard errors of independent things, so that their squares add up; what seeds that differ in
    their images have in their reach already is not added again. A difference for whose networks no image is known stays
    as it is.
    """
    whole, more = images.variances, np.maximum(images.variances - images.contained, 0.0)
    reaches = zip(differences, *(images.quantile * np.sqrt(some) for some in (whole, more)), strict=True)
    return tuple(_widened(one, float(of), float(by), len(differences), images.share) for one, of, by in reaches)


def _widened(one: Difference, images: float, more: float, family: int, share: float) -> Difference:
    """A difference that reaches as far because of images, and so far more than because of what seeds show."""
    gain, seeds = one.gain, one.gain.high - one.gain.value
    if not (images > 0 and math.isfinite(seeds)):
        return one
    reach = math.hypot(seeds, more)
    least = _deviations(_P, family) * abs(gain.value) / reach
    p = -math.expm1(family * math.log1p(-2 * special.ndtr(-least))) if least > 0 else 1.0
    widened = Estimate(gain.value, gain.value - reach, gain.value + reach)
    found = replace(one, gain=widened, p=max(one.p, p), images=min(images, reach))
    return replace(found, missing=_missing(found, share))


def _missing(one: Difference, share: float) -> float:
    """How many times as many trainings would just show it: all folds judge once there are 1 / share times as many."""
    value, reach = abs(one.gain.value), one.gain.high - one.gain.value
    if reach <= value * math.sqrt(1 / share) and share < 1:
        return (reach / value) ** 2
    left = value**2 - share * one.images**2
    return one.seeds**2 / left if left > 0 else math.inf


def _deviations(p: float, family: int) -> float:
    """Standard deviations beyond which one of so many independent normal numbers strays with this probability."""
    return float(-special.ndtri(-math.expm1(math.log1p(-p) / family) / 2))
