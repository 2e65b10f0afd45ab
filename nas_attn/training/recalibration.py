"""Batch-normalisation statistics renewed for a network that shares its weights with others, and its score with them.

Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", 2019, section 3.3
(https://arxiv.org/abs/1903.05134): exact averages over training images, with the weights as they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_attn.data import Batch, ImageData, LoaderPart, Part, PartBatches, batches_in_order

from .device import lay_out
from .failure import Read, memory_faults_reported
from .metrics import Normalise, Score, mean_metrics

T = TypeVar("T")


@contextmanager
def recalibration(
    network: nn.Module, data: ImageData, images: int, batch_size: int, seed: int, device: torch.device
) -> Iterator[Callable[[], Score]]:
    """Context with a function that scores the network as it is at each call, on a device and in float32.

    Each call renews the statistics of batch normalisation as the average over equal batches of `images` training
    images, drawn by the seed, or of all where there are fewer. All else is in eval mode; nothing is augmented.
    After it the statistics are as they were, and the network is on the CPU, in eval mode.

    Raises `TrainingFailed` where memory does not suffice, `InputError` where images cannot be read.
    """

    def scored() -> Score:
        with torch.inference_mode(), memory_faults_reported():
            train_loss = renew(lambda: mean_metrics(network, calibrating, data)["loss"])
            return Score(mean_metrics(nn.Sequential(normalise, network), validation, data), train_loss)

    try:
        with memory_faults_reported():
            lay_out(network.to(device).eval(), device)
            normalise, near = Normalise(data).to(device), data.near(device)
            drawn = Read(_drawn(near.train, images, batch_size, seed))
            calibrating = [(normalise(pixels), labels) for pixels, labels in drawn]
            validation = Read(batches_in_order(near.validation, batch_size))
        with renewable(network) as renew:
            yield scored
    finally:
        network.to("cpu").to(memory_format=torch.contiguous_format).eval()


@contextmanager
def renewable(network: nn.Module) -> Iterator[Callable[[Callable[[], T]], T]]:
    """Context with a function that renews the statistics of batch normalisation by what it is given to call.

    They become the plain average over the batches that pass meanwhile. After it they are as they were, wherever the
    network then is.
    """
    norms = [one for one in network.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]
    before = [(norm, norm.momentum, {name: value.clone() for name, value in norm.named_buffers()}) for norm in norms]

    def renewed(passes: Callable[[], T]) -> T:
        for norm in norms:
            norm.reset_running_stats()
            norm.training = True  # not `train()`, which what stands inside a subclass would hear of
        found = passes()
        for norm in norms:
            norm.training = False
        return found

    try:
        for norm in norms:
            _average(norm)
        yield renewed
    finally:
        for norm, momentum, buffers in before:
            norm.momentum = momentum
            for name, value in norm.named_buffers():
                value.copy_(buffers[name])


def _average(norm: _BatchNorm) -> None:
    """Have a normalisation keep the plain average of all batches, whose number the host reads in each pass."""
    norm.momentum = None
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked = norm.num_batches_tracked.cpu()


def _drawn(part: Part | LoaderPart, images: int, batch_size: int, seed: int) -> Iterable[Batch]:
    """Batches of nearly one size, and of two images at least where there are two; of a user's loader its first ones."""
    if isinstance(part, LoaderPart):
        batches = batches_in_order(part, batch_size)
        return islice(batches, math.ceil(images * len(batches) / len(part)))
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))[:images]
    count = min(math.ceil(len(order) / batch_size), max(1, len(order) // 2))
    return PartBatches(part, order.to(part.images.device).tensor_split(count))
