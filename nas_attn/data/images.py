"""Labelled images in memory, in three parts."""

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from nas_attn.loaders import LoaderPart
from nas_attn.settings import VOID, BuiltIn, ImageFacts, Measure

_LOG = logging.getLogger(__name__)
_LEAST_STD = 1 / 255
_LARGEST_SHARE = 0.5
_AT_ONCE = 1024
_sharing = 1  # processes

ChannelStats = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and population standard deviation of each channel, black 0 and white 1; the latter one grey level at least."""


@dataclass(frozen=True, eq=False)
class Part:
    """Labelled images of one part of the data."""

    images: Tensor
    """uint8, (N, C, H, W)."""
    labels: Tensor
    """int64 (N,), an index into the class names; uint8 (N, K) of 0 and 1 for several labels; uint8 (N, H, W), the class
    of each pixel or 255 for none; float32 (N, K), values in their own units."""
    streams_to: torch.device | None = None
    """The device to which batches are copied from the host's memory; None: all images lie where they are used."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return self.streams_to or self.images.device

    def to(self, device: torch.device) -> "Part":
        """The same part for a device: in its memory, or streaming where it would take more than half of what is free.

        Only a CUDA device knows how much is free; every other takes the part whole.
        """
        if device == self.device:
            return self
        masks = self.labels.nbytes if self.labels.ndim == 3 else 0
        size, free = self.images.nbytes + masks, _free_bytes(device)
        named = f"{len(self):,} images ({_gib(size)})"
        if size > _LARGEST_SHARE * free:
            _LOG.info("%s stream to %s from the host's memory, for %s are free there", named, device, _gib(free))
            return Part(self.images.cpu(), self.labels.cpu(), streams_to=device)
        _LOG.info("%s lie in the memory of %s", named, device)
        return Part(self.images.to(device), self.labels.to(device))

    @cached_property
    def mean_colour(self) -> Tensor:
        """The mean of each channel, rounded to a grey level: uint8, (C,), where batches come out."""
        chunks = torch.split(self.images, _AT_ONCE)
        total = torch.stack([chunk.sum((0, 2, 3), dtype=torch.int64) for chunk in chunks]).sum(0)
        height, width = self.image[1:]
        return (total.cpu().double() / (len(self) * height * width)).round().to(torch.uint8).to(self.device)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of shape, images and labels, wherever they lie."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for chunk in (*torch.split(self.images, _AT_ONCE), self.labels):
            digest.update(chunk.cpu().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, slots=True)
class Fold:
    """One turn of images that validate in turn."""

    train: Part
    """All folds but one."""
    validation: Part
    """That one."""


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set in three disjoint parts; raises `ValueError` for labels that its task does not have."""

    train: Part | LoaderPart
    """For the weights."""
    validation: Part | LoaderPart
    """For the search."""
    test: Part | LoaderPart
    """Not seen by the search."""
    class_names: tuple[str, ...]
    """Of classes; of labels; of the values of a regression."""
    mean: tuple[float, ...]
    """Of each channel of the train part, black 0 and white 1; 0 for a user's floating images."""
    std: tuple[float, ...]
    """Population standard deviation of the same, one grey level at least; 1 for a user's floating images."""
    task: BuiltIn = "classification"
    """What the images are labelled with."""
    target_mean: tuple[float, ...] = ()
    """Of each value of a regression over the train part, in its own units."""
    target_std: tuple[float, ...] = ()
    """Population standard deviation of the same, more than 0."""
    measures: tuple[Measure, ...] = ()
    """The learnt measures of networks on these images; without them those that the task always has."""
    folds: tuple[Fold, ...] = ()
    """Where images validate in turn: each turn, of which the first has the train and the validation part of these data;
    mean and std are then those of all that validate once."""

    def __post_init__(self) -> None:
        for part in (self.train, self.validation, self.test):
            if isinstance(part, Part) and len(part) and not part.labels.is_meta:
                check_labels(part.labels, self.task, self.classes, part.image[1:])
        targets = self.classes if self.task == "regression" else 0
        if {len(self.target_mean), len(self.target_std)} != {targets} or min(self.target_std, default=1) <= 0:
            found = f"target_mean {self.target_mean} and target_std {self.target_std}"
            raise ValueError(f"found {found}; allowed: {targets} numbers each, and target_std above 0")

    def __deepcopy__(self, memo: object) -> "ImageData":
        """Itself, for nothing changes it: a copy of a training's module shares its images."""
        return self

    def near(self, device: torch.device) -> "ImageData":
        """The same data in the memory of a device, or streaming to it; they stay there as long as these are in use."""
        there = _NEAR.setdefault(self, {})
        if device not in there:
            there[device] = replace(self, train=self.train.to(device), validation=self.validation.to(device))
        return there[device]

    def of_fold(self, number: int) -> "ImageData":
        """The data of one turn, which alone stays in the memory of devices; themselves, where one part validates."""
        for other in self._turns[:number] + self._turns[number + 1 :]:
            _NEAR.pop(other, None)
        return self._turns[number] if self._turns else self

    @cached_property
    def _turns(self) -> tuple["ImageData", ...]:
        return tuple(replace(self, train=one.train, validation=one.validation, folds=()) for one in self.folds)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self.train.image

    @property
    def classes(self) -> int:
        """Number of classes, labels or values."""
        return len(self.class_names)

    @property
    def facts(self) -> ImageFacts:
        """Image size, task, classes and statistics of channels and values."""
        return ImageFacts(
            *self.image,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            task=self.task,
            target_mean=self.target_mean,
            target_std=self.target_std,
        )

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that a trained network depends on: train and validation part, and the classes.

        Of a user's module it is that of its source file, its arguments and the facts about its images.
        """
        facts = (self.train.digest, self.validation.digest, self.class_names, self.mean, self.std)
        more = () if self.task == "classification" else (self.task, self.target_mean, self.target_std)
        turns = tuple(one.validation.digest for one in self.folds)
        return hashlib.sha256(repr(facts + more + turns).encode()).hexdigest()


_NEAR: WeakKeyDictionary[ImageData, dict[torch.device, ImageData]] = WeakKeyDictionary()
"""Results of `near`; apart from the data, so that another process is not sent a device's memory."""


