"""Variance of differences that comes from which images validate, beside that of seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nas_attn.results import Outcomes

from .rank_correlation import Numbers

_DRAWS, _DRAWN = 4000, 3_000_000
"""How many times images are drawn to find how far the largest of many differences strays, and numbers in all."""


@dataclass(frozen=True, eq=False, slots=True)
class ImageRecords:
    """What each image got in trainings of networks with seeds; all trainings have the same images."""

    values: NDArray[np.floating]
    """Of one measure, which is their mean over the images, shape (trainings, images)."""
    who: NDArray[np.intp]
    """Which network each training is of."""
    when: NDArray[np.intp]
    """Which seed it had."""
    networks: int
    """How many networks there are; one without trainings here has no place in `who`."""

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.values[0])


def image_records(keys: Sequence[str], found: Mapping[tuple[str, int], Outcomes], name: str) -> ImageRecords | None:
    """What each image got by a measure in the trainings of these networks, in their order.

    None where no training says it, or there are fewer than two images.
    """
    numbers = {key: number for number, key in enumerate(keys)}
    had = [
        (numbers[key], seed, one.values[name])
        for (key, seed), one in found.items()
        if key in numbers and name in one.values
    ]
    if not had or min(len(values) for *_, values in had) < 2:
        return None
    who, when, values = zip(*had, strict=True)
    dtype = np.float32 if values[0].dtype == np.bool_ else np.float64
    return ImageRecords(np.array(values, dtype=dtype), np.array(who), np.array(when), len(keys))


@dataclass(frozen=True, eq=False, slots=True)
class ImageVariance:
    """How far differences stray where other images of the same kind validate."""

    variances: Numbers
    """Of each contrast, by the draw of so many images alone, shape (contrasts,); NaN where no image is known for a
    network in it."""
    freedom: Numbers
    """Degrees of freedom of each, shape (contrasts,)."""
    quantile: float
    """How many of its standard deviations each strays at most, all of them together, with a probability of 95 %."""
    images: int
    """How many images there are."""

    def __getitem__(self, part: slice) -> "ImageVariance":
        """Some of the contrasts; the quantile stays that of all."""
        return ImageVariance(self.variances[part], self.freedom[part], self.quantile, self.images)


def image_variance(records: ImageRecords, weights: Numbers, confidence: float = 0.95, seed: int = 0) -> ImageVariance:
    """The variance by the draw of images, of contrasts of networks of shape (contrasts, networks); rows sum to 0.

    What an image gets is the sum of effects of network, seed and image, of all their pairs, and of noise; images and
    seeds are random, networks are not. Then what two networks share over the images in trainings of different seeds is
    what their image effects share: an unbiased estimator, which for a difference of two networks with the same seeds is
    that of the two-way analysis of variance, (MS images - MS rest) / seeds (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 4). It is clipped at 0. From a network with one seed the mean noise of the others is taken
    off; where all have one, noise counts as the images' too.

    Degrees of freedom are Satterthwaite's, with the kurtosis that the images show.
    """
    used = np.flatnonzero((weights != 0).any(axis=0))
    kept, images = weights[:, used], records.images
    rows = np.flatnonzero(np.isin(records.who, used))
    values, who = records.values[rows], np.searchsorted(used, records.who[rows])
    centred, sums = values - values.mean(axis=1, keepdims=True), np.zeros((len(used), images), dtype=values.dtype)
    np.add.at(sums, who, centred)
    counts = np.bincount(who, minlength=len(used))
    known = ~(kept[:, counts == 0] != 0).any(axis=1)
    shared = _shared(centred, who, records.when[rows], counts, sums) / (images - 1)
    variances = np.maximum(((kept @ shared) * kept).sum(axis=1), 0.0)
    strays = kept @ (sums / np.maximum(counts, 1)[:, None])
    total = np.square(strays).sum(axis=1) / (images - 1)
    of_total = _freedom(strays)
    of_noise = of_total * np.maximum(np.where(kept != 0, counts, len(who)).min(axis=1, initial=len(who)) - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = total**2 / of_total + np.square(total - variances) / of_noise
        freedom = np.maximum(np.nan_to_num(variances**2 / spread, nan=1.0), 1.0)
    clear = known & (variances > 0)
    scaled = strays[clear] / np.sqrt(total[clear] * (images - 1))[:, None]
    quantile = _quantile(scaled, of_total[clear], confidence, np.random.default_rng(seed))
    return ImageVariance(np.where(known, variances / images, np.nan), freedom, quantile, images)


def _shared(
    centred: NDArray[np.floating],
    who: NDArray[np.intp],
    when: NDArray[np.intp],
    counts: NDArray[np.intp],
    sums: NDArray[np.floating],
) -> Numbers:
    """Sums over images of products of two networks in different seeds, the mean over such pairs of trainings.

    Where there is no such pair, over those of one seed, less what a seed adds to them on average.
    """
    products, same = (sums @ sums.T).astype(np.float64), np.zeros((len(counts), len(counts)))
    met = np.zeros_like(same)
    for seed in np.unique(when):
        rows = np.flatnonzero(when == seed)
        places = np.ix_(who[rows], who[rows])
        same[places] += centred[rows] @ centred[rows].T
        met[places] += 1
    pairs = np.outer(counts, counts) - met
    across, within = (products - same) / np.maximum(pairs, 1), same / np.maximum(met, 1)
    own = np.eye(len(counts), dtype=np.bool_)
    for kind in (own, ~own):
        both, missing = kind & (pairs > 0) & (met > 0), kind & (pairs == 0)
        across[missing] = within[missing] - ((within - across)[both].mean() if both.any() else 0.0)
    return across


def _freedom(strays: Numbers) -> Numbers:
    """Degrees of freedom of the variances of strays of shape (contrasts, images), by their kurtosis."""
    images = strays.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = np.nan_to_num((strays**4).mean(axis=1) / np.square(np.square(strays).mean(axis=1)), nan=3.0)
    found: Numbers = np.clip(2 * images / np.maximum(kurtosis - 1, 1.0), 1.0, images - 1)
    return found


def _quantile(scaled: Numbers, freedom: Numbers, confidence: float, rng: np.random.Generator) -> float:
    """How far the largest of many differences strays, of images with random weights; 0 where there are none."""
    if len(scaled) < 2:
        return float(special.stdtrit(freedom[0], (1 + confidence) / 2)) if len(scaled) else 0.0
    draws = max(1000, min(_DRAWS, _DRAWN // len(scaled)))
    drawn = rng.standard_normal((draws, scaled.shape[1])) @ scaled.T
    estimated = np.sqrt(rng.chisquare(freedom, drawn.shape) / freedom)
    return float(np.quantile(np.abs(drawn / estimated).max(axis=1), confidence))
