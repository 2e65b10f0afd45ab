"""Differences as they hold for other images too, and whether seeds or images leave more of them open."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Kept, Outcomes
from nas_attn.settings import Measure, listed
from nas_attn.statistics import image_records, image_variance

from .comparison import Comparison
from .difference import Difference
from .widened import for_other_images


@dataclass(frozen=True, slots=True)
class OtherImages:
    """What is known of a gain for other images than those that validated it."""

    difference: Difference
    """With an interval that holds for other seeds and other images."""
    count: int
    """How many images validated it."""
    share: float = 1.0
    """Of the folds that have validated."""

    @property
    def images(self) -> float:
        """How far the interval reaches because of the images."""
        return self.difference.images

    @property
    def seeds(self) -> float:
        """How far it reaches because of the seeds; both together as the root of the sum of their squares."""
        return self.difference.seeds

    @property
    def sure(self) -> bool:
        """Whether the gain is distinguished from 0 for other images too."""
        return self.difference.gain.positive or self.difference.gain.negative

    @property
    def needed(self) -> float:
        """How many validation images would just show a gain of this size, with as many seeds; infinite where none."""
        left = self.difference.gain.value**2 - self.seeds**2
        return math.ceil(self.count * self.images**2 / left) if left > 0 else math.inf

    def sentence(self, judged: Measure, title: str) -> str:
        """The gain of a network with its interval, what leaves more of it open, and what would therefore help."""
        gain = self.difference.gain
        value, low, high = map(judged.difference, (gain.value, gain.low, gain.high))
        seeds, images = (judged.difference(reach, signed=False) for reach in (self.seeds, self.images))
        return (
            f"For other images than these {self.count:,} too, {title} gains {value} {judged.gain} ({low} to {high}) "
            f"over the plain backbone: other seeds may change that by {f'{seeds} {judged.points}'.strip()}, other "
            f"validation images by {images}. {self._cure}"
        )

    @property
    def _cure(self) -> str:
        size, missing = abs(self.difference.gain.value), self.difference.missing
        if self.share < 1:
            return "More seeds would help, with which other images validate."
        if not self.sure and min(self.seeds, self.images) >= size:
            return "Neither more seeds alone nor more validation images alone would show a gain of this size."
        enough = ""
        if self.images < self.seeds:
            if not self.sure and missing < math.inf:
                enough = f": about {max(missing, 1.1):.2g} times as many would just show a gain of this size"
            return f"More seeds would help{enough}; more validation images would not help much."
        if not self.sure and self.needed < math.inf:
            about = round(self.needed, 2 - len(str(self.needed)))
            enough = f": about {about:,} would just show a gain of this size"
        return f"More seeds will not help; more validation images would{enough}."


def over_images(
    found: Comparison, outcomes: Mapping[tuple[str, int], Outcomes], folds: int = 1
) -> Mapping[str, OtherImages]:
    """By key, what holds for other images of each network with attention against the plain backbone.

    Their family is that of these networks. A network of which no image is known by the measure is left out.
    """
    keys, judged = [row.key for row in found.trainings.networks], found.measure.name
    records = image_records(keys, outcomes, judged, folds)
    if records is None or found.plain is None or not found.networks:
        return {}
    wide = found.networks
    if not any(single.images for single in wide):
        one = np.eye(len(keys))
        weights = one[[keys.index(single.what) for single in wide]] - one[found.plain]
        wide = for_other_images(wide, image_variance(records, weights))
    known = {keys[number] for number in records.who}
    return {
        single.what: OtherImages(single, records.images, records.share)
        for single in wide
        if math.isfinite(single.gain.high) and {single.what, keys[found.plain]} <= known
    }


def images_said(found: Comparison, kept: Kept) -> Iterator[str]:
    """What holds for other images, of the most promising network or the first, and which files do not count."""
    if kept.said:
        yield kept.said
    if not found.order or found.freedom < 1:
        return
    if kept.folds > 1 and kept.found:
        yield _in_turn(kept)
    number = found.order[0] if found.leader is None else found.leader
    key, parts = found.trainings.networks[number].key, listed(found.parts[number])
    if (one := over_images(found, kept.found, kept.folds).get(key)) is not None:
        yield one.sentence(found.measure, f"{key} ({parts})")
    else:
        known = not kept.found or any(found.measure.name in one.values for one in kept.found.values())
        why = "what each of them got was not kept" if known else f"{found.measure.word} is not known image by image"
        yield f"All intervals hold for these validation images only: {why}."


def _in_turn(kept: Kept) -> str:
    """How many images have validated, of how many folds."""
    sizes = {one.images: len(one) for one in kept.found.values()}
    images = f"{sum(sizes.values()):,} images"
    if len(sizes) == kept.folds:
        return (
            f"{kept.folds} folds validate in turn, one with each seed: {images} judge, which are all but the test part."
        )
    return (
        f"{len(sizes)} of {kept.folds} folds have validated, one with each seed: {images} judge so far, and more with "
        "further seeds."
    )
