"""A part of the data, a batch at a time, in the memory of the device that trains."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas_attn.settings import Recipe

from .augmentation import Augmentation, augment, draw_augmentation
from .images import Part

Batch = tuple[Tensor, Tensor]
"""Images, uint8 (B, C, H, W), and their labels, int64 (B,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """One pass over a part."""

    part: Part
    rows: tuple[Tensor, ...]
    """The rows of each batch."""
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.rows:
            images = self.part.images[rows]
            if self.augmentation is not None:
                images = augment(images, self.augmentation, rows)
            yield images, self.part.labels[rows]


def training_batches(part: Part, recipe: Recipe, seed: int, epoch: int) -> Batches:
    """The part in an order, and with an augmentation, that seed and epoch fix: the same on every device.

    A last batch of one image is left out, for batch normalisation cannot learn from it.
    """
    device = part.images.device
    generator = torch.Generator().manual_seed(_mix(seed, epoch))
    order = torch.randperm(len(part), generator=generator)
    augmentation = draw_augmentation(len(part), recipe, generator)
    rows = torch.split(order.to(device), recipe.batch_size)
    rows = rows[:-1] if len(rows) > 1 and len(rows[-1]) == 1 else rows
    return Batches(part, rows, augmentation and augmentation.to(device))


def steps(images: int, batch_size: int) -> int:
    """How many batches `training_batches` makes of so many images.

    >>> steps(128, 64), steps(129, 64), steps(130, 64), steps(1, 64)
    (2, 2, 3, 1)
    """
    whole, rest = divmod(images, batch_size)
    return max(1, whole + (rest > 1))


def batches_in_order(part: Part, batch_size: int) -> Batches:
    """The whole part as it lies, without augmentation."""
    return Batches(part, torch.split(torch.arange(len(part), device=part.images.device), batch_size))


def _mix(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
