"""Normalised inputs of a network, and accuracy and loss of its outputs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_attn.data import Batch, ImageData


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy and losses of a trained network."""

    accuracy: float
    """Share of right answers on the validation part, 0 to 1."""
    loss: float
    """Mean cross-entropy on the validation part, in nats, without label smoothing."""
    train_loss: float
    """Mean loss on the training images: of the last epoch, with augmentation and smoothing; after `recalibration`, of
    those that renewed the statistics, with neither."""
    train_seconds: float = math.nan
    """Wall-clock time of training and validation, that before an interruption included."""


class Normalise(nn.Module):
    """Pixels of mean 0 and standard deviation 1 over the train part, channel by channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, data: ImageData) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(data.mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(data.std).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8, or floating and left as they are, to float32; channels last on CUDA."""
        pixels = images.float() if images.is_floating_point() else (images - self.mean) / self.std
        return pixels.contiguous(memory_format=torch.channels_last) if images.is_cuda else pixels


class RunningMean:
    """Mean over samples, summed on the device that computes them."""

    def __init__(self) -> None:
        self._sum: Tensor = torch.zeros(())
        self._samples = 0

    def add(self, sums: Tensor, samples: int) -> None:
        """Add the sums, of any one shape, over so many samples."""
        self._sum = sums if not self._samples else self._sum + sums
        self._samples += samples

    def read(self) -> list[float]:
        """The means, flattened; the host waits for the device."""
        return [total / self._samples for total in self._sum.flatten().tolist()]


def summed_metrics(logits: Tensor, labels: Tensor) -> Tensor:
    """Right answers, and cross-entropy in nats, summed over a batch: (2,), of logits (B, classes) and labels (B,)."""
    logits = logits.float()
    correct = (logits.argmax(1) == labels).sum()
    return torch.stack([correct, F.cross_entropy(logits, labels, reduction="sum")])


def mean_metrics(network: nn.Module, batches: Iterable[Batch]) -> tuple[float, float]:
    """Accuracy, 0 to 1, and mean cross-entropy in nats, of a network over batches."""
    mean = RunningMean()
    for images, labels in batches:
        mean.add(summed_metrics(network(images), labels), len(labels))
    accuracy, loss = mean.read()
    return accuracy, loss
