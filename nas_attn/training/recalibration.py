"""Batch-normalisation statistics, renewed for a network that shares its weights with others, and how well it then does.

As Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", 2019, section 3.3
(https://arxiv.org/abs/1903.05134): exact averages over training images, with the weights as they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_attn.data import Batch, ImageData, LoaderPart, Part, PartBatches, batches_in_order

from .failure import Read, memory_faults_told
from .judging import Normalise


@dataclass(frozen=True, slots=True)
class Judged:
    """How well a network does with renewed statistics."""

    accuracy: float
    """Share of right answers on the validation part, 0 to 1."""
    loss: float
    """Mean cross-entropy on the validation part, in nats."""
    train_loss: float
    """The same on the training images that renew the statistics, each batch normalised by itself."""


@contextmanager
def recalibration(
    network: nn.Module, data: ImageData, images: int, batch_size: int, seed: int, device: torch.device
) -> Iterator[Callable[[], Judged]]:
    """Judges the network as it is at each call, on a device and in float32.

    Each call renews the statistics of batch normalisation by so many training images, drawn by the seed, or by all
    where there are fewer: they become the average over equal batches. All else is in eval mode, and no image is
    augmented. After it the statistics are as they were, and the network is on the CPU, in eval mode.

    Raises `TrainingFailed` where memory does not suffice, `InputError` where images cannot be read.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    kept = [(norm, norm.momentum, {name: value.clone() for name, value in norm.named_buffers()}) for norm in norms]

    def judged() -> Judged:
        with torch.inference_mode(), memory_faults_told():
            for norm in norms:
                norm.reset_running_stats()
                norm.training = True  # not `train()`, which what stands inside a subclass would hear of
            _, train_loss = _means(network, calibrating)
            for norm in norms:
                norm.training = False
            return Judged(*_means(nn.Sequential(normalise, network), judging), train_loss)

    try:
        with memory_faults_told():
            network.to(device).to(memory_format=_fastest_layout(device)).eval()
            normalise, near = Normalise(data).to(device), data.near(device)
            drawn = _drawn(near.train, images, batch_size, seed)
            calibrating = [(normalise(pixels), labels) for pixels, labels in Read(drawn)]
            judging = Read(batches_in_order(near.validation, batch_size))
        for norm in norms:
            norm.momentum = None  # the plain average of all batches
        yield judged
    finally:
        network.to("cpu").to(memory_format=torch.contiguous_format).eval()
        for norm, momentum, buffers in kept:
            norm.momentum = momentum
            for name, value in norm.named_buffers():
                value.copy_(buffers[name])


def _fastest_layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def _drawn(part: Part | LoaderPart, images: int, batch_size: int, seed: int) -> Iterable[Batch]:
    """Batches of nearly one size, and of two images at least where there are two; of a user's loader its first ones."""
    if isinstance(part, LoaderPart):
        batches = batches_in_order(part, batch_size)
        return islice(batches, math.ceil(images * len(batches) / len(part)))
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))[:images]
    count = min(math.ceil(len(order) / batch_size), max(1, len(order) // 2))
    return PartBatches(part, order.to(part.images.device).tensor_split(count))


def _means(network: nn.Module, batches: Iterable[Batch]) -> tuple[float, float]:
    """Accuracy, and mean cross-entropy."""
    sums, seen = [], 0
    for images, labels in batches:
        seen += len(labels)
        scores = network(images).float()
        right = (scores.argmax(1) == labels).sum()
        sums.append(torch.stack([right, F.cross_entropy(scores, labels, reduction="sum")]))
    accuracy, loss = (torch.stack(sums).sum(0) / seen).tolist()
    return accuracy, loss
