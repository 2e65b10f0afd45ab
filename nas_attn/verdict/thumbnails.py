"""Small pictures of the validation images that changed most, from the images of a study that is open."""

import io

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
    part = chain.task.data.validation if isinstance(chain.task, ImageTask) else None
    if changed is None or not isinstance(part, Part):
        return
    if images_digest(part.digest, part.labels.cpu().numpy()) == changed.images:
        pngs = {one.number: thumbnail(part.images[one.number]) for one in changed.most}
        write_thumbnails(chain.folder.path, changed.images, pngs)


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
