"""Scores of a network that shares its weights with others, in a user's own `LightningModule`."""

import copy
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from .own_module import OnLoaders, run_module
from .recalibration import renewable
from .trainer import training_device

_LOG = logging.getLogger(__name__)


@contextmanager
def module_recalibration(
    module: pl.LightningModule,
    network: Callable[[nn.Module], nn.Module],
    data: pl.LightningDataModule | None,
    trainer: Mapping[str, Any],
    *,
    images: int,
    seed: int,
    on_loaders: OnLoaders,
) -> Iterator[Callable[[], Mapping[str, Any]]]:
    """Context with a function that gives what the module logs of its whole validation part, as it is at each call.

    Each call renews the statistics of batch normalisation in its network, which `network` finds in it, as the average
    over what goes into that in training, of so many images at least or one pass; those outside it are as training left
    them, and so are its own where the module keeps it in eval mode, which the log says. Raises as `run_module` does.
    """
    part = network(module)
    inputs = _inputs(module, network, data, trainer, images=images, seed=seed, on_loaders=on_loaders)
    if not inputs:
        _LOG.warning(
            "%s: trains its network in eval mode, so that no statistics are renewed", type(module).__qualname__
        )

    def passed() -> None:
        device = training_device(trainer)
        part.to(device)
        for batch in inputs:
            part(batch.to(device))

    def scored() -> Mapping[str, Any]:
        if inputs:
            with torch.no_grad():
                renew(passed)
        return run_module(module, data, trainer, seed=seed, on_loaders=on_loaders, stage="score")[1]

    module.eval()
    with renewable(part) as renew:
        yield scored


def _inputs(
    module: pl.LightningModule,
    network: Callable[[nn.Module], nn.Module],
    data: pl.LightningDataModule | None,
    trainer: Mapping[str, Any],
    *,
    images: int,
    **how: Any,
) -> list[Tensor]:
    """What goes into the network in the first training steps, of a copy that nobody keeps."""
    batch = 0
    for batches in (1, None):
        tried, found = copy.deepcopy(module).train(), list[Tensor]()
        network(tried).register_forward_pre_hook(lambda part, given, found=found: _note(part, given, found))
        limit = batches or max(1, math.ceil(images / batch))
        run_module(tried, copy.deepcopy(data), trainer, batches=limit, **how)
        batch = sum(map(len, found))
        if batch >= images or not batch:
            break
    return found


def _note(part: nn.Module, given: tuple[Any, ...], found: list[Tensor]) -> None:
    if part.training:
        found.extend(one.detach().cpu() for one in given[:1])
