"""A user's own `LightningDataModule`, and the facts about its images that a search needs."""

import hashlib
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas_attn.settings import DataModule, named_object
from nas_attn.space import InputError

from .host import Host, Stage
from .images import ImageData, count_levels, spread_of_levels
from .loader import Chance, LoaderBatches, LoaderPart

_CPU = torch.device("cpu")
_LOG = logging.getLogger(__name__)
_LIGHTNING = ("lightning", "pytorch_lightning")
_NEEDED = (
    "prepare_data",
    "setup",
    "train_dataloader",
    "val_dataloader",
    "on_before_batch_transfer",
    "transfer_batch_to_device",
    "on_after_batch_transfer",
    "teardown",
)


@dataclass(frozen=True, slots=True)
class _Facts:
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def open_module(source: DataModule, device: torch.device) -> ImageData:
    """Make a user's module, let it prepare and set up, and take its loaders as the three parts.

    It is attached to a trainer as Lightning does it: to one of `device` here, to the one that fits in training. Every
    batch that is looked at, here as in training, goes through its hooks. It tears down when nothing uses it any more.

    Without a test loader the validation part stands in, which is told. Classes are told by the module's
    `class_names` or `num_classes`, else by one pass over the train loader; mean and std of uint8 images likewise, by
    `mean` and `std` (of each channel, white 1). Floating images are taken as they are: their mean is 0, their std 1.

    Raises `InputError` where the module fails, a loader is missing, or a first batch is not images with labels.
    """
    with Chance(0).taken():
        host = Host(_made(source))
        module, tests = host.module, _has(host.module, "test_dataloader")
        with host.at("training", device), _told(source, "prepare_data"):
            module.prepare_data()
        stages: list[tuple[str, Stage]] = [("fit", "training"), ("test", "testing")]
        for name, stage in stages[: 1 + tests]:
            with host.at(stage, device), _told(source, "setup"):
                module.setup(name)
    train, example = _part(source, host, "train", "validating")
    validation, judged = _part(source, host, "val", "validating")
    test, tested = _part(source, host, "test", "testing") if tests else (validation, judged)
    if test is validation:
        _LOG.warning("%s has no test_dataloader, so its validation part stands in for a test part", source.module)
    for name, other in (("val", judged), ("test", tested)):
        if (other.shape[1:], other.dtype) != (example.shape[1:], example.dtype):
            here, there = _shape(other), _shape(example)
            raise InputError(f"{source.module}: {name}_dataloader: images are {here}, but {there} in train_dataloader")
    facts = _facts(source, module, train, example)
    return ImageData(train, validation, test, facts.class_names, facts.mean, facts.std)


def _made(source: DataModule) -> Any:
    make = named_object(source.module)
    with _told(source, "it"):
        module = make(**source.arguments)
    for name in _NEEDED:
        if not callable(getattr(module, name, None)):
            raise InputError(f"{source.module}: has no {name}; it must be a LightningDataModule")
    for name in ("train_dataloader", "val_dataloader"):
        if not _has(module, name):
            raise InputError(f"{source.module}: has no {name} of its own; a search trains with one and judges by one")
    return module


def _has(module: Any, name: str) -> bool:
    """Whether a module brings a loader that Lightning does not merely announce."""
    home = getattr(getattr(module, name, None), "__module__", None)
    return home is not None and home.partition(".")[0] not in _LIGHTNING


def _part(source: DataModule, host: Host, name: str, judges: Stage) -> tuple[LoaderPart, Tensor]:
    """A loader of the module as a part, and the images of its first batch."""
    make: Callable[[], Any] = getattr(host.module, f"{name}_dataloader")
    where = f"{source.module}: {name}_dataloader"
    with Chance(0).taken(), host.at("training" if name == "train" else judges, _CPU):
        with _told(source, f"{name}_dataloader"):
            loader = make()
            first = next(iter(loader), None)
            batches = len(loader)
        with _told(source, f"a hook for batches of {name}_dataloader"):
            images = _checked(where, first if first is None else host.moved(first, _CPU))
            count = _count(loader, host)
    channels, height, width = images.shape[1:]
    made_by = (_source_digest(host.module), source.module, sorted(source.arguments.items()), name, count)
    digest = hashlib.sha256(repr(made_by).encode()).hexdigest()
    return LoaderPart(host, judges, make, count, batches, (channels, height, width), digest, _CPU), images


