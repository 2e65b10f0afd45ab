"""Labelled images that wait to be decoded, so that a limit saves the work for what it leaves out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Which images of a gallery: indices, counting up."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """What a source holds, before any pixel of it is looked at."""

    where: str
    """The file or folder, for messages."""
    class_names: tuple[str, ...]
    """The classes that have images."""
    labels: NDArray[np.int64]
    """(N,); an index into the class names."""
    decode: Callable[[Rows], NDArray[np.uint8]]
    """The images of some rows, (rows, C, H, W).

    Raises `InputError` for an image that cannot be read, and where sizes differ."""
