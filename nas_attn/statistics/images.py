"""Variance of differences that comes from which images validate, beside that of seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nas_attn.results import Outcomes

from .rank_correlation import Numbers
from .turns import Turns

_DRAWS, _DRAWN = 4000, 3_000_000
"""How many times images are drawn to find how far the largest of many differences strays, and numbers in all."""


@dataclass(frozen=True, eq=False, slots=True)
class FoldRecords:
    """What each image of one fold got in trainings of networks with seeds; all of them have the same images."""

    values: NDArray[np.floating]
    """Of one measure, which is their mean over the images, shape (trainings, images)."""
    who: NDArray[np.intp]
    """Which network each training is of."""
    when: NDArray[np.intp]
    """Which seed it had."""

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.values[0])


@dataclass(frozen=True, eq=False, slots=True)
class ImageRecords:
    """What each image got in trainings of networks with seeds."""

    folds: tuple[FoldRecords, ...]
    """Of images that have none in common; one where the same images validate with every seed."""
    networks: int
    """How many networks there are; one without trainings here has no place in `who`."""
    share: float = 1.0
    """Of the folds of which a training is known; more seeds have the others judge."""

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(fold.images for fold in self.folds)

    @property
    def who(self) -> NDArray[np.intp]:
        """Which network each training is of, fold by fold."""
        return np.concatenate([fold.who for fold in self.folds])


def image_records(
    keys: Sequence[str], found: Mapping[tuple[str, int], Outcomes], name: str, folds: int = 1
) -> ImageRecords | None:
    """What each image got by a measure in the trainings of these networks, in their order, where folds validate.

    None where no training says it, or a fold has fewer than two images.
    """
    numbers = {key: number for number, key in enumerate(keys)}
    had: dict[str, list[tuple[int, int, NDArray[Any]]]] = {}
    for (key, seed), one in sorted(found.items(), key=lambda item: item[0][1]) if folds > 1 else found.items():
        if key in numbers and name in one.values:
            had.setdefault(one.images, []).append((numbers[key], seed, one.values[name]))
    if not had or min(len(values) for some in had.values() for *_, values in some) < 2:
        return None
    records = []
    for some in had.values():
        who, when, values = zip(*some, strict=True)
        dtype = np.float32 if values[0].dtype == np.bool_ else np.float64
        records.append(FoldRecords(np.array(values, dtype=dtype), np.array(who), np.array(when)))
    return ImageRecords(tuple(records), len(keys), min(1.0, len(records) / folds))


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
    contained: Numbers
    """How much of each variance the noise of seeds has in it already, as they differ in images, shape (contrasts,)."""
    share: float = 1.0
    """Of the folds that have judged."""

    def __getitem__(self, part: slice) -> "ImageVariance":
        """Some of the contrasts; the quantile stays that of all."""
        some = self.variances[part], self.freedom[part], self.quantile, self.images, self.contained[part]
        return ImageVariance(*some, self.share)


def image_variance(records: ImageRecords, weights: Numbers, confidence: float = 0.95, seed: int = 0) -> ImageVariance:
    """The variance by the draw of images, of contrasts of networks of shape (contrasts, networks); rows sum to 0.

    What an image gets is the sum of effects of network, seed and image, of all their pairs, and of noise; images and
    seeds are random, networks are not. Then what two networks share over the images in trainings of different seeds is
    what their image effects share: an unbiased estimator, which for a difference of two networks with the same seeds is
    that of the two-way analysis of variance, (MS images - MS rest) / seeds (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 4). It is clipped at 0. From a network with one seed the mean noise of the others is taken
    off; where all have one, noise counts as the images' too.

    Where folds validate in turn, image effects are what trainings share whose seeds have a fold in common, and each
    image counts as much as the trainings that it judged. What seeds differ in then has its images in it.

    Degrees of freedom are Satterthwaite's, with the kurtosis that the images show.
    """
    used = np.flatnonzero((weights != 0).any(axis=0)) if len(records.folds) == 1 else np.arange(records.networks)
    kept, folds = weights[:, used], [_Fold.of(fold, used) for fold in records.folds]
    counts = np.sum([fold.counts for fold in folds], axis=0, dtype=np.intp)
    known = ~(kept[:, counts == 0] != 0).any(axis=1)
    shared, parts, contained = _shared(folds), [kept], np.zeros(len(kept))
    if len(folds) > 1:
        turns = _turns(folds)
        parts, contained = turns.parts(kept), turns.contained(kept, shared)
    pairs = [*zip(folds, parts, strict=True)]
    variances = np.sum([((part @ shared) * part).sum(axis=1) / fold.images for fold, part in pairs], axis=0).clip(0)
    strays = np.concatenate([part @ fold.means / np.sqrt(fold.images * (fold.images - 1)) for fold, part in pairs], 1)
    total, of_total = np.square(strays).sum(axis=1), _freedom(strays)
    trainings = sum(len(fold.who) for fold in folds)
    least = np.where(kept != 0, counts, trainings).min(axis=1, initial=trainings)
    of_noise = of_total * np.maximum(least - len(folds), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = total**2 / of_total + np.square(total - variances) / of_noise
        freedom = np.maximum(np.nan_to_num(variances**2 / spread, nan=1.0), 1.0)
    clear = known & (variances > 0)
    scaled = strays[clear] / np.sqrt(total[clear])[:, None]
    quantile = _quantile(scaled, of_total[clear], confidence, np.random.default_rng(seed))
    whole = np.where(known, variances, np.nan)
    return ImageVariance(whole, freedom, quantile, records.images, np.minimum(contained, variances), records.share)


@dataclass(frozen=True, eq=False, slots=True)
class _Fold:
    """The trainings of some networks that a fold has judged."""

    centred: NDArray[np.floating]
    """What each image got beyond the mean over the images, shape (trainings, images)."""
    who: NDArray[np.intp]
    when: NDArray[np.intp]
    sums: NDArray[np.floating]
    """Of each network's trainings, shape (networks, images)."""
    counts: NDArray[np.intp]
    """How many trainings each network has, shape (networks,)."""

    @classmethod
    def of(cls, fold: FoldRecords, used: NDArray[np.intp]) -> "_Fold":
        rows = np.flatnonzero(np.isin(fold.who, used))
        values, who = fold.values[rows], np.searchsorted(used, fold.who[rows])
        centred = values - values.mean(axis=1, keepdims=True)
        sums = np.zeros((len(used), fold.images), dtype=values.dtype)
        np.add.at(sums, who, centred)
        return cls(centred, who, fold.when[rows], sums, np.bincount(who, minlength=len(used)))

    @property
    def images(self) -> int:
        return int(self.sums.shape[1])

    @property
    def means(self) -> NDArray[np.floating]:
        """Of each network's trainings, shape (networks, images); 0 where there is none."""
        return self.sums / np.maximum(self.counts, 1)[:, None]


