"""Small pictures of the validation images that changed most, from the images of a study that is open."""

import io
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from nas_attn.chain import Chain
from nas_attn.data import Part
from nas_attn.results import images_digest
from nas_attn.tasks import ImageTask

from .changed_images import write_thumbnails
from .conclusion import Conclusion

_SIDE = 96
"""Pixels of the longer side at most."""


def keep_thumbnails(chain: Chain, conclusion: Conclusion) -> None:
    """Write pictures of the images that a conclusion shows, where they are in memory; whole or not at all."""
    changed = conclusion.changed
    data = chain.task.data if isinstance(chain.task, ImageTask) else None
    if changed is None or data is None:
        return
    judging = [one.validation for one in data.folds] if data.folds else [data.validation]
    known = {images_digest(part.digest, part.labels.cpu().numpy()): part for part in judging if isinstance(part, Part)}
    if known.keys() >= {*changed.folds}:
        parts = [known[digest] for digest in changed.folds]
        pngs = {one.number: thumbnail(_image(parts, one.number)) for one in changed.most}
        write_thumbnails(chain.folder.path, changed.images, pngs)


def _image(parts: Sequence[Part], number: int) -> Tensor:
    """The image of this number, of one part after the other."""
    for part in parts:
        if number < len(part):
            break
        number -= len(part)
    return part.images[number]


def thumbnail(image: Tensor) -> bytes:
    """An image (C, H, W), uint8, as a PNG of at most 96 pixels a side: grey or colour, of other channels their mean."""
    pixels = image.cpu()
    if len(pixels) not in (1, 3):
        pixels = pixels.float().mean(0, keepdim=True).to(pixels.dtype)
    array = pixels.permute(1, 2, 0).numpy()
    made = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    made.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    made.save(content, "PNG")
    return content.getvalue()
