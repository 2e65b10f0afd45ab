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

    Both reaches are of standard errors of independent things, so that their squares add up. A difference for whose
    networks no image is known stays as it is.
    """
    pairs = zip(differences, images.quantile * np.sqrt(images.variances), strict=True)
    return tuple(_widened(one, float(reach), len(differences)) for one, reach in pairs)


def _widened(one: Difference, images: float, family: int) -> Difference:
    gain, seeds = one.gain, one.gain.high - one.gain.value
    if not (images > 0 and math.isfinite(seeds)):
        return one
    reach = math.hypot(seeds, images)
    least = _deviations(_P, family) * abs(gain.value) / reach
    p = -math.expm1(family * math.log1p(-2 * special.ndtr(-least))) if least > 0 else 1.0
    left = gain.value**2 - images**2
    missing = seeds**2 / left if left > 0 else math.inf
    widened = Estimate(gain.value, gain.value - reach, gain.value + reach)
    return replace(one, gain=widened, p=max(one.p, p), missing=missing, images=images)


def _deviations(p: float, family: int) -> float:
    """Standard deviations beyond which one of so many independent normal numbers strays with this probability."""
    return float(-special.ndtri(-math.expm1(math.log1p(-p) / family) / 2))
