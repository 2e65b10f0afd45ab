"""Training of a user's own `LightningModule`, as it says itself, with random numbers that derive from a seed."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from nas_attn.data import RngState, mixed_seed
from nas_attn.settings import Recipe

from .checkpoint import EpochEnd, OnEpoch, WholeFiles, own_files, resumable
from .classifier import Variants
from .device import guest, seed_rng
from .failure import interrupts_reported, memory_faults_reported, networks_own
from .trainer import make_own_trainer, run_ended, training_device

_LOG = logging.getLogger(__name__)

OnLoaders = Callable[[Any, Callable[[], int]], None]
"""Called with the module that makes the loaders, before it does, and with a function that gives the present epoch."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What a module has logged when its training ended."""

    values: Mapping[str, Any]
    """By name, those of its last validation among them."""
    seconds: float
    """Wall-clock time, that before an interruption included."""
    learning_curve: str = ""
    """What was measured epoch by epoch, as a row has it."""
    fault: str = ""
    """Where the training loss first was no number, if that happened."""


class _EpochSeeds(pl.Callback):
    """Random states that derive from seed and epoch, the loss of the first batch, and weights without optimiser.

    Of a supernet each training batch is of one variant.
    """

    def __init__(self, seed: int, variants: Variants | None = None) -> None:
        self.seed, self.variants = seed, variants
        self.first_loss: float | None = None
        self.fault = ""
        """Where the training loss first was no number."""
        self._losses: list[tuple[float, Tensor]] = []
        """Of this epoch, with the learning rates."""

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on has to know."""
        return {"fault": self.fault}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what happened before an interruption."""
        self.fault = state_dict["fault"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say in the log which weights no optimiser has, attention's among them."""
        groups = (group["params"] for optimizer in trainer.optimizers for group in optimizer.param_groups)
        learning = {id(parameter) for group in groups for parameter in group}
        named = [name for name, one in pl_module.named_parameters() if one.requires_grad and id(one) not in learning]
        if named:
            first = next((name for name in named if ".attentions." in f".{name}"), named[0])
            _warn_once(type(pl_module).__qualname__, first, len(named))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the random states of this epoch."""
        _seed_all(pl_module.device, self.seed, trainer.current_epoch)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Become the variant of this iteration."""
        if self.variants is not None:
            next(iter(self.variants(trainer.current_epoch * int(trainer.num_training_batches) + batch_idx)))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the loss, if the module gives it to Lightning."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        known = loss if isinstance(loss, Tensor) and loss.numel() == 1 else None
        if trainer.global_step <= 1 and batch_idx == 0:
            self.first_loss = None if known is None else float(known)
        if known is not None and not self.fault and trainer.optimizers:
            self._losses.append((trainer.optimizers[0].param_groups[0]["lr"], known.detach().reshape(())))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read the losses, once an epoch."""
        finite = torch.stack([loss for _, loss in self._losses]).isfinite().tolist() if self._losses else []
        if not all(finite):
            rate, loss = self._losses[first := finite.index(False)]
            where = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, in iteration {first + 1}"
            self.fault = f"the training loss became {float(loss)} in {where}, at a learning rate of {rate:.3g}"
        self._losses = []


def fit_module(
    module: pl.LightningModule,
    data: pl.LightningDataModule | None,
    recipe: Recipe,
    seed: int,
    on_epoch: OnEpoch | None = None,
    *,
    trainer: Mapping[str, Any],
    on_loaders: OnLoaders,
    checkpoint: Path | None = None,
    identity: str = "",
    variants: Variants | None = None,
    measured: Callable[[Mapping[str, Any]], Mapping[str, float]] = lambda _logged: {},
) -> Logged:
    """Train a module by its own steps, optimisers, callbacks and loaders for the recipe's epochs, on one device.

    It is validated after every epoch. What its steps draw derives from seed and epoch. Torch's random states and
    switches go on as they were, and the module comes back on the CPU, in eval mode. `checkpoint` names a file from
    which the training of the same `identity` goes on, as for `train`. `variants` make it another network before each
    batch that trains. `measured` picks from what is logged what belongs to the learning curve. Raises as `train` does.
    """
    end, seeds = EpochEnd(checkpoint, on_epoch), _EpochSeeds(seed, variants)
    end.identity, end.measured = identity, lambda driver: measured(driver.callback_metrics)
    files = checkpoint and own_files(checkpoint)
    with _running(module, data, trainer, recipe.epochs, seed, end, seeds, on_loaders, files) as driver:
        begun = checkpoint and resumable(checkpoint, identity)
        driver.fit(module, datamodule=data, ckpt_path=begun, weights_only=True if begun else None)
        if driver.received_sigterm:
            raise KeyboardInterrupt("training was broken off")
        logged = dict(driver.callback_metrics)
    return Logged(logged, end.seconds, end.learning_curve, seeds.fault)


def run_module(
    module: pl.LightningModule,
    data: pl.LightningDataModule | None,
    trainer: Mapping[str, Any],
    *,
    seed: int = 0,
    on_loaders: OnLoaders = lambda _source, _epoch: None,
    stage: Literal["fit", "validate", "score", "test"] = "fit",
    batches: int = 1,
) -> tuple[float | None, Mapping[str, Any]]:
    """The loss of a module's first training batch, and what it logs, after batches of training and one of validation.

    To `validate` is one batch of validation alone, to `score` all of them, to `test` a pass over the test loaders. The
    loss is None where the module gives Lightning none. Raises as `train` does.
    """
    seeds, end = _EpochSeeds(seed), EpochEnd(None, None)
    limits: dict[str, Any] = {} if stage == "score" else {"limit_train_batches": batches, "limit_val_batches": 1}
    with _running(module, data, trainer, 1, seed, end, seeds, on_loaders, **limits) as driver:
        if stage == "fit":
            driver.fit(module, datamodule=data)
        else:
            judge = driver.test if stage == "test" else driver.validate
            judge(module, datamodule=data, verbose=False)
        return seeds.first_loss, dict(driver.callback_metrics)


@contextmanager
def _running(
    module: pl.LightningModule,
    data: pl.LightningDataModule | None,
    trainer: Mapping[str, Any],
    epochs: int,
    seed: int,
    end: EpochEnd,
    seeds: pl.Callback,
    on_loaders: OnLoaders = lambda _source, _epoch: None,
    kept: Path | None = None,
    **limits: int,
) -> Iterator[pl.Trainer]:
    """Context of a trainer for one module, after which all that it changed outside the module is as it was.

    What its callbacks write goes into a folder that is then removed, or into the one that is `kept` for a training that
    goes on, unless the trainer's settings name another.
    """
    draws = RngState(mixed_seed(seed, 0))
    try:
        with (
            end.kept_by_failures(),
            interrupts_reported(),
            memory_faults_reported(),
            guest(module, training_device(trainer)),
            draws.active(),
            nullcontext(kept) if kept else TemporaryDirectory(prefix="nas-attn-") as files,
            networks_own(),
        ):
            driver = make_own_trainer(
                epochs, {"default_root_dir": str(files), **trainer}, [seeds, end], WholeFiles(), limits
            )
            on_loaders(module if data is None else data, lambda: max(driver.current_epoch, end.done))
            with run_ended(driver):
                yield driver
    finally:
        module.trainer = None


@cache
def _warn_once(module: str, first: str, count: int) -> None:
    message = "%s: %d weights that could learn are in no optimiser, %s the first; configure_optimizers leaves them out"
    _LOG.warning(message, module, count, first)


def _seed_all(device: torch.device, seed: int, epoch: int) -> None:
    seed_rng(device, seed, epoch)
    mixed = mixed_seed(seed, epoch, stream=1)
    random.seed(mixed)
    np.random.seed(mixed % 2**32)
