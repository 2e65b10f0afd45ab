"""Training images mirrored and shifted, each in its own way."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_attn.settings import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """What is done to each image of a part in one epoch."""

    mirrored: Tensor
    """bool, (N,)."""
    corners: Tensor
    """int64, (N, 2): top and left of the crop, in pixels of the padded image."""
    padding: int
    """Pixels of black on every side, from which a crop of the image's size is taken."""

    def to(self, device: torch.device) -> "Augmentation":
        """The same augmentation in the memory of a device."""
        return Augmentation(self.mirrored.to(device), self.corners.to(device), self.padding)


def draw_augmentation(images: int, recipe: Recipe, generator: torch.Generator) -> Augmentation | None:
    """Draw mirroring (one image in two) and crop (uniform) of every image; None where the recipe asks for neither."""
    if not recipe.horizontal_flip and not recipe.crop_padding:
        return None
    mirrored = torch.rand(images, generator=generator) < (0.5 if recipe.horizontal_flip else 0.0)
    corners = torch.randint(0, 2 * recipe.crop_padding + 1, (images, 2), generator=generator)
    return Augmentation(mirrored, corners, recipe.crop_padding)


def augment(images: Tensor, augmentation: Augmentation, rows: Tensor) -> Tensor:
    """Mirror and crop images (B, C, H, W), the i-th as the augmentation says of row `rows[i]`; the shape stays."""
    height, width = images.shape[2:]
    corners = augmentation.corners[rows]
    padded = F.pad(images, [augmentation.padding] * 4)
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)
    numbers = torch.arange(len(images), device=images.device)
    cropped = crops[numbers, :, corners[:, 0], corners[:, 1]]
    return torch.where(augmentation.mirrored[rows, None, None, None], cropped.flip(3), cropped)
