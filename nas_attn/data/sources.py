"""Images of the data source that a study names."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from nas_attn.settings import (
    BuiltIn,
    DataModule,
    DataSource,
    Digits,
    ImageFolder,
    OfTask,
    Parquet,
    Planted,
    Torchvision,
    refuse_what_does_not_fit,
)
from nas_attn.space import InputError

from .copies import report_copies
from .data_module import open_module
from .folder import images_in, open_folder
from .gallery import Gallery, Rows
from .images import (
    ChannelStats,
    ImageData,
    Part,
    channel_stats,
    channel_stats_of_levels,
    count_levels,
    in_turn,
    target_stats,
)
from .label_file import open_labelled
from .layout import find_image_parts, find_parts
from .mask_folder import is_of_masks, open_masked
from .parquet import encoded_images, open_masked_parquet, open_parquet
from .pixels import Encoded, faults_of, size
from .planted import planted
from .shards import find_shards
from .split import split, split_in_folds
from .torchvision_sets import open_published

_LOG = logging.getLogger(__name__)
_APART = {"validation": "val_path", "test": "test_path"}
"""The setting that names the images of a part, where they stand apart."""
_NOUN = {"multilabel": "label", "regression": "value"}
_PLURAL = {"class": "classes", "label": "labels", "value": "values"}
_Galleried = Digits | Planted | ImageFolder | Parquet | Torchvision


def load_data(
    source: DataSource, folder: Path, device: torch.device | None = None, task: BuiltIn = "classification"
) -> ImageData:
    """Read the images that a study names, with the labels of its task, and divide them; paths are relative to `folder`.

    The parts depend on the images, the shares and `split_seed` alone. Where validation or test images stand apart, all
    of them are that part, and `limit` leaves them alone. A user's module, which is set up for `device` (default: CPU),
    divides its images itself. With `folds` all images but those of the test part validate in turn.

    Raises `InputError` that says which file, column, mask or class is at fault, and the cure.
    """
    if isinstance(source, DataModule):
        return open_module(source, device or torch.device("cpu"), task)
    if isinstance(source, OfTask):
        raise InputError("data: the images are those of the task")
    try:
        refuse_what_does_not_fit(source, task)
    except ValueError as error:
        raise InputError(f"data: {error}") from None
    gallery, apart = open_galleries(source, folder, task)
    if len(gallery.class_names) < (1 if task == "regression" else 2):
        noun = _NOUN.get(task, "class")
        found = f"one {noun}, {gallery.class_names[0]!r}" if gallery.class_names else f"no {noun}"
        raise InputError(f"{gallery.where}: has {found}; there must be two or more")
    limit = getattr(source, "limit", None)
    shares = [0.0 if part in apart else getattr(source, part) for part in ("validation", "test")]
    if getattr(source, "split_by", "order") == "order":
        gallery = replace(gallery, encoded=None)
    report_copies(gallery, apart)
    if source.folds:
        return _in_folds(source, source.folds, gallery, apart)
    train, *others = _parts(gallery, split(gallery, shares[0], shares[1], source.split_seed, limit))
    validation, test = (
        _part_apart(apart[part], gallery, train.images[0].numpy()) if part in apart else taken
        for part, taken in zip(("validation", "test"), others, strict=True)
    )
    targets = _target_stats(gallery, train.labels) if task == "regression" else ((), ())
    return ImageData(train, validation, test, gallery.class_names, *channel_stats(train.images), task, *targets)


def _in_folds(source: _Galleried, number: int, gallery: Gallery, apart: Mapping[str, Gallery]) -> ImageData:
    """The images of a gallery that validate in turn, in so many folds, and those that test."""
    if "validation" in apart:
        raise InputError(
            f"{apart['validation'].where}: these images validate all the time, so that no others can take turns; leave "
            f"out folds = {number}, or put them among the images that train"
        )
    tested = 0.0 if "test" in apart else source.test
    shares = min(source.validation, (1 - tested) / 2), tested
    rows, tests = split_in_folds(gallery, number, shares, source.split_seed, getattr(source, "limit", None))
    *parts, test = _parts(gallery, (*rows, tests))
    if "test" in apart:
        test = _part_apart(apart["test"], gallery, parts[0].images[0].numpy())
    folds, task = in_turn(parts), gallery.task
    targets = _target_stats(gallery, torch.cat([part.labels for part in parts])) if task == "regression" else ((), ())
    stats = channel_stats_of_levels(sum((count_levels(part.images) for part in parts), torch.tensor(0)))
    first = folds[0].train, folds[0].validation
    return ImageData(*first, test, gallery.class_names, *stats, task, *targets, folds=folds)


def undecodable(source: DataSource, folder: Path) -> Iterator[str]:
    """A line for each file or row of a study that is no image, or one of another size; paths are as in `load_data`.

    What cannot be opened at all has none.
    """
    if not isinstance(source, ImageFolder | Parquet):
        return
    for named in filter(None, (source.path, source.val_path, source.test_path)):
        path = folder / named
        with suppress(InputError):
            images: Iterable[Encoded]
            if isinstance(source, Parquet):
                files = [file for part in find_shards(path).values() for file in part]
                images = chain.from_iterable(encoded_images(file, source) for file in files)
            else:
                listed = images_in(path)[0] if path.is_dir() else ()
                images = ((str(file), file) for file in listed if not _is_mask(source, path, file))
            yield from faults_of(images, source.channels, source.image_size, source.background)


def _is_mask(source: ImageFolder, path: Path, file: Path) -> bool:
    of_masks = is_of_masks(source)
    return source.masks is not None and any(map(of_masks, file.relative_to(path).parents))


def _target_stats(gallery: Gallery, labels: torch.Tensor) -> ChannelStats:
    mean, std = target_stats(labels)
    for name, one in zip(gallery.class_names, std, strict=True):
        if not one > 0:
            found = f"{name} is {float(labels[0, gallery.class_names.index(name)]):g}"
            raise InputError(
                f"{gallery.where}: {found} for every image that trains, so that there is nothing to learn; leave it out"
            )
    return mean, std


def open_galleries(source: _Galleried, folder: Path, task: BuiltIn) -> tuple[Gallery, dict[str, Gallery]]:
    """The images of a source, not decoded yet, and its parts that stand apart, by name; raises as `load_data`."""
    if isinstance(source, Digits):
        return _digits(), {}
    if isinstance(source, Planted):
        return planted(source), {}
    if isinstance(source, Torchvision):
        gallery, test = open_published(folder / source.path, source)
        return gallery, {} if test is None else {"test": test}
    if isinstance(source, Parquet):
        return _open_shards(source, folder, task)
    if source.masks:
        galleries = open_masked(
            source, folder, _folders(source, folder, partial(find_image_parts, without=is_of_masks(source)))
        )
    elif source.labels:
        galleries = open_labelled(source, folder, _folders(source, folder, find_image_parts), task)
    else:
        parts = _folders(source, folder, find_parts)
        galleries = {role: open_folder(part, source) for role, part in parts.items()}
    return galleries.pop("train"), galleries


def _open_shards(source: Parquet, folder: Path, task: BuiltIn) -> tuple[Gallery, dict[str, Gallery]]:
    parts = find_shards(folder / source.path)
    for role, setting in _APART.items():
        if (named := getattr(source, setting)) is not None:
            if role in parts:
                _LOG.warning("%s: passed over, for %s names other images", parts[role][0].parent, setting)
            found = find_shards(folder / named)
            parts[role] = found.get(role, found["train"])
    if len(parts) > 1 or len(parts["train"]) > 1:
        counted = ", ".join(f"{role} {len(files)}" for role, files in parts.items())
        _LOG.warning("%s: Parquet files read, by part: %s", folder / source.path, counted)
    if source.mask_column:
        galleries = open_masked_parquet(parts, source)
    else:
        galleries = {role: open_parquet(files, source, task) for role, files in parts.items()}
    return galleries.pop("train"), galleries


def _folders(source: ImageFolder, folder: Path, find: Callable[[Path], dict[str, Path]]) -> dict[str, Path]:
    """The folder of each part that has one, `train` always, as `find` finds them in the folder that is named."""
    path = folder / source.path
    parts = find(path)
    trains = parts.pop("train", path)
    for role, setting in _APART.items():
        if (named := getattr(source, setting)) is not None:
            if role in parts:
                _LOG.warning("%s: passed over, for %s names other images", parts[role], setting)
            parts[role] = find(folder / named).get(role, folder / named)
    if trains != path:
        read = "".join(f", {part.name} the {role} part" for role, part in parts.items())
        missing = [part for part in ("validation", "test") if part not in parts]
        rest = "".join(f"; {getattr(source, part):g} of {trains.name} is the {part} part" for part in missing)
        _LOG.warning("%s: read as parts, not as classes: %s is the train part%s%s", path, trains.name, read, rest)
    return {"train": trains, **parts}


def _digits() -> Gallery:
    """Handwritten digits of the UCI repository, as scikit-learn ships them; ink 0 to 16 becomes 0 to 255."""
    digits = load_digits()
    images = np.rint(digits.images[:, None] * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in digits.target_names)
    return Gallery("digits", names, digits.target.astype(np.int64), lambda rows: images[rows])


def _parts(gallery: Gallery, rows: tuple[Rows, ...]) -> list[Part]:
    taken = np.sort(np.concatenate(rows))
    images, labels = gallery.decode(taken), gallery.labels_of(taken)
    places = (np.searchsorted(taken, part) for part in rows)
    return [_part(images[place], labels[place]) for place in places]


def _part_apart(tested: Gallery, known: Gallery, example: NDArray[np.uint8]) -> Part:
    """All images of a gallery, with the labels of another for their classes."""
    noun = _NOUN.get(known.task, "class")
    if unknown := [name for name in tested.class_names if name not in known.class_names]:
        raise InputError(
            f"{tested.where}: {noun} {unknown[0]!r} is unknown in {known.where}, whose {len(known.class_names)}"
            f" {_PLURAL[noun]} begin with {', '.join(known.class_names[:5])}; both must have the same"
        )
    if missing := [name for name in known.class_names if name not in tested.class_names]:
        named = f"{len(missing)} of {len(known.class_names)} {_PLURAL[noun]}, {', '.join(missing[:5])}"
        _LOG.warning("%s: has no images of %s%s", tested.where, named, ", ..." * (len(missing) > 5))
    images = tested.decode(np.arange(len(tested.labels)))
    if images.shape[1:] != example.shape:
        raise InputError(
            f"{tested.where}: images are {size(images)} pixels, but {size(example)} in {known.where};"
            " give them one size: image_size = 32"
        )
    return _part(images, _translated(tested, known))


def _translated(tested: Gallery, known: Gallery) -> NDArray[Any]:
    """All labels of a gallery by the names of another."""
    places = np.array([known.class_names.index(name) for name in tested.class_names], dtype=np.int64)
    if tested.masks is not None:
        return tested.masks(np.arange(len(tested.labels)))
    if tested.task == "classification":
        return np.asarray(places[tested.labels])
    labels = np.zeros((len(tested.labels), len(known.class_names)), dtype=tested.labels.dtype)
    labels[:, places] = tested.labels
    return labels


def _part(images: NDArray[np.uint8], labels: NDArray[Any]) -> Part:
    return Part(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(np.ascontiguousarray(labels)))
