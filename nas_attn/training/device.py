"""The device that trains, and what chance does on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from .quiet import quiet


def training_device() -> torch.device:
    """The device that Lightning's `accelerator="auto"` chooses here: the first accelerator, else the CPU."""
    with quiet():
        return _trainer(1, half=False).strategy.root_device


def make_trainer(epochs: int) -> pl.Trainer:
    """A trainer for one device that leaves no file, and judges once, after the last epoch.

    It computes in bfloat16 where CUDA does (float32 for weights), elsewhere in float32.
    """
    return _trainer(epochs, half=training_device().type == "cuda")


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Within it torch's chance, on the CPU and on a CUDA device, starts from a seed; after it, it is as it was."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.default_generator.manual_seed(seed)
        for one in cuda:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield


def _trainer(epochs: int, half: bool) -> pl.Trainer:
    return pl.Trainer(
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if half else "32-true",
        # One process trains one network; Lightning would take a cluster's variables for an order to join others.
        plugins=[LightningEnvironment()],
        max_epochs=epochs,
        check_val_every_n_epoch=epochs,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