def _count(loader: Any, host: Host) -> int:
    """The images of a loader; one that does not tell is asked for all of them."""
    try:
        return len(loader.dataset)
    except (AttributeError, TypeError):
        return sum(len(host.moved(batch, _CPU)[1]) for batch in loader)


def _checked(where: str, batch: Any) -> Tensor:
    if not isinstance(batch, list | tuple) or len(batch) != 2 or not all(isinstance(one, Tensor) for one in batch):
        found = "no batch" if batch is None else f"a batch of type {type(batch).__name__}"
        raise InputError(f"{where}: found {found}; each batch must be a pair of tensors, images and labels")
    images: Tensor = batch[0]
    labels: Tensor = batch[1]
    if images.ndim != 4 or not (images.is_floating_point() or images.dtype == torch.uint8):
        raise InputError(f"{where}: images are {_shape(images)}; they must be (B, C, H, W), floating or uint8")
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if labels.shape != images.shape[:1] or not whole:
        raise InputError(f"{where}: labels are {_shape(labels)}; they must be (B,), int64")
    return images


def _facts(source: DataModule, module: Any, train: LoaderPart, example: Tensor) -> _Facts:
    names, number = getattr(module, "class_names", None), getattr(module, "num_classes", None)
    channels, floating = example.shape[1], example.is_floating_point()
    told = ((0.0,) * channels, (1.0,) * channels) if floating else _told_spread(source, module, channels)
    unnamed = names is None and number is None
    if unnamed or told is None:
        with _told(source, "train_dataloader"):
            highest, levels = _looked_at(train, floating)
        told = told or spread_of_levels(levels)
        number = highest + 1 if unnamed else number
    if names is None:
        names = [str(index) for index in range(number or 0)]
    elif number is not None and len(names) != number:
        raise InputError(f"{source.module}: num_classes is {number}, but class_names has {len(names)}")
    if len(names) < 2:
        raise InputError(f"{source.module}: has {len(names)} class; there must be two or more")
    return _Facts(tuple(map(str, names)), *told)


def _told_spread(source: DataModule, module: Any, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    mean, std = getattr(module, "mean", None), getattr(module, "std", None)
    if mean is None or std is None:
        return None
    told = tuple(map(float, mean)), tuple(map(float, std))
    if {len(values) for values in told} != {channels} or min(told[1]) <= 0:
        rule = f"{channels} numbers each, white 1, and std above 0"
        raise InputError(f"{source.module}: found mean {told[0]} and std {told[1]}; they must be {rule}")
    return told


def _looked_at(train: LoaderPart, floating: bool) -> tuple[int, Tensor]:
    """The highest label, and how often each grey level occurs, in one pass over the train loader."""
    highest, levels = 0, torch.zeros(train.image[0], 256, dtype=torch.int64)
    for images, labels in LoaderBatches(train, 0, "training"):
        highest = max(highest, int(labels.max()))
        if not floating:
            levels += count_levels(images)
    return highest, levels


def _source_digest(module: Any) -> str:
    return hashlib.sha256(Path(inspect.getfile(type(module))).read_bytes()).hexdigest()


@contextmanager
def _told(source: DataModule, step: str) -> Iterator[None]:
    """Within it a fault of the user's module is told as such; where it lies, its cause tells."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a user's module may fail in any way
        raise InputError(f"{source.module}: {step} failed: {type(error).__name__}: {error}") from error


def _shape(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
