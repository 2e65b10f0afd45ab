"""Training images mirrored, shifted and blotted, each in its own way."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_attn.settings import Recipe

from .images import Part


@dataclass(frozen=True, slots=True, eq=False)
class Blots:
    """Squares of one colour, one an image."""

    centres: Tensor
    """float32, (N, 2): where the centre is, as a share of height and of width, less than 1."""
    side: int
    """In pixels."""
    colour: Tensor
    """uint8, (C,)."""

    def to(self, device: torch.device) -> "Blots":
        """The same blots in the memory of a device."""
        return Blots(self.centres.to(device), self.side, self.colour.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """What is done to each image of a part in one epoch."""

    mirrored: Tensor
    """bool, (N,)."""
    corners: Tensor
    """int64, (N, 2): top and left of the crop, in pixels of the padded image."""
    padding: int
    """Pixels of black on every side, from which a crop of the image's size is taken."""
    blots: Blots | None = None

    def to(self, device: torch.device) -> "Augmentation":
        """The same augmentation in the memory of a device."""
        blots = self.blots and self.blots.to(device)
        return Augmentation(self.mirrored.to(device), self.corners.to(device), self.padding, blots)


def draw_augmentation(part: Part, recipe: Recipe, generator: torch.Generator) -> Augmentation | None:
    """Draw mirroring (one image in two), crop and blot (uniform) of every image; None where the recipe asks for none.

    What is drawn for one of them is the same whether the recipe asks for the others or not.
    """
    if not recipe.horizontal_flip and not recipe.crop_padding and not recipe.cutout:
        return None
    mirrored = torch.rand(len(part), generator=generator) < (0.5 if recipe.horizontal_flip else 0.0)
    corners = torch.randint(0, 2 * recipe.crop_padding + 1, (len(part), 2), generator=generator)
    if not recipe.cutout:
        return Augmentation(mirrored, corners, recipe.crop_padding)
    centres = torch.rand(len(part), 2, generator=generator)
    return Augmentation(mirrored, corners, recipe.crop_padding, Blots(centres, recipe.cutout, part.mean_colour))


def augment(images: Tensor, augmentation: Augmentation, rows: Tensor) -> Tensor:
    """Mirror, crop and blot images, uint8 (B, C, H, W), the i-th as the augmentation says of row `rows[i]`.

    The shape stays. A blot ends where the image ends: the cutout of DeVries and Taylor
    (https://arxiv.org/abs/1708.04552).
    """
    cropped = _crop(images, augmentation.corners[rows], augmentation.mirrored[rows], augmentation.padding)
    blots = augmentation.blots
    if blots is None:
        return cropped
    blotted = _squares(blots.centres[rows], blots.side, cropped.shape[2:])
    return torch.where(blotted, blots.colour[:, None, None], cropped)


def _crop(images: Tensor, corners: Tensor, mirrored: Tensor, padding: int) -> Tensor:
    """Crop and mirror in one look-up, which touches each pixel once."""
    height, width = images.shape[2:]
    padded = F.pad(images, [padding] * 4)
    across = torch.arange(width, device=images.device)
    ys = corners[:, :1] + torch.arange(height, device=images.device)
    xs = corners[:, 1:] + torch.where(mirrored[:, None], across.flip(0), across)
    pixels = (ys[:, :, None] * padded.shape[3] + xs[:, None, :]).flatten(1)
    found = padded.flatten(2).gather(2, pixels[:, None].expand(-1, images.shape[1], -1))
    return found.view(images.shape)


def _squares(centres: Tensor, side: int, size: torch.Size) -> Tensor:
    """Which pixels of images of a size are inside the square around each centre: bool, (B, 1, H, W)."""
    inside = []
    for axis, length in enumerate(size):
        first = (centres[:, axis, None] * length).long() - side // 2
        places = torch.arange(length, device=centres.device)
        inside.append((places >= first) & (places < first + side))
    down, across = inside
    return (down[:, :, None] & across[:, None, :])[:, None]
