"""Image data of a user's own `LightningDataModule`."""

import hashlib
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas_attn.loaders import Host, LoaderPart, RngState, Stage, counted, no_batch, one_loader, pair, shape_of, unread
from nas_attn.settings import BuiltIn, DataModule, named_object
from nas_attn.space import InputError, reported

from .images import ImageData
from .module_facts import module_facts

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


def open_module(source: DataModule, device: torch.device, task: BuiltIn = "classification") -> ImageData:
    """Make a user's module, let it prepare and set up, and take its loaders as the three parts.

    As by Lightning it is attached to a trainer: to one of `device` here, to the one that fits in training. Every batch
    goes through its hooks, here as in training. It tears down when nothing uses it any more.

    Without a test loader the validation part stands in, and the log says so. Classes are the module's `class_names` or
    `num_classes`, else found in one pass over the train loader; so are the statistics of uint8 images, `mean` and `std`
    (of each channel, white 1), and of the values of a regression. Floating images are taken as they are: their mean is
    0, their std 1.

    Raises `InputError` where the module fails, a loader is missing, or a first batch is not images with labels.
    """
    with RngState(0).active():
        host = Host(_made(source))
        module, tests = host.module, _has(host.module, "test_dataloader")
        with host.at("training", device), _running(source, "prepare_data"):
            module.prepare_data()
        stages: list[tuple[str, Stage]] = [("fit", "training"), ("test", "testing")]
        for name, stage in stages[: 1 + tests]:
            with host.at(stage, device), _running(source, "setup"):
                module.setup(name)
    train, example = _part(source, host, task, "train", "validating")
    validation, shown = _part(source, host, task, "val", "validating")
    test, tested = _part(source, host, task, "test", "testing") if tests else (validation, shown)
    if test is validation:
        _LOG.warning("%s has no test_dataloader, so its validation part stands in for a test part", source.module)
    for name, other in (("val", shown), ("test", tested)):
        if (other.shape[1:], other.dtype) != (example.shape[1:], example.dtype):
            here, there = shape_of(other), shape_of(example)
            raise InputError(f"{source.module}: {name}_dataloader: images are {here}, but {there} in train_dataloader")
    names, stats, targets = module_facts(source.module, module, train, example)
    parts = {part: replace(part, classes=len(names)) for part in (train, validation, test)}
    return ImageData(parts[train], parts[validation], parts[test], names, *stats, task, *targets)


def _made(source: DataModule) -> Any:
    make = named_object(source.module)
    with _running(source, "it"):
        module = make(**source.arguments)
    for name in _NEEDED:
        if not callable(getattr(module, name, None)):
            raise InputError(f"{source.module}: has no {name}; it must be a LightningDataModule")
    for name in ("train_dataloader", "val_dataloader"):
        if not _has(module, name):
            raise InputError(f"{source.module}: has no {name} of its own; a search trains and validates with them")
    return module


def _has(module: Any, name: str) -> bool:
    """Whether a module brings a loader that Lightning does not merely announce."""
    home = getattr(getattr(module, name, None), "__module__", None)
    return home is not None and home.partition(".")[0] not in _LIGHTNING


def _part(source: DataModule, host: Host, task: BuiltIn, name: str, stage: Stage) -> tuple[LoaderPart, Tensor]:
    """A loader of the module as a part, and the images of its first batch."""
    make: Callable[[], Any] = getattr(host.module, f"{name}_dataloader")
    where = f"{source.module}: {name}_dataloader"
    with RngState(0).active(), host.at("training" if name == "train" else stage, _CPU), _refused(where):
        with _running(source, f"{name}_dataloader"):
            given = make()
        loader = one_loader(given)
        with _running(source, f"{name}_dataloader"):
            first = next(iter(loader), None)
        if first is None:
            raise ValueError(no_batch(loader))
        with _running(source, f"a hook for batches of {name}_dataloader"):
            moved = host.moved(first, _CPU)
        images, _ = pair(moved, task)
        if left := unread(moved, task):
            _LOG.warning("%s: of each batch this is left alone: %s", where, left)
        count, batches = _length(loader) or _counted_once(where, loader, host, task)
    channels, height, width = images.shape[1:]
    code = hashlib.sha256(Path(inspect.getfile(type(host.module))).read_bytes()).hexdigest()
    made_by = (code, source.module, sorted(source.arguments.items()), name, count)
    digest = hashlib.sha256(repr(made_by).encode()).hexdigest()
    return LoaderPart(host, stage, make, count, batches, (channels, height, width), digest, _CPU, task=task), images


def _length(loader: Any) -> tuple[int, int] | None:
    """Images and batches of a loader that knows them."""
    try:
        return len(loader.dataset), len(loader)
    except (AttributeError, TypeError):
        return None


def _counted_once(where: str, loader: Iterable[Any], host: Host, task: BuiltIn) -> tuple[int, int]:
    """Images and batches of one pass over a loader that does not know them."""
    images, batches = counted(pair(host.moved(batch, _CPU), task) for batch in loader)
    _LOG.warning("%s: has no length; in one pass it gave %d images in %d batches", where, images, batches)
    return images, batches


@contextmanager
def _refused(where: str) -> Iterator[None]:
    """Say where a loader or a batch is in no form that can be used."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _running(source: DataModule, what: str) -> AbstractContextManager[None]:
    return reported(f"{source.module}: {what} failed")
