"""Which validation images a network gets right that the plain backbone gets wrong, and the other way round."""

import base64
import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Outcomes
from nas_attn.settings import check_format, sealed, unsealed
from nas_attn.space import InputError, write_whole

THUMBNAILS = "verdict_images.json"
"""The file in a study's folder with small pictures of the images that changed most."""

_MOST = 6
"""How many images of each kind are shown."""
_NEWEST = 1
_LOG = logging.getLogger(__name__)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image that a network gets right with more seeds, or fewer, than the plain backbone with the same seeds."""

    number: int
    """Its place in the validation part, or in that of the first seed, then of the next, counted from 0."""
    label: int
    """The index of its class."""
    plain: int
    """With how many seeds the plain backbone is right."""
    other: int
    """With how many seeds the network is."""
    seeds: int
    """With how many seeds it validated."""


@dataclass(frozen=True, slots=True)
class ChangedImages:
    """The images that change most between the plain backbone and a network, over the seeds that both have."""

    key: str
    seeds: int
    count: int
    """How many images validate."""
    better: int
    """How many images the network gets right with more seeds."""
    worse: int
    """How many with fewer."""
    most: tuple[ChangedImage, ...]
    """At most six that are better, the most changed first, then at most six that are worse."""
    folds: tuple[str, ...]
    """The SHA-256 of the images of each fold, in the order of their numbers; one where all seeds share them."""

    @property
    def images(self) -> str:
        """The SHA-256 of which images these are."""
        return self.folds[0] if len(self.folds) == 1 else hashlib.sha256(" ".join(self.folds).encode()).hexdigest()


def changed_images(outcomes: Mapping[tuple[str, int], Outcomes], plain: str, key: str) -> ChangedImages | None:
    """What changes from the plain backbone to a network; None where it is not known which images are right.

    Among images that change by as many seeds, those come first whose loss changes most.
    """
    seeds = sorted({seed for one, seed in outcomes if one == key} & {seed for one, seed in outcomes if one == plain})
    pairs = [(outcomes[plain, seed], outcomes[key, seed]) for seed in seeds]
    if not pairs or any("accuracy" not in one.values or not len(one.classes) for both in pairs for one in both):
        return None
    folds: dict[str, list[tuple[Outcomes, Outcomes]]] = {}
    for pair in pairs:
        folds.setdefault(pair[0].images, []).append(pair)
    found = zip(*map(_changes, folds.values()), strict=True)
    classes, plainly, rightly, easier, validated = map(np.concatenate, found)
    change = rightly - plainly
    order = np.lexsort((-np.abs(easier), -np.abs(change / validated)))
    better, worse = (order[sign * change[order] > 0] for sign in (1, -1))
    most = tuple(
        ChangedImage(number, *(int(of[number]) for of in (classes, plainly, rightly, validated)))
        for number in [*better[:_MOST].tolist(), *worse[:_MOST].tolist()]
    )
    return ChangedImages(key, len(seeds), len(classes), len(better), len(worse), most, tuple(folds))


def _changes(pairs: Sequence[tuple[Outcomes, Outcomes]]) -> tuple[NDArray[Any], ...]:
    """Pairs of trainings that have their images in common, image by image, in arrays of shape (images,).

    Classes, how often the first and how often the second of a pair is right, how much less the second loses, and pairs.
    """
    right = np.array([[one.values["accuracy"] for one in both] for both in pairs], dtype=np.int64).sum(axis=0)
    lost = [[one.values.get("loss", 0.0 * one.classes) for one in both] for both in pairs]
    easier = np.subtract(*np.array(lost, dtype=np.float64).mean(axis=0))
    return pairs[0][0].classes, *right, easier, np.full(len(easier), len(pairs))


def write_thumbnails(folder: Path, images: str, pngs: Mapping[int, bytes]) -> None:
    """Write small pictures of validation images, by their numbers, whole or not at all."""
    pictures = {str(number): base64.b64encode(png).decode() for number, png in pngs.items()}
    stored = {"format_version": _NEWEST, "images": images, "png": pictures}
    write_whole(folder / THUMBNAILS, json.dumps(sealed(stored)).encode())


def read_thumbnails(folder: Path, images: str, numbers: Sequence[int]) -> Mapping[int, str]:
    """The pictures of these images, PNG in base64, as far as they are there and of these images."""
    try:
        stored = unsealed(json.loads((folder / THUMBNAILS).read_bytes()))
        check_format(stored["format_version"], _NEWEST, THUMBNAILS)
        pictures = stored["png"] if stored["images"] == images else {}
        found = {number: pictures[str(number)] for number in numbers if str(number) in pictures}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, InputError) as error:
        _LOG.warning(
            "%s: is damaged, so no picture is shown; a verdict writes it again: %s", folder / THUMBNAILS, error
        )
        return {}
    return {number: png for number, png in found.items() if isinstance(png, str) and _BASE64.fullmatch(png)}
