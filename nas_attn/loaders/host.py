"""A user's data module with the trainer that it is attached to, and its hooks for every batch."""

import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.trainer.states import TrainerFn

from .quiet import quiet

Stage = Literal["training", "validating", "testing"]
"""The stage of a trainer, as the property of Lightning's that is then true."""

_FN = {"training": TrainerFn.FITTING, "validating": TrainerFn.VALIDATING, "testing": TrainerFn.TESTING}
_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Host:
    """A `LightningDataModule`, torn down when no part of its data is in use any more; not by copies in processes."""

    module: Any

    def __post_init__(self) -> None:
        weakref.finalize(self, _tear_down, self.module)

    @contextmanager
    def attached(self, trainer: pl.Trainer) -> Iterator[None]:
        """Context in which this is the module's trainer."""
        before = getattr(self.module, "trainer", None)
        self.module.trainer = trainer
        try:
            yield
        finally:
            self.module.trainer = before

    @contextmanager
    def at(self, stage: Stage, device: torch.device) -> Iterator[None]:
        """Context in which the module has a trainer: the one that fits, else one that is idle at this stage."""
        if getattr(self.module, "trainer", None) is not None:
            yield
            return
        trainer = _idle_trainer(device)
        trainer.state.fn = _FN[stage]
        setattr(trainer, stage, True)
        with self.attached(trainer):
            yield

    def moved(self, batch: Any, device: torch.device) -> Any:
        """A loader's batch on a device, after the three hooks through which Lightning sends it."""
        batch = self.module.on_before_batch_transfer(batch, 0)
        batch = self.module.transfer_batch_to_device(batch, device, 0)
        return self.module.on_after_batch_transfer(batch, 0)


@cache
def _idle_trainer(device: torch.device) -> pl.Trainer:
    """A trainer of a device that trains nothing; always the same."""
    with quiet():
        return pl.Trainer(
            accelerator=device.type,
            devices=[device.index] if device.index is not None and device.type != "cpu" else 1,
            precision="bf16-mixed" if device.type == "cuda" else "32-true",
            plugins=[LightningEnvironment()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )


def _tear_down(module: Any) -> None:
    try:
        module.teardown("fit")
    except Exception as error:  # a user's module may fail in any way, and nobody waits for this any more
        _LOG.warning("%s: teardown failed: %s: %s", type(module).__name__, type(error).__name__, error)
