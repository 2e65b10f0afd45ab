"""A user's data module, attached to the trainer that uses it, and what it does to every batch."""

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
"""What a trainer is doing, by the property of Lightning's that is then true."""

_DOES = {"training": TrainerFn.FITTING, "validating": TrainerFn.VALIDATING, "testing": TrainerFn.TESTING}
_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Host:
    """Holds a `LightningDataModule`, and lets it tear down when no part of its data is in use any more.

    A copy in another process leaves that to the first.
    """

    module: Any

    def __post_init__(self) -> None:
        weakref.finalize(self, _tear_down, self.module)

    @contextmanager
    def attached(self, trainer: pl.Trainer) -> Iterator[None]:
        """Within it this is the module's trainer."""
        before = getattr(self.module, "trainer", None)
        self.module.trainer = trainer
        try:
            yield
        finally:
            self.module.trainer = before

    @contextmanager
    def at(self, stage: Stage, device: torch.device) -> Iterator[None]:
        """Within it the module has a trainer: the one that fits, else one that does nothing, and is at this stage."""
        if getattr(self.module, "trainer", None) is not None:
            yield
            return
        trainer = _idle_trainer(device)
        trainer.state.fn = _DOES[stage]
        setattr(trainer, stage, True)
        with self.attached(trainer):
            yield

    def moved(self, batch: Any, device: torch.device) -> Any:
        """A loader's batch on a device, after the three hooks through which Lightning sends it."""
        for name, more in (
            ("on_before_batch_transfer", ()),
            ("transfer_batch_to_device", (device,)),
            ("on_after_batch_transfer", ()),
        ):
            batch = getattr(self.module, name)(batch, *more, 0)
        return batch


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
