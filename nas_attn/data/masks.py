"""Masks of images: a class for each pixel, as a file's own numbers."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_attn.settings import VOID, ImageFolder, Parquet
from nas_attn.space import InputError, reported

from .decoding import orientation
from .gallery import Gallery, Rows
from .pixels import Encoded, decode, opened

_LOG = logging.getLogger(__name__)
_NEARLY = 16  # levels by which a JPEG may miss black and white
_MOST_GREY = 0.1  # share of a JPEG's pixels between them, at edges
_BLACK_AND_WHITE = {0, 255}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images with a mask each, not decoded yet."""

    gallery: Gallery
    """The images, without classes."""
    images: Callable[[Rows], Iterable[Encoded]]
    masks: Callable[[Rows], Iterable[Encoded]]


@dataclass(eq=False)
class _Survey:
    """What is in all masks of a part."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Width and height of each."""
    levels: set[int] = field(default_factory=set)
    """Numbers of pixels in files of more than one bit."""
    bits: set[int] = field(default_factory=set)
    """Those in files of one bit."""
    void: int = 0
    """Pixels of 255."""
    digests: list[int] = field(default_factory=list)
    """Of the numbers of each."""
    done: Counter[str] = field(default_factory=Counter)
    """How masks were changed, in words, and how many."""

    @property
    def two_tone(self) -> bool:
        """Whether masks are black and white."""
        return self.levels <= _BLACK_AND_WHITE and 255 in self.levels


def with_masks(parts: Mapping[str, Pairs], source: ImageFolder | Parquet) -> dict[str, Gallery]:
    """The images of each part with their masks, after one pass over all masks, which tells the classes.

    Masks of nothing but 0 and 255, in all parts, have two classes; else 255 is void. Classes go up to the highest
    number of a part, unless they have names.

    Raises `InputError` for a mask that is no map of numbers, has another size than its image, or a class without name.
    """
    surveys = {role: _survey(pairs.masks(_all(pairs))) for role, pairs in parts.items()}
    two_tone = all(one.levels <= _BLACK_AND_WHITE for one in surveys.values()) and any(
        one.two_tone for one in surveys.values()
    )
    for role, survey in surveys.items():
        _report(parts[role].gallery.where, survey, two_tone)
    return {role: _with_masks(pairs, surveys[role], two_tone, source) for role, pairs in parts.items()}


def _all(pairs: Pairs) -> Rows:
    return np.arange(len(pairs.gallery.labels), dtype=np.int64)


def _with_masks(pairs: Pairs, survey: _Survey, two_tone: bool, source: ImageFolder | Parquet) -> Gallery:
    where = pairs.gallery.where
    found = {0, 1} if two_tone else (survey.levels - {VOID}) | survey.bits
    names = source.class_names or tuple(map(str, range(1 + max(found, default=-1))))
    if not found:
        raise InputError(f"{where}: every pixel of every mask is {VOID}, which is no class")
    if max(found) >= len(names):
        raise InputError(
            f"{where}: masks hold {_listed(found)}, but there are {len(names)} class_names, for 0 to {len(names) - 1}"
        )
    if not source.class_names and len(found) < len(names) / 2:
        raise InputError(
            f"{where}: masks hold {_listed(survey.levels | survey.bits)} alone, as if they were levels of grey;"
            f" allowed: class numbers from 0, {VOID} for none; save them so, or name all {len(names)} in class_names"
        )
    if absent := sorted({*range(len(names))} - found):
        _LOG.warning("%s: no pixel of a mask is of %s", where, ", ".join(names[one] for one in absent[:5]))

    def images(rows: Rows) -> NDArray[np.uint8]:
        named = _of_their_size(pairs, rows, survey.sizes)
        return decode(named, len(rows), source.channels, source.image_size, source.background)

    def masks(rows: Rows) -> NDArray[np.uint8]:
        numbers = ((name, Image.fromarray(_classes(content, two_tone, name))) for name, content in pairs.masks(rows))
        return decode(numbers, len(rows), 1, source.image_size, resampling=Image.Resampling.NEAREST)[:, 0]

    digests = np.array(survey.digests, dtype=np.uint64)
    return replace(pairs.gallery, class_names=names, decode=images, masks=masks, mask_digests=digests)


def _of_their_size(pairs: Pairs, rows: Rows, sizes: list[tuple[int, int]]) -> Iterator[Encoded]:
    """The images; raises `InputError` for one of another size than its mask."""
    for row, (name, content) in zip(rows.tolist(), pairs.images(rows), strict=True):
        with reported(f"{name}: cannot be read as an image", Exception), opened(content) as image:
            size, turned = _upright_size(image)
            if size != sizes[row]:
                here, there = ("{} x {}".format(*one) for one in (size, sizes[row]))
                cause = ", after its EXIF orientation has turned it" if turned else ""
                raise InputError(f"{name} is {here} pixels{cause}, but its mask is {there}; they must have one size")
        yield name, content


