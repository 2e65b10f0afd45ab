"""From the bytes of image files to one array of pixels."""

import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_attn.space import InputError

Encoded = tuple[str, Path | bytes]
"""What an image is called in a message, and its file or the file's content."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def decode(images: Iterable[Encoded], channels: int, image_size: int | None) -> NDArray[np.uint8]:
    """Decode images to (N, C, H, W), as colour (3 channels) or grey (1).

    With `image_size` every image is squeezed or stretched to a square of so many pixels a side.

    Raises `InputError` that names the image which cannot be read, or two whose sizes differ.
    """
    pictures: list[NDArray[np.uint8]] = []
    first = ""
    for name, content in images:
        picture = _decode(name, content, channels, image_size)
        first = first or name
        if pictures and picture.shape != pictures[0].shape:
            raise InputError(
                f"{name} is {size(picture)} pixels, but {first} is {size(pictures[0])};"
                " images must have one size, or be given one: image_size = 32"
            )
        pictures.append(picture)
    return np.stack(pictures)


def size(picture: NDArray[np.uint8]) -> str:
    """Width and height of an image (C, H, W), as people write them: `32 x 24`."""
    return f"{picture.shape[-1]} x {picture.shape[-2]}"


def _decode(name: str, content: Path | bytes, channels: int, image_size: int | None) -> NDArray[np.uint8]:
    try:
        with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
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
