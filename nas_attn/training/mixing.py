"""Mixtures of the images of a batch: mixup and CutMix."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nas_attn.data import Batch, Batches, RngState, mixed_seed
from nas_attn.settings import Recipe, library, named_object

_V2 = "torchvision.transforms.v2"
_STREAM = 3


@dataclass(frozen=True, slots=True, eq=False)
class MixedBatches:
    """Batches whose images are mixed in pairs; labels are shares of the classes, float32 (B, classes)."""

    batches: Batches
    mix: Any
    """Of torchvision: images and labels to images and shares."""
    classes: int
    seed: int

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        state = RngState(self.seed)
        for images, labels in self.batches:
            with state.active():
                pixels, shares = self.mix(images.float(), as_shares(labels, self.classes))
            yield pixels.round().to(torch.uint8), shares


def mixed(batches: Batches, recipe: Recipe, classes: int, seed: int, epoch: int) -> Batches | MixedBatches:
    """The batches with the recipe's mixup (https://arxiv.org/abs/1710.09412) or CutMix (https://arxiv.org/abs/1905.04899).

    Where it has both, one of them is drawn a batch. Pixels are rounded to grey levels. What is drawn derives from seed
    and epoch, the same on every device. Raises `InputError` where torchvision is not installed.
    """
    alphas = {"MixUp": recipe.mixup, "CutMix": recipe.cutmix}
    if not any(alphas.values()):
        return batches
    library("torchvision")
    ways = [named_object(f"{_V2}:{name}")(alpha=alpha, num_classes=classes) for name, alpha in alphas.items() if alpha]
    mix = ways[0] if len(ways) == 1 else named_object(f"{_V2}:RandomChoice")(ways)
    return MixedBatches(batches, mix, classes, mixed_seed(seed, epoch, _STREAM))


def as_shares(labels: Tensor, classes: int) -> Tensor:
    """Labels, int64 (B,), or shares of the classes already, as float32 (B, classes)."""
    if labels.ndim > 1:
        return labels.float()
    return torch.zeros(len(labels), classes, device=labels.device).scatter_(1, labels[:, None], 1.0)
