"""Labelled images that are not decoded yet, so that a limit saves the work for what it leaves out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_attn.labels import Labels
from nas_attn.settings import BuiltIn

Rows = NDArray[np.int64]
"""Indices of images in a gallery, counting up."""

Decode = Callable[[Rows], NDArray[np.uint8]]
"""The images of some rows, (rows, C, H, W); raises `InputError` for one that cannot be read, or of another size."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images of a source, with labels."""

    where: str
    """The file or folder, for messages."""
    class_names: tuple[str, ...]
    """The classes that have images; labels, or the values of a regression."""
    labels: NDArray[Any]
    """int64 (N,), an index into the class names; uint8 (N, K) of 0 and 1 for several labels; float32 (N, K) for values;
    (N, 0) for masks, which are decoded with the images."""
    decode: Decode
    named: Callable[[int], str] = str
    """What an image is called, by its row."""
    encoded: Callable[[], Iterable[bytes]] | None = None
    """The files of all images, in order; without it images are known by their row alone."""
    groups: Sequence[str] | None = None
    """What keeps images together, such as a patient, by row."""
    task: BuiltIn = "classification"
    """What the images are labelled with."""
    masks: Decode | None = None
    """The masks of some rows, (rows, height, width)."""
    mask_digests: NDArray[np.uint64] | None = None
    """(N,); two are equal where the masks are."""

    @cached_property
    def contents(self) -> list[bytes] | None:
        """A digest of the file of each image; two are equal where the files are."""
        return None if self.encoded is None else [blake2b(file, digest_size=8).digest() for file in self.encoded()]

    def labels_of(self, rows: Rows) -> NDArray[Any]:
        """The labels of some rows, masks among them."""
        return self.labels[rows] if self.masks is None else self.masks(rows)


def indexed_gallery(
    where: str, indices: NDArray[np.int64], names: Sequence[str], decode: Decode, **more: Any
) -> Gallery:
    """A gallery of images with class indices (N,), as `present_classes` has them."""
    class_names, labels = present_classes(indices, names)
    return Gallery(where, class_names, labels, decode, **more)


def present_classes(indices: NDArray[np.int64], names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The names of the classes that have an image, and labels as indices into them.

    Classes have these names, else, where names are lacking or ambiguous, their index.
    """
    present, labels = np.unique(indices, return_inverse=True)
    named = len(set(names)) == len(names) > present[-1]
    return tuple(names[index] if named else str(index) for index in present), labels.astype(np.int64)


def labelled(make: Callable[..., Gallery], labels: Labels, rows: NDArray[np.int64], task: BuiltIn) -> Gallery:
    """A gallery, made of class names, labels and task, of some rows of a table.

    A class or label without an image is left out, unless it has a column of its own.
    """
    values, names = labels.values[rows], labels.names
    if task == "classification":
        names, values = present_classes(values, names)
    elif not labels.fixed:
        present = np.flatnonzero(values.any(0))
        names, values = tuple(names[place] for place in present), values[:, present]
    return make(class_names=names, labels=values, task=task)
