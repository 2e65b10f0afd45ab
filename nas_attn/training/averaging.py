"""Exponential moving average of the weights that are trained."""

from collections.abc import Callable

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from nas_attn.settings import Recipe

Tensors = tuple[Tensor, ...] | list[Tensor]


def averaging(recipe: Recipe, device: torch.device) -> list[WeightAveraging]:
    """Callback that averages weights after every iteration, validates the average and leaves it in the network.

    Buffers are averaged too, so that batch normalisation fits the averaged weights; those of whole numbers are copied.
    No callback where the recipe has no average.
    """
    update = _moving_average(recipe.ema_decay)
    return [WeightAveraging(device=device, use_buffers=True, multi_avg_fn=update)] if recipe.ema_decay else []


def _moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Torch's own, but for whole numbers: it would round the average of equal ones down, and so change an index."""
    of_torch = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        if averaged[0].is_floating_point() or averaged[0].is_complex():
            of_torch(averaged, current, count)
        else:
            torch._foreach_copy_(averaged, current)

    return update
