"""From what a study says about its data to the images themselves."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from nas_attn.settings import DataModule, DataSource, Digits, ImageFolder, Parquet, Planted, Torchvision
from nas_attn.space import InputError

from .folder import open_folder
from .gallery import Gallery, Rows
from .images import ImageData, Part, spread
from .module import open_module
from .parquet import open_parquet
from .pixels import size
from .planted import planted
from .published import open_published
from .split import split

_Held = Digits | Planted | ImageFolder | Parquet | Torchvision


def load_data(source: DataSource, folder: Path) -> ImageData:
    """Read the images that a study names, and divide them; paths are relative to `folder`.

    The parts depend on the images, the shares and `split_seed` alone. Where test images stand apart, all of them are
    the test part, and `limit` leaves them alone. A user's module divides its images itself.

    Raises `InputError` that says which file, column or class is at fault, and the cure.
    """
    if isinstance(source, DataModule):
        return open_module(source)
    gallery, apart = _open(source, folder)
    if len(gallery.class_names) < 2:
        raise InputError(f"{gallery.where}: has one class, {gallery.class_names[0]!r}; there must be two or more")
    limit = None if isinstance(source, Digits | Planted) else source.limit
    rows = split(gallery, source.validation, source.test if apart is None else 0.0, source.split_seed, limit)
    train, validation, test = _parts(gallery, rows)
    if apart is not None:
        test = _test_part(apart, gallery, train.images[0].numpy())
    mean, std = spread(train.images)
    return ImageData(train, validation, test, gallery.class_names, mean, std)


def _open(source: _Held, folder: Path) -> tuple[Gallery, Gallery | None]:
    """What a source holds, and the test images that stand apart, if they do."""
    if isinstance(source, Digits):
        return _digits(), None
    if isinstance(source, Planted):
        return planted(source), None
    if isinstance(source, Torchvision):
        return open_published(folder / source.path, source)
    gallery = _open_files(source, folder / source.path)
    return gallery, None if source.test_path is None else _open_files(source, folder / source.test_path)


def _open_files(source: ImageFolder | Parquet, path: Path) -> Gallery:
    return open_folder(path, source) if isinstance(source, ImageFolder) else open_parquet(path, source)


def _digits() -> Gallery:
    """Handwritten digits of the UCI repository, as scikit-learn ships them; ink 0 to 16 becomes 0 to 255."""
    digits = load_digits()
    images = np.rint(digits.images[:, None] * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in digits.target_names)
    return Gallery("digits", names, digits.target.astype(np.int64), lambda rows: images[rows])


def _parts(gallery: Gallery, rows: tuple[Rows, Rows, Rows]) -> tuple[Part, Part, Part]:
    """Decode every image once, and hand it to its part."""
    taken = np.sort(np.concatenate(rows))
    images = gallery.decode(taken)
    train, validation, test = (_part(images[np.searchsorted(taken, part)], gallery.labels[part]) for part in rows)
    return train, validation, test


def _test_part(tested: Gallery, known: Gallery, example: NDArray[np.uint8]) -> Part:
    """All images of a gallery, with the labels that another gives to their classes."""
    if unknown := [name for name in tested.class_names if name not in known.class_names]:
        raise InputError(
            f"{tested.where}: class {unknown[0]!r} is unknown in {known.where}, whose {len(known.class_names)} classes"
            f" begin with {', '.join(known.class_names[:5])}; both must have the same"
        )
    images = tested.decode(np.arange(len(tested.labels)))
    if images.shape[1:] != example.shape:
        raise InputError(
            f"{tested.where}: images are {size(images)} pixels, but {size(example)} in {known.where};"
            " give them one size: image_size = 32"
        )
    translated = np.array([known.class_names.index(name) for name in tested.class_names], dtype=np.int64)
    return _part(images, translated[tested.labels])


def _part(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Part:
    return Part(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels))