def in_turn(parts: Sequence[Part]) -> tuple[Fold, ...]:
    """Folds of these parts, each of which validates once; all are views of one copy of them, which is twice as long."""
    images, labels = (
        torch.cat([getattr(part, name) for part in (*parts, *parts[:-1])]) for name in ("images", "labels")
    )
    ends = [0, *accumulate(len(part) for part in (*parts, *parts[:-1]))]

    def between(first: int, last: int) -> Part:
        return Part(images[ends[first] : ends[last]], labels[ends[first] : ends[last]])

    return tuple(Fold(between(one + 1, one + len(parts)), between(one, one + 1)) for one in range(len(parts)))


def check_labels(labels: Tensor, task: BuiltIn, classes: int, size: tuple[int, ...]) -> None:
    """Raise `ValueError` where labels are not those of a task with so many classes, for images of (height, width)."""
    rows = len(labels)
    shape = {"classification": (rows,), "segmentation": (rows, *size)}.get(task, (rows, classes))
    if labels.shape != shape:
        raise ValueError(f"found labels {tuple(labels.shape)} for the task {task!r}; allowed: {shape}")
    if task == "regression":
        if not (labels.is_floating_point() and bool(labels.isfinite().all())):
            raise ValueError("found values that are no finite numbers; allowed: floating ones")
        return
    counted = labels[labels != VOID] if task == "segmentation" else labels
    low, high = (int(end) for end in counted.aminmax()) if counted.numel() else (0, 0)
    highest = 1 if task == "multilabel" else classes - 1
    if low < 0 or high > highest:
        void = f", or {VOID} where there is none" if task == "segmentation" else ""
        raise ValueError(f"found labels from {low} to {high}; allowed: from 0 to {highest}{void}")


def target_stats(labels: Tensor) -> ChannelStats:
    """Mean and population standard deviation of each value of a regression, (N, K)."""
    values = labels.cpu().double()
    return tuple(values.mean(0).tolist()), tuple(values.std(0, correction=0).tolist())


def share_devices(processes: int) -> None:
    """Leave room for so many processes that train on one device, this one among them."""
    global _sharing
    _sharing = processes


def channel_stats(images: Tensor) -> ChannelStats:
    """Mean and standard deviation of each channel of uint8 images (N, C, H, W).

    >>> channel_stats(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    return channel_stats_of_levels(count_levels(images))


def count_levels(images: Tensor) -> Tensor:
    """How often each grey level occurs in each channel of uint8 images (N, C, H, W): int64, (C, 256)."""
    return torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)])


def channel_stats_of_levels(counts: Tensor) -> ChannelStats:
    """Mean and standard deviation of each channel, of how often each grey level occurs in it, (C, 256)."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in counts.cpu():
        shares = channel.double() / channel.sum()
        means.append(float((shares * levels).sum()))
        stds.append(max(math.sqrt((shares * (levels - means[-1]) ** 2).sum()), _LEAST_STD))
    return tuple(means), tuple(stds)


def _free_bytes(device: torch.device) -> float:
    """Free memory of a device, what torch keeps there for reuse included; of several processes each its share."""
    if device.type != "cuda":
        return math.inf
    free, _ = torch.cuda.mem_get_info(device)
    return (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)) / _sharing


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"
