"""Data sets of torchvision, by name."""

import inspect
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_attn.settings import Torchvision, library
from nas_attn.space import InputError, allowed, first_line

from .gallery import Gallery, Rows, indexed_gallery
from .pixels import decode

_TRAINS = {"train": (True,), "split": ("train", "trainval")}
_TESTS = {"train": (False,), "split": ("test",)}


def open_published(root: Path, source: Torchvision) -> tuple[Gallery, Gallery | None]:
    """The training images of a data set, and its test images, if it has any.

    Classes have the names that the set gives them, else their index; a class without an image is left out.

    Raises `InputError` where torchvision is missing, does not know the set, or cannot read it; where the set has no
    class for each image.
    """
    sets = library("torchvision").datasets
    known = [name for name in sets.__all__ if _parted_by(getattr(sets, name))]
    if source.name not in known:
        rule = "torchvision has no set of that name with a part that trains"
        raise InputError(f"data.name: found {source.name!r}; {rule}; {allowed(source.name, known)}")
    made = getattr(sets, source.name)
    parted_by = _parted_by(made)
    trains = _part(made, root, source, parted_by, _TRAINS)
    if trains is None:
        raise InputError(f"data.name: {source.name} has no part {' or '.join(map(str, _TRAINS[parted_by]))}")
    tests = _part(made, root, source, parted_by, _TESTS)
    return _gallery(trains, root, source), tests and _gallery(tests, root, source)


def _parted_by(made: Any) -> str:
    """The argument that chooses a part of a set; none where a set needs more than that and a folder."""
    arguments = inspect.signature(made).parameters
    needed = {
        name
        for name, argument in arguments.items()
        if argument.default is argument.empty and argument.kind is not argument.VAR_KEYWORD
    }
    return next((name for name in _TRAINS if name in arguments and needed == {"root"}), "")


def _part(made: Any, root: Path, source: Torchvision, parted_by: str, names: dict[str, tuple[Any, ...]]) -> Any:
    fetched = {"download": True} if source.download else {}
    if source.download and "download" not in inspect.signature(made).parameters:
        raise InputError(f"data.download: torchvision cannot fetch {source.name}; put its files into {root}")
    for name in names[parted_by]:
        try:
            return made(root=str(root), **{parted_by: name}, **fetched)
        except Exception as error:  # each set has its own ways to miss its files
            if f"for argument {parted_by}" not in str(error):
                cure = "" if source.download else "; set download = true, or put its files there"
                raise InputError(f"{root}: {source.name} cannot be read there: {first_line(error)}{cure}") from error
    return None


def _gallery(images: Any, root: Path, source: Torchvision) -> Gallery:
    where = f"{root}: {source.name}"
    if not len(images):
        raise InputError(f"{where}: has no images")
    indices = _indices(where, images)
    channels = source.channels or (1 if images[0][0].mode in ("1", "L") else 3)
    classes = getattr(images, "classes", None) or ()
    names = [name if isinstance(name, str) else ", ".join(name) for name in classes]

    def pixels(rows: Rows) -> NDArray[np.uint8]:
        named = ((f"{where}: image {row}", images[int(row)][0]) for row in rows)
        return decode(named, len(rows), channels, source.image_size)

    return indexed_gallery(where, indices, names, pixels)


def _indices(where: str, images: Any) -> NDArray[np.int64]:
    """The class of each image; where the set has no list of them, every image is opened for it."""
    label = images[0][1]
    if not isinstance(label, Integral):
        raise InputError(f"{where}: its images have no class each, but {type(label).__name__}; it is for other tasks")
    listed = getattr(images, "targets", getattr(images, "labels", None))
    if listed is None or np.ndim(listed) != 1:
        listed = [images[row][1] for row in range(len(images))]
    return np.asarray(listed, dtype=np.int64)
