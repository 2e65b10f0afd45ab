"""What the whole machinery costs on a user's `LightningModule`, beside a plain `Trainer.fit` of the same module.

    OMP_NUM_THREADS=1 python benchmarks/own_module.py --wait-ms 14

Both make the module and train it for the same epochs, validated after each, in turn, in one process. A step passes a
small network forth and back and waits for `--wait-ms` of CPU time, so that what is added shows as it is. The
plain trainer has neither logger nor checkpoints nor progress bar. Ours builds the module without attention, whose own
cost is another matter, seeds every epoch and pass of a loader, digests what the training begins with, keeps a
checkpoint every ten seconds, and reads what is logged.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from nas_attn.data import quiet
from nas_attn.settings import DataModule, OwnModule, Recipe
from nas_attn.space import parse
from nas_attn.tasks import ModuleTask, Training

_BATCH = 8


class Waiting(pl.LightningModule):
    """A small network whose training step waits after its forward pass."""

    def __init__(self, wait_ms: float) -> None:
        super().__init__()
        self.wait_ms = wait_ms
        self.model = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
        )  # fmt: skip

    def training_step(self, batch: list[Tensor], _number: int) -> Tensor:
        """Loss of a batch, after the wait."""
        until = time.thread_time() + self.wait_ms / 1e3
        while time.thread_time() < until:
            pass
        loss = F.cross_entropy(self.model(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], _number: int) -> None:
        """Loss and accuracy of a batch."""
        logits = self.model(batch[0])
        self.log("loss", F.cross_entropy(logits, batch[1]))
        self.log("accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Images(pl.LightningDataModule):
    """Random images."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        pixels = torch.rand(_BATCH * steps, 3, 32, 32)
        self.images = TensorDataset(pixels, (pixels.mean((1, 2, 3)) > 0.5).long())

    def train_dataloader(self) -> DataLoader[Any]:
        """All of them, in random order."""
        return DataLoader(self.images, _BATCH, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """A few of them."""
        return DataLoader(torch.utils.data.Subset(self.images, range(4 * _BATCH)), _BATCH)


def main(
    wait_ms: Annotated[float, typer.Option(help="milliseconds that a step waits, beside what it computes")] = 14.0,
    steps: Annotated[int, typer.Option(help="steps of an epoch")] = 100,
    epochs: int = 3,
    pairs: Annotated[int, typer.Option(help="how often both are timed")] = 11,
) -> None:
    """Train in turn, and print what came of it."""
    said = OwnModule(
        module="own_module:Waiting",
        arguments={"wait_ms": wait_ms},
        monitor={"accuracy": "max", "loss": "min"},
    )
    task = ModuleTask(said, DataModule(kind="module", module="own_module:Images", arguments={"steps": steps}))
    typer.echo(f"images of {task.image}")  # observed once a study
    ways, seconds = (_plain, _ours), list[list[tuple[float, float]]]()
    for number in range(-1, pairs):
        took = [(0.0, 0.0)] * 2
        for way in (0, 1) if number % 2 else (1, 0):
            wall, cpu = time.perf_counter(), time.process_time()
            ways[way](task, epochs)
            took[way] = time.perf_counter() - wall, time.process_time() - cpu
        if number >= 0:  # the first pair warms up
            seconds.append(took)
    typer.echo(f"{pairs} pairs of {steps * epochs} steps; load {os.getloadavg()[0]:.1f}")
    for which, clock in enumerate(("wall clock", "CPU time")):
        typer.echo(f"{clock}: {_compared(np.array(seconds)[:, :, which], steps * epochs)}")


def _compared(seconds: NDArray[np.float64], steps: int) -> str:
    """Both ways' times of each pair, shape (pairs, 2), in words."""
    ratios = seconds[:, 1] / seconds[:, 0]
    plain_ms, more_ms = 1e3 * np.median(seconds[:, 0]) / steps, 1e3 * np.median(seconds[:, 1] - seconds[:, 0]) / steps
    draws = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return (
        f"{plain_ms:.2f} ms a step by Trainer.fit, {more_ms:+.3f} ms by ours; ratio {np.median(ratios):.4f} "
        f"(95 %: {low:.4f} to {high:.4f}), single pairs {ratios.min():.4f} to {ratios.max():.4f}"
    )


def _plain(task: ModuleTask, epochs: int) -> None:
    with quiet():
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Waiting(**task.said.arguments), datamodule=Images(**task.source.arguments))


def _ours(task: ModuleTask, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        network = task.build(parse("none"), task.backbone, 0)
        how = Training(Recipe(epochs=epochs), 0, {"accelerator": "cpu"}, checkpoint=Path(folder) / "0.ckpt")
        task.train(network, how)


if __name__ == "__main__":
    typer.run(main)
