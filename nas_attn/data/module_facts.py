"""Facts about the images of a user's data module: class names, and statistics of channels and values."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas_attn.loaders import LoaderBatches, LoaderPart
from nas_attn.settings import VOID
from nas_attn.space import InputError, reported

from .images import ChannelStats, channel_stats_of_levels, count_levels

_NOUN = {"multilabel": "label", "regression": "value"}


@dataclass(eq=False)
class _Seen:
    """What one pass over the train loader shows."""

    levels: Tensor
    """How often each grey level occurs in each channel of uint8 images: int64, (C, 256)."""
    classes: int = 0
    """Labels or values of an image; one more than the highest class."""
    images: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    """Of each value of a regression."""
    squares: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    """Sums of squared differences from the first image's values."""
    first: Tensor | None = None
    """Values of the first image."""


def module_facts(
    named: str, module: Any, train: LoaderPart, example: Tensor
) -> tuple[tuple[str, ...], ChannelStats, ChannelStats]:
    """Names of classes, labels or values; statistics of channels; and of values, empty but in a regression.

    What the module does not say is found in one pass over the train loader.

    Raises `InputError` where the module contradicts itself, or there is nothing to learn.
    """
    names, number = getattr(module, "class_names", None), getattr(module, "num_classes", None)
    channels, floating = example.shape[1], example.is_floating_point()
    stats = ((0.0,) * channels, (1.0,) * channels) if floating else _declared_stats(named, module, channels)
    unnamed, regression = names is None and number is None, train.task == "regression"
    targets: ChannelStats = ((), ())
    if unnamed or stats is None or regression:
        with reported(f"{named}: train_dataloader failed"):
            seen = _pass(train, floating)
        stats = stats or channel_stats_of_levels(seen.levels)
        number = seen.classes if unnamed else number
        targets = _target_stats(named, seen) if regression else targets
    if names is None:
        names = [str(index) for index in range(number or 0)]
    elif number is not None and len(names) != number:
        raise InputError(f"{named}: num_classes is {number}, but class_names has {len(names)}")
    if regression and len(names) != len(targets[0]):
        raise InputError(f"{named}: names {len(names)} values, but the train loader gives {len(targets[0])}")
    if len(names) < 2 and not regression:
        cure = "; the background is one" if train.task == "segmentation" else ""
        noun = _NOUN.get(train.task, "class")
        raise InputError(f"{named}: has {len(names)} {noun}; there must be two or more{cure}")
    return tuple(map(str, names)), stats, targets


def _declared_stats(named: str, module: Any, channels: int) -> ChannelStats | None:
    mean, std = getattr(module, "mean", None), getattr(module, "std", None)
    if mean is None or std is None:
        return None
    stats = tuple(map(float, mean)), tuple(map(float, std))
    if {len(values) for values in stats} != {channels} or min(stats[1]) <= 0:
        rule = f"{channels} numbers each, white 1, and std above 0"
        raise InputError(f"{named}: found mean {stats[0]} and std {stats[1]}; they must be {rule}")
    return stats


def _pass(train: LoaderPart, floating: bool) -> _Seen:
    seen = _Seen(torch.zeros(train.image[0], 256, dtype=torch.int64))
    for images, labels in LoaderBatches(train, 0, "training"):
        wide = labels.ndim == 2
        counted = labels.masked_fill(labels == VOID, 0) if train.task == "segmentation" else labels
        seen.classes = max(seen.classes, labels.shape[1] if wide else 1 + int(counted.max()))
        if train.task == "regression":
            values = labels.cpu().double()
            seen.first = values[0] if seen.first is None else seen.first
            seen.sums = seen.sums + (values - seen.first).sum(0)
            seen.squares = seen.squares + (values - seen.first).square().sum(0)
            seen.images += len(values)
        if not floating:
            seen.levels += count_levels(images)
    return seen


def _target_stats(named: str, seen: _Seen) -> ChannelStats:
    """Mean and population standard deviation of each value; raises `InputError` where one is always the same."""
    first = torch.zeros(1) if seen.first is None else seen.first
    mean = seen.sums / seen.images
    std = (seen.squares / seen.images - mean.square()).clamp(min=0).sqrt()
    for place, one in enumerate(std.tolist()):
        if not one > 0:
            raise InputError(f"{named}: value {place} of each label is {first[place]:g} in every image; leave it out")
    return tuple((mean + first).tolist()), tuple(std.tolist())
