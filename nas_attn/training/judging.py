"""What goes into a network, and how well what comes out of it fits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from nas_attn.data import ImageData


class Normalise(nn.Module):
    """Pixels as a network takes them: of mean 0 and standard deviation 1 over the train part, channel by channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, data: ImageData) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(data.mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(data.std).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or floating and then taken as they are, to float32; channels last on CUDA."""
        pixels = images.float() if images.is_floating_point() else (images - self.mean) / self.std
        return pixels.contiguous(memory_format=torch.channels_last) if images.is_cuda else pixels


class Judgement(nn.Module):
    """Accuracy and loss, gathered batch by batch on the device that computes them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(classes, average="micro", validate_args=False)
        self.loss = MeanMetric(nan_strategy="disable")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Take in logits (B, classes) and labels, int64 (B,)."""
        self.accuracy.update(logits, labels)
        # One value an image: torchmetrics 1.9 passes over a batch's weight where it is not to look for NaN.
        self.loss.update(F.cross_entropy(logits.float(), labels, reduction="none"))

    def reset(self) -> None:
        """Forget all that was taken in."""
        self.accuracy.reset()
        self.loss.reset()

    def result(self) -> tuple[float, float]:
        """The share of right answers, and the mean cross-entropy in nats."""
        return float(self.accuracy.compute()), float(self.loss.compute())


class Mean:
    """A mean that is gathered on a device without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self._sum = torch.zeros((), device=device)
        self._weight = 0

    def add(self, value: Tensor, weight: int) -> None:
        """Take in the mean () of so many values."""
        self._sum.add_(value, alpha=weight)
        self._weight += weight

    def read(self) -> float:
        """The mean of all; the host waits for the device."""
        return float(self._sum) / self._weight
