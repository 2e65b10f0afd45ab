"""Pixels of an image as a viewer shows it, by Pillow and NumPy alone, here and beside an exported network."""

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps


def pixels_of(
    image: Image.Image,
    channels: int,
    size: tuple[int, int] | None,
    background: str = "white",
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> tuple[NDArray[np.uint8], list[str]]:
    """The pixels of an opened image, (C, H, W), as colour (3 channels) or grey (1), and how its own were changed.

    It is squeezed or stretched to `size`, width and height, if there is one. Raises whatever a decoder raises.
    """
    picture, done = _shown(image, background)
    if channels == 3 or picture.mode == "LAB":  # which has no way to grey of its own
        picture = picture.convert("RGB")
    if channels == 1:
        picture = picture.convert("L")
    if size is not None:
        picture = picture.resize(size, resampling)
    pixels = np.asarray(picture, dtype=np.uint8)
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)), done


def _shown(image: Image.Image, background: str) -> tuple[Image.Image, list[str]]:
    """The first frame, upright and without transparent pixels, and the changes made for that."""
    done = []
    if image.format != "MPO" and getattr(image, "is_animated", False):
        done.append("of several frames or pages the first counts")
    turned = orientation(image) in range(2, 9)
    image.load()
    if turned:
        done.append("turned as the EXIF orientation says")
        with suppress(Exception):  # where the rest of the EXIF is damaged, the image is turned already
            ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        if np.asarray(layer.getchannel("A")).min() < 255:
            done.append(f'transparent pixels are laid on background = "{background}"')
        image = Image.alpha_composite(Image.new("RGBA", layer.size, background), layer).convert("RGB")
    return image, done


def orientation(image: Image.Image) -> int:
    """EXIF orientation; 1, which is upright, where there is none that can be read."""
    with suppress(Exception):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1
