"""How long it takes to screen thousands of placements with a supernet, and whether two runs rank them alike.

    python benchmarks/screening.py --networks 2000

Trains a supernet on scikit-learn's digits and screens so many networks, twice, each time from nothing.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import typer

import nas_attn
from nas_attn.chain import Watch

SPACE = """
backbone = "resnet8"
image = [1, 8, 8]

[kinds.se]
reduction = [2, 4, 8]
[kinds.cbam]
reduction = 4
kernel_size = [3, 7]
[kinds.spatial]
kernel_size = [3, 7]
[kinds.coordinate]
reduction = [2, 4]
[kinds.eca]
[kinds.ese]
[kinds.gate]
[kinds.global_context]
"""

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{{proxy = "supernet", epochs = {epochs}, networks = {networks}, score = "train_loss"}}]

[data]
kind = "digits"

[recipe]
epochs = 12
batch_size = 64
learning_rate = 0.1
crop_padding = 1
"""


@dataclass
class _Clock:
    """When training and screening ended last."""

    trained: float = 0.0
    screened: float = 0.0

    def on_pretrained(self, _what: str, _done: int, _epochs: int) -> None:
        self.trained = time.perf_counter()

    def on_screened(self, _done: int, _total: int) -> None:
        self.screened = time.perf_counter()


def main(networks: int = 2000, epochs: int = 24) -> None:
    """Screen twice, and compare."""
    losses = []
    for number in (1, 2):
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "space.toml").write_text(SPACE)
            (Path(folder) / "study.toml").write_text(STUDY.format(networks=networks, epochs=epochs))
            study = nas_attn.open_study(folder)
            began = time.perf_counter()
            study.run(watch=Watch(on_pretrained=clock.on_pretrained, on_screened=clock.on_screened))
            losses.append(study.table()["train_loss"].sort_values())
        trained, screened = clock.trained - began, clock.screened - clock.trained
        told = f"images and supernet {trained:.0f} s, {len(losses[-1])} networks screened in {screened:.0f} s"
        typer.echo(f"run {number}: {told}, {1000 * screened / len(losses[-1]):.0f} ms each")
    typer.echo(f"same ranking and losses, bit for bit: {losses[0].equals(losses[1])}")


if __name__ == "__main__":
    typer.run(main)
