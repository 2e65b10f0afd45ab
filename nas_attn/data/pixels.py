"""Decoding of image files into one array of pixels."""

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_attn.space import InputError, reported

from .decoding import pixels_of

Encoded = tuple[str, Path | bytes | Image.Image]
"""Name of an image in messages, and its file, the file's content, or the opened image."""

_LOG = logging.getLogger(__name__)
_DEEP = ("I", "F")
"""First letters of image modes of more than 8 bits a channel."""


def decode(
    images: Iterable[Encoded],
    count: int,
    channels: int,
    image_size: int | None,
    background: str = "white",
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> NDArray[np.uint8]:
    """Decode so many images to (N, C, H, W), as colour (3 channels) or grey (1), as a viewer shows them.

    Images are turned as their EXIF orientation says, transparent pixels laid on `background`, and of several frames the
    first is taken; the log tells once how many are concerned. With `image_size` every image is squeezed or stretched to
    a square of so many pixels a side.

    All pixels lie in memory, and for a moment twice, when they are divided into parts.

    Raises `InputError` for an image that cannot be read, two whose sizes differ, and, before anything is decoded, where
    the memory of the machine, whatever a container or other programs leave of it, does not suffice.
    """
    first, pictures = "", np.empty((0,), dtype=np.uint8)
    counts, concerned = Counter[str](), dict[str, str]()
    for number, (name, content) in enumerate(images):
        picture, done = _decode(name, content, channels, image_size, background, resampling)
        counts.update(done)
        for what in done:
            concerned.setdefault(what, name)
        if not number:
            first, pictures = name, _room(name, count, picture)
        if picture.shape != pictures.shape[1:]:
            raise InputError(
                f"{name} is {size(picture)} pixels, but {first} is {size(pictures)};"
                " images must have one size, or be given one: image_size = 32"
            )
        pictures[number] = picture
    for what, number in counts.items():
        others = f" and {number - 1:,} more" if number > 1 else ""
        _LOG.warning("%s%s: %s", concerned[what], others, what)
    return pictures


def faults_of(
    images: Iterable[Encoded], channels: int, image_size: int | None, background: str = "white"
) -> Iterator[str]:
    """A line for each image that `decode` refuses, where it stops at the first."""
    first, shape = "", None
    for name, content in images:
        try:
            picture, _ = _decode(name, content, channels, image_size, background)
        except InputError as error:
            yield str(error)
            continue
        first, shape = (first, shape) if shape else (name, picture.shape)
        if picture.shape != shape:
            yield f"{name} is {size(picture)} pixels, but {first} is {shape[2]} x {shape[1]}"


def _room(name: str, count: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    needed, there = 2 * count * picture.nbytes, memory_bytes()
    try:
        if needed > there:
            raise MemoryError
        return np.empty((count, *picture.shape), dtype=np.uint8)
    except (MemoryError, ValueError):
        raise InputError(
            f"{name} is {size(picture)} pixels; reading {count:,} of them takes {needed / 2**30:,.1f} GiB of memory,"
            f" and this machine has {there / 2**30:,.1f}; set a limit, or a smaller image_size"
        ) from None


def memory_bytes() -> float:
    """Memory of this machine; infinite where the system does not say."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def size(picture: NDArray[np.uint8]) -> str:
    """Width and height of an image (C, H, W), as people write them: `32 x 24`."""
    return f"{picture.shape[-1]} x {picture.shape[-2]}"


def _decode(
    name: str,
    content: Path | bytes | Image.Image,
    channels: int,
    image_size: int | None,
    background: str,
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> tuple[NDArray[np.uint8], list[str]]:
    """The pixels of an image as a viewer shows them, (C, H, W), and how its own were changed for that."""
    # decoders stumble over broken files in any way
    with reported(f"{name}: cannot be read as an image", Exception), opened(content) as image:
        if image.mode.startswith(_DEEP):
            raise InputError(f"{name}: has more than 8 bits a channel; save it with 8")
        side = None if image_size is None else (image_size, image_size)
        return pixels_of(image, channels, side, background, resampling)


def opened(content: Path | bytes | Image.Image) -> Image.Image:
    """The image of a file, of its content, or itself, not decoded yet."""
    if isinstance(content, Image.Image):
        return content
    return Image.open(BytesIO(content) if isinstance(content, bytes) else content)
