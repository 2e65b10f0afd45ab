"""Strata of a gallery: what its images are divided by, so that each part has its share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .gallery import Gallery

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Strata:
    """Sets of images, each of which is divided by itself."""

    names: tuple[str, ...]
    of: NDArray[np.int64]
    """(N,); the index of a name for each image."""
    needed: bool
    """Whether each has to be in every part."""


def strata_of(gallery: Gallery, least: int) -> Strata:
    """The classes; of several labels an image, the rarest that it has; of masks and values, one stratum of all.

    A label that would have fewer than the least images is none: its images go by their next rarest.
    """
    if gallery.task == "classification":
        return Strata(gallery.class_names, gallery.labels, needed=True)
    if gallery.task != "multilabel":
        return Strata(("all",), np.zeros(len(gallery.labels), dtype=np.int64), needed=False)
    has, counts = gallery.labels > 0, gallery.labels.sum(0, dtype=np.int64)
    kept, rest = np.ones(has.shape[1], dtype=bool), has.shape[1]
    while True:
        frequency = np.where(has & kept, counts, len(has) + 1)
        of = np.where((has & kept).any(1), frequency.argmin(1), rest).astype(np.int64)
        sizes = np.bincount(of, minlength=rest + 1)
        small = kept & (sizes[:rest] < least) & (sizes[:rest] > 0)
        if not small.any():
            break
        kept &= ~small
    if 0 < sizes[rest] < least:
        of[of == rest] = int(sizes[:rest].argmax()) if kept.any() and sizes[:rest].any() else rest
    present, numbered = np.unique(of, return_inverse=True)
    names = (*gallery.class_names, "")
    return Strata(tuple(names[number] for number in present), numbered.astype(np.int64), needed=False)
