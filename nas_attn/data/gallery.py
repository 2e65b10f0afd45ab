"""Labelled images that are not decoded yet, so that a limit saves the work for what it leaves out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Indices of images in a gallery, counting up."""

Decode = Callable[[Rows], NDArray[np.uint8]]
"""The images of some rows, (rows, C, H, W); raises `InputError` for one that cannot be read, or of another size."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Images of a source, with labels."""

    where: str
    """The file or folder, for messages."""
    class_names: tuple[str, ...]
    """The classes that have images."""
    labels: NDArray[np.int64]
    """(N,); an index into the class names."""
    decode: Decode


def indexed_gallery(where: str, indices: NDArray[np.int64], names: Sequence[str], decode: Decode) -> Gallery:
    """A gallery of images with class indices (N,); a class without an image is left out.

    Classes have these names, else, where names are lacking or ambiguous, their index.
    """
    present, labels = np.unique(indices, return_inverse=True)
    named = len(set(names)) == len(names) > present[-1]
    class_names = tuple(names[index] if named else str(index) for index in present)
    return Gallery(where, class_names, labels.astype(np.int64), decode)
