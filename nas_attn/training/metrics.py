"""Normalised inputs of a network, and the learnt measures of its outputs."""

import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

from nas_attn.data import Batch, ImageData
from nas_attn.settings import Measure, learnt, named_object


@dataclass(frozen=True, slots=True)
class Score:
    """Learnt measures of a trained network."""

    validation: Mapping[str, float]
    """Each of the validation part by its name: accuracy, 0 to 1; loss, in nats, without label smoothing."""
    train_loss: float
    """Mean loss on the training images: of the last epoch, with augmentation and smoothing; after `recalibration`, of
    those that renewed the statistics, with neither."""
    train_seconds: float = math.nan
    """Wall-clock time of training and validation, that before an interruption included."""

    @property
    def columns(self) -> dict[str, float]:
        """Columns of a row."""
        return {**self.validation, "train_loss": self.train_loss, "train_seconds": self.train_seconds}


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


class CrossEntropy(MeanMetric):
    """Mean cross-entropy in nats, of logits (B, classes) and labels (B,)."""

    def __init__(self) -> None:
        super().__init__(nan_strategy="disable")

    def update(self, logits: Tensor, labels: Tensor) -> None:  # type: ignore[override]
        """Add a batch."""
        # One value an image: torchmetrics 1.9 passes over a batch's weight where it is not to look for NaN.
        super().update(F.cross_entropy(logits.float(), labels, reduction="none"))


def validation_metrics(classes: int) -> MetricCollection:
    """Metrics of the learnt measures that judge, by name; updated with logits (B, classes) and labels (B,)."""
    return MetricCollection({one.name: _metric(one, classes) for one in learnt() if one.metric})


def _metric(one: Measure, classes: int) -> Any:
    kind, arguments = named_object(one.metric), dict(one.arguments)
    if "num_classes" in inspect.signature(kind).parameters:
        arguments.setdefault("num_classes", classes)
    return kind(**arguments)


def computed(metrics: MetricCollection) -> dict[str, float]:
    """Their values; the host waits for the device."""
    return {name: float(value) for name, value in metrics.compute().items()}


def mean_metrics(network: nn.Module, batches: Iterable[Batch], classes: int) -> dict[str, float]:
    """The learnt measures of a network over batches, by name."""
    metrics = validation_metrics(classes)
    for images, labels in batches:
        metrics.to(labels.device).update(network(images), labels)
    return computed(metrics)
