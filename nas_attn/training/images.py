"""The images that a network learns from and is judged by, as they lie in memory."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_LEAST_STD = 1 / 255


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some labelled images: those that train, that judge, or that the search never sees."""

    images: Tensor
    """uint8, (N, C, H, W)."""
    labels: Tensor
    """int64, (N,); an index into the class names."""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Part":
        """The same part in the memory of a device."""
        return Part(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """A data set in three disjoint parts."""

    train: Part
    """What the weights are fitted to."""
    validation: Part
    """What the search judges by."""
    test: Part
    """What the search never sees."""
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel of the train part, black 0 and white 1."""
    std: tuple[float, ...]
    """Population standard deviation of each channel of the train part, in the same unit; one grey level at least."""

    def near(self, device: torch.device) -> "ImageData":
        """The same data, with what trains and what judges in the memory of a device."""
        return replace(self, train=self.train.to(device), validation=self.validation.to(device))

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)


def spread(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images (N, C, H, W), black 0 and white 1.

    A channel that hardly varies counts as if it varied by one grey level, so that dividing by it is safe.

    >>> spread(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        shares = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = float((shares * levels).sum())
        variance = float((shares * (levels - mean) ** 2).sum())
        means.append(mean)
        stds.append(max(math.sqrt(variance), _LEAST_STD))
    return tuple(means), tuple(stds)