def _upright_size(image: Image.Image) -> tuple[tuple[int, int], bool]:
    turned = orientation(image) in range(5, 9)
    return (image.size[::-1] if turned else image.size), turned


def _survey(masks: Iterable[Encoded]) -> _Survey:
    survey = _Survey()
    for name, content in masks:
        numbers, one_bit, done = _numbers(name, content)
        levels = np.bincount(numbers.ravel(), minlength=256)
        survey.sizes.append((numbers.shape[1], numbers.shape[0]))
        (survey.bits if one_bit else survey.levels).update(np.flatnonzero(levels).tolist())
        survey.digests.append(int.from_bytes(blake2b(numbers.tobytes(), digest_size=8).digest()))
        survey.void += int(levels[VOID])
        survey.done.update(done)
    return survey


def _classes(content: Any, two_tone: bool, name: str) -> NDArray[np.uint8]:
    numbers, one_bit, _ = _numbers(name, content)
    return numbers // 255 if two_tone and not one_bit else numbers


def _numbers(name: str, content: Any) -> tuple[NDArray[np.uint8], bool, list[str]]:
    """The numbers of a mask's pixels, whether it has one bit, and what was done to read them."""
    with reported(f"{name}: cannot be read as a mask", Exception), opened(content) as image:
        mode, lossy = image.mode, image.format in ("JPEG", "MPO")
        pixels = _of_greys(image) if image.format == "GIF" and mode == "P" else np.asarray(image)
    done: list[str] = []
    if pixels.ndim == 3:
        pixels, done = _one_channel(name, mode, pixels, 2 * _NEARLY if lossy else 0)
    if not 0 <= pixels.min() <= pixels.max() <= VOID or bool((pixels != pixels.astype(np.int64)).any()):
        found = f"numbers from {pixels.min():g} to {pixels.max():g}"
        raise InputError(f"{name}: has {found}; allowed: whole ones from 0 to {VOID}")
    pixels = pixels.astype(np.uint8)
    if lossy:
        grey = np.mean((pixels >= _NEARLY) & (pixels <= VOID - _NEARLY))
        if grey > _MOST_GREY:
            what = f"{len(np.unique(pixels))} levels, for JPEG blurs the numbers"
            raise InputError(f"{name}: has {what}; save masks as PNG")
        pixels = np.where(pixels < 128, 0, 255).astype(np.uint8)
        done.append("JPEG: every level counts as the nearer of black and white")
    return pixels, mode == "1", done


def _of_greys(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a GIF: its greys where it has no colours, for they are numbered anew in it; else as they are."""
    numbers = np.asarray(image)
    greys = np.reshape(image.getpalette() or [], (-1, 3)).astype(np.uint8)
    used = greys[np.unique(numbers)]
    return greys[numbers, 0] if bool((used == used[:, :1]).all()) else numbers


def _one_channel(name: str, mode: str, pixels: NDArray[Any], blur: int) -> tuple[NDArray[Any], list[str]]:
    """The one channel of a mask that was saved as if it had colours; raises `InputError` where they differ by more."""
    colours = pixels.shape[2] - (mode in ("LA", "PA", "RGBA", "La", "RGBa"))
    grey = mode in ("L", "LA", "RGB", "RGBA") and bool((np.ptp(pixels[..., :colours], axis=-1) <= blur).all())
    opaque = colours == pixels.shape[2] or bool((pixels[..., -1] == 255).all())
    if grey and opaque:
        return pixels[..., 0], ["of three equal channels the first counts"] if colours > 1 else []
    number = len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0))
    what = f"{number} colours" if opaque else f"{number} colours, some of them transparent"
    raise InputError(
        f"{name}: has {what} ({mode}); allowed: one channel with a class number for each pixel; save it so"
    )


def _report(where: str, survey: _Survey, two_tone: bool) -> None:
    for what, number in survey.done.items():
        _LOG.warning("%s: %d masks: %s", where, number, what)
    if two_tone:
        _LOG.warning("%s: masks hold nothing but 0 and 255, which are classes 0 and 1", where)
    elif survey.void:
        share = survey.void / sum(width * height for width, height in survey.sizes)
        _LOG.warning("%s: %.3g %% of all pixels of masks are %d, and do not count", where, 100 * share, VOID)


def _listed(numbers: set[int]) -> str:
    few = sorted(numbers)
    return ", ".join(map(str, few if len(few) <= 8 else [*few[:4], "...", *few[-3:]]))
