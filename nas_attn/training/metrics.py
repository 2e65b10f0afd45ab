"""Normalised inputs of a network, and the learnt measures of its outputs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from nas_attn.data import Batch, ImageData
from nas_attn.results import Outcomes
from nas_attn.settings import Measure, make_metric, usual_measures
from nas_attn.space import InputError

from .outcomes import Gathered
from .reading import IGNORED, judged, read_scores, score_tensors


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
    outcomes: Outcomes | None = field(default=None, compare=False, repr=False)
    """What each validation image got; None where no measure is a mean over images."""
    learning_curve: str = ""
    """What was measured epoch by epoch, as a row has it."""

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of a row."""
        learnt = {**self.validation, "train_loss": self.train_loss}
        return {**learnt, "train_seconds": self.train_seconds, "learning_curve": self.learning_curve}


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


class CrossEntropy(Metric):
    """Mean cross-entropy in nats, of scores (B, classes) and labels (B,), or of maps of both without void pixels."""

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), "sum")
        self.add_state("count", torch.tensor(0.0), "sum")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        self.total += F.cross_entropy(scores.float(), labels, reduction="none").sum()
        self.count += (labels != IGNORED).sum()

    def compute(self) -> Tensor:
        """The mean over all batches."""
        return self.total / self.count


class BinaryCrossEntropy(MeanMetric):
    """Mean binary cross-entropy in nats, of scores (B, labels) and labels of 0 and 1, of the same shape."""

    higher_is_better: bool = False  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(nan_strategy="disable")

    def update(self, scores: Tensor, labels: Tensor) -> None:  # type: ignore[override]
        """Add a batch."""
        # One value an image: torchmetrics 1.9 passes over a batch's weight where it is not to look for NaN.
        super().update(F.binary_cross_entropy_with_logits(scores, labels, reduction="none").mean(1))


class Judges(nn.Module):
    """The metrics of the learnt measures that judge networks on these images, and what each image got if wanted."""

    def __init__(self, data: ImageData, gathering: bool = False) -> None:
        super().__init__()
        self.data = data
        void = IGNORED if data.task == "segmentation" else None
        measures = [one for one in data.measures or usual_measures(data.task) if one.metric]
        usual = {"ignore_index": void, "validate_args": False}
        made = [make_metric(one, data.task, data.classes, **usual) for one in measures]
        self.metrics = nn.ModuleList(made)
        self._judging: list[tuple[Measure, Any]] = list(zip(measures, made, strict=True))
        self.gathered = Gathered(measures, data) if gathering else None

    def update(self, output: Any, labels: Tensor) -> None:
        """Add a batch: what the network gives, of which the first tensor counts, and the labels."""
        scores, truth = read_scores(score_tensors(output)[0], labels, self.data)
        for one, metric in self._judging:
            metric.update(*judged(one, scores, truth, self.data))
        if self.gathered is not None:
            self.gathered.add(scores, truth)

    def compute(self) -> dict[str, float]:
        """The measures by name; the host waits for the device."""
        return {one.name: _number(one, metric.compute()) for one, metric in self._judging}

    def reset(self) -> None:
        """Forget all batches."""
        for _, metric in self._judging:
            metric.reset()
        if self.gathered is not None:
            self.gathered.reset()


def _number(one: Measure, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        found = f"{value.numel()} numbers" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(
            f"metrics.{one.name}: {one.metric} gives {found}; allowed: one, as with average = 'macro'"
        ) from None


def mean_metrics(network: nn.Module, batches: Iterable[Batch], data: ImageData) -> dict[str, float]:
    """The learnt measures of a network over batches, by name."""
    judges = Judges(data)
    for images, labels in batches:
        judges.to(labels.device).update(network(images), labels)
    return judges.compute()
