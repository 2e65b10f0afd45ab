"""Augmentation of training images, and of their masks with them: horizontal flips, crops and cutout."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_attn.settings import VOID, Recipe

from .images import Part


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """Random flip, crop and cutout of each image of a part in one epoch.

    Cutout covers a square of each image (DeVries and Taylor, https://arxiv.org/abs/1708.04552).
    """

    mirrored: Tensor
    """bool, (N,)."""
    corners: Tensor
    """int64, (N, 2): top and left of the crop, in pixels of the padded image."""
    padding: int
    """Pixels of black on every side, from which a crop of the image's size is taken."""
    centres: Tensor | None = None
    """float32, (N, 2): centres of the squares, as shares of height and of width, less than 1; None: no cutout."""
    side: int = 0
    """Of the squares, in pixels."""
    colour: Tensor | None = None
    """Of the squares: uint8, (C,)."""

    def to(self, device: torch.device) -> "Augmentation":
        """The same augmentation in the memory of a device."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        moved: dict[str, Any] = {name: one.to(device) for name, one in values.items() if isinstance(one, Tensor)}
        return replace(self, **moved)


def draw_augmentation(part: Part, recipe: Recipe, generator: torch.Generator) -> Augmentation | None:
    """Draw flip (one image in two), crop and cutout (uniform) of every image; None where the recipe has none.

    What is drawn for one of them is the same whether the recipe has the others or not.
    """
    if not recipe.horizontal_flip and not recipe.crop_padding and not recipe.cutout:
        return None
    mirrored = torch.rand(len(part), generator=generator) < (0.5 if recipe.horizontal_flip else 0.0)
    corners = torch.randint(0, 2 * recipe.crop_padding + 1, (len(part), 2), generator=generator)
    if not recipe.cutout:
        return Augmentation(mirrored, corners, recipe.crop_padding)
    centres = torch.rand(len(part), 2, generator=generator)
    return Augmentation(mirrored, corners, recipe.crop_padding, centres, recipe.cutout, part.mean_colour)


def augment(images: Tensor, augmentation: Augmentation, rows: Tensor) -> Tensor:
    """Augment images, uint8 (B, C, H, W), the i-th as row `rows[i]` of the augmentation; shapes stay."""
    cropped = _crop(images, augmentation.corners[rows], augmentation.mirrored[rows], augmentation.padding)
    if augmentation.centres is None or augmentation.colour is None:
        return cropped
    covered = _squares(augmentation.centres[rows], augmentation.side, cropped.shape[2:])
    return torch.where(covered, augmentation.colour[:, None, None], cropped)


def augment_masks(masks: Tensor, augmentation: Augmentation, rows: Tensor) -> Tensor:
    """Crop and mirror masks, uint8 (B, H, W), with their images; padding is void, and cutout covers no mask."""
    places = augmentation.corners[rows], augmentation.mirrored[rows], augmentation.padding
    return _crop(masks[:, None], *places, beyond=VOID)[:, 0]


def _crop(images: Tensor, corners: Tensor, mirrored: Tensor, padding: int, beyond: int = 0) -> Tensor:
    """Crop and mirror by one gather, which touches each pixel once."""
    height, width = images.shape[2:]
    padded = F.pad(images, [padding] * 4, value=beyond)
    across = torch.arange(width, device=images.device)
    ys = corners[:, :1] + torch.arange(height, device=images.device)
    xs = corners[:, 1:] + torch.where(mirrored[:, None], across.flip(0), across)
    pixels = (ys[:, :, None] * padded.shape[3] + xs[:, None, :]).flatten(1)
    found = padded.flatten(2).gather(2, pixels[:, None].expand(-1, images.shape[1], -1))
    return found.view(images.shape)


def _squares(centres: Tensor, side: int, size: torch.Size) -> Tensor:
    """The pixels of images of a size inside the square around each centre: bool, (B, 1, H, W)."""
    inside = []
    for axis, length in enumerate(size):
        first = (centres[:, axis, None] * length).long() - side // 2
        places = torch.arange(length, device=centres.device)
        inside.append((places >= first) & (places < first + side))
    down, across = inside
    return (down[:, :, None] & across[:, None, :])[:, None]
