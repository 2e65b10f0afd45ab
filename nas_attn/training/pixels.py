"""From the bytes of image files to one array of pixels."""

import math
import os
import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_attn.space import InputError

Encoded = tuple[str, Path | bytes | Image.Image]
"""What an image is called in a message, and its file, the file's content, or the image already opened."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def decode(images: Iterable[Encoded], count: int, channels: int, image_size: int | None) -> NDArray[np.uint8]:
    """Decode so many images to (N, C, H, W), as colour (3 channels) or grey (1).

    With `image_size` every image is squeezed or stretched to a square of so many pixels a side.

    All pixels lie in memory, and for a moment twice, when they are divided into parts. What would not fit is refused
    before it is decoded, by the memory that the machine has: a smaller share that a container or other programs leave
    is not seen.

    Raises `InputError` that names the image which cannot be read, or two whose sizes differ, or says how much memory is
    needed.
    """
    first, pictures = "", np.empty((0,), dtype=np.uint8)
    for number, (name, content) in enumerate(images):
        picture = _decode(name, content, channels, image_size)
        if not number:
            first, pictures = name, _room(name, count, picture)
        if picture.shape != pictures.shape[1:]:
            raise InputError(
                f"{name} is {size(picture)} pixels, but {first} is {size(pictures)};"
                " images must have one size, or be given one: image_size = 32"
            )
        pictures[number] = picture
    return pictures


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
    """The memory of this machine; without end where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def size(picture: NDArray[np.uint8]) -> str:
    """Width and height of an image (C, H, W), as people write them: `32 x 24`."""
    return f"{picture.shape[-1]} x {picture.shape[-2]}"


def _decode(name: str, content: Path | bytes | Image.Image, channels: int, image_size: int | None) -> NDArray[np.uint8]:
    try:
        with _opened(content) as image:
            mode = image.mode
            plain = image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image
            picture = plain.convert("RGB" if channels == 3 else "L")
        if image_size is not None:
            picture = picture.resize((image_size, image_size), Image.Resampling.BILINEAR)
    except _UNREADABLE as error:
        raise InputError(f"{name}: cannot be read as an image: {error}") from None
    if mode.startswith(("I", "F")):
        raise InputError(f"{name}: has more than 8 bits a channel; save it with 8")
    pixels = np.asarray(picture, dtype=np.uint8)
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1))


def _opened(content: Path | bytes | Image.Image) -> Image.Image:
    if isinstance(content, Image.Image):
        return content
    return Image.open(BytesIO(content) if isinstance(content, bytes) else content)
