"""What a step of `train`, which Lightning's Trainer drives, costs beside one of a loop written by hand.

    OMP_NUM_THREADS=1 python benchmarks/overhead.py --step-ms 5

Both train the same network with the same batches on the device, augmentation, optimiser and schedule, in turn, in one
process. The batch is chosen so that a step of the loop takes about `--step-ms`. Time is that of whole epochs; CPU time,
which other work on the machine disturbs less, is given beside that of the wall clock.
"""

import os
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
import typer
from torch import nn

from nas_attn.data import ImageData, Part, training_batches
from nas_attn.settings import Recipe
from nas_attn.training import Normalise, train, training_device
from nas_attn.training.optimisation import make_optimizer

_Times = tuple[float, float]
"""Milliseconds a step: by the wall clock, and of CPU time."""

_EPOCHS = 4


def main(step_ms: float = 5.0, pairs: int = 9, steps: int = 150, image_size: int = 32, width: int = 16) -> None:
    """Choose a batch, train in turn, and print what came of it."""
    device = training_device()
    batch = _calibrate(step_ms, image_size, width, device)
    data, recipe = _data(batch * steps, image_size), _recipe(batch)
    by_hand, ours = [], []
    for _ in range(pairs):
        by_hand.append(_time(_by_hand, data, recipe, width, device))
        ours.append(_time(_ours, data, recipe, width, device))
    typer.echo(
        f"{device}, {torch.get_num_threads()} threads, batch {batch}, {pairs} pairs, load {os.getloadavg()[0]:.1f}"
    )
    for name, which in (("wall clock", 0), ("CPU time", 1)):
        ratio = statistics.median(one[which] / other[which] for one, other in zip(ours, by_hand, strict=True))
        more = statistics.median(one[which] - other[which] for one, other in zip(ours, by_hand, strict=True))
        hand_ms, our_ms = (statistics.median(times[which] for times in group) for group in (by_hand, ours))
        typer.echo(
            f"{name}: by hand {hand_ms:.3f} ms a step, train {our_ms:.3f} ms; ratio {ratio:.3f}, {more:+.3f} ms a step"
        )


def _calibrate(step_ms: float, image_size: int, width: int, device: torch.device) -> int:
    batch = 16
    for _ in range(3):
        data, recipe = _data(batch * 40, image_size), _recipe(batch)
        wall_ms = min(_time(_by_hand, data, recipe, width, device)[0] for _ in range(3))
        batch = max(2, round(batch * step_ms / wall_ms))
    return batch


def _recipe(batch: int) -> Recipe:
    return Recipe(epochs=_EPOCHS, batch_size=batch, horizontal_flip=True, crop_padding=2, label_smoothing=0.1)


def _data(images: int, image_size: int) -> ImageData:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, image_size, image_size), dtype=torch.uint8, generator=generator)
    part = Part(pixels, torch.randint(0, 10, (images,), generator=generator))
    few = Part(part.images[:16], part.labels[:16])
    return ImageData(part, few, few, tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)


def _network(width: int) -> nn.Module:
    """Eight convolutions, each with its normalisation."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number in range(8):
        stride = 2 if number in (0, 3, 6) else 1
        layers += [nn.Conv2d(width if number else 3, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _time(run: Callable[..., None], data: ImageData, recipe: Recipe, width: int, device: torch.device) -> _Times:
    """Between the end of the first epoch and that of the last but one: no setting up, no judging."""
    told: list[tuple[float, float]] = []

    def tell(_done: int, _of: int) -> None:
        told.append((time.perf_counter(), time.process_time()))

    run(_network(width), data, recipe, device, tell)
    steps = (_EPOCHS - 2) * len(training_batches(data.train, recipe, 0, 0))
    wall, cpu = (1e3 * (late - early) / steps for early, late in zip(told[0], told[-2], strict=True))
    return wall, cpu


def _ours(network: nn.Module, data: ImageData, recipe: Recipe, _: torch.device, tell: Callable[..., None]) -> None:
    train(network, data, recipe, seed=0, on_epoch=tell)


def _by_hand(
    network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, tell: Callable[..., None]
) -> None:
    near = data.near(device)
    network.to(device, memory_format=torch.channels_last if device.type == "cuda" else torch.contiguous_format).train()
    normalise = Normalise(data).to(device)
    total = recipe.epochs * len(training_batches(near.train, recipe, 0, 0))
    optimizer, schedule = make_optimizer(network, recipe, total)
    for epoch in range(recipe.epochs):
        loss_sum = torch.zeros((), device=device)
        for images, labels in training_batches(near.train, recipe, 0, epoch):
            with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
                logits = network(normalise(images))
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.detach()
        loss_sum.item()
        tell(epoch + 1, recipe.epochs)


if __name__ == "__main__":
    typer.run(main)