def _turns(folds: Sequence[_Fold]) -> Turns:
    seeds = np.unique(np.concatenate([fold.when for fold in folds]))
    met = np.zeros((len(folds), len(folds[0].counts), len(seeds)))
    for place, fold in enumerate(folds):
        met[place, fold.who, np.searchsorted(seeds, fold.when)] = 1
    return Turns(met, [fold.images for fold in folds])


def _shared(folds: Sequence[_Fold]) -> Numbers:
    """Covariance over images of two networks in different seeds, the mean over such pairs of trainings of one fold.

    Where there is no such pair, over those of one seed, less what a seed adds to them on average.
    """
    networks = len(folds[0].counts)
    across, within, pairs, met = (np.zeros((networks, networks)) for _ in range(4))
    for fold in folds:
        products, same, alike = (fold.sums @ fold.sums.T).astype(np.float64), np.zeros_like(met), np.zeros_like(met)
        for seed in np.unique(fold.when):
            rows = np.flatnonzero(fold.when == seed)
            places = np.ix_(fold.who[rows], fold.who[rows])
            same[places] += fold.centred[rows] @ fold.centred[rows].T
            alike[places] += 1
        across += (products - same) / (fold.images - 1)
        within += same / (fold.images - 1)
        pairs += np.outer(fold.counts, fold.counts) - alike
        met += alike
    across, within = across / np.maximum(pairs, 1), within / np.maximum(met, 1)
    own = np.eye(networks, dtype=np.bool_)
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
