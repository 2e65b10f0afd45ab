"""Images in folders, a folder a class."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_attn.settings import ImageFolder
from nas_attn.space import InputError

from .gallery import Gallery, Rows
from .pixels import decode

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files that count as images; in capitals too."""

_PARTS = {"train", "training", "val", "valid", "validation", "test"}


def open_folder(path: Path, source: ImageFolder) -> Gallery:
    """The images of a folder with a sub-folder for each class, however deep they lie in it.

    Classes stand in the order of their names. What is hidden, and what is no image by its suffix, is passed over.

    Raises `InputError` where there is no such folder, or a class without images.
    """
    if not path.is_dir():
        raise InputError(f"{path}: {'is a file, not a folder' if path.exists() else 'there is no such folder'}")
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        loose = f"; {len(_images(path))} images lie in the folder itself" if _images(path) else ""
        raise InputError(f"{path}: has no sub-folders; give the images of each class a sub-folder of its own{loose}")
    names = tuple(folder.name for folder in folders)
    if {name.lower() for name in names} <= _PARTS:
        trains = next((name for name in names if name.lower().startswith("train")), names[0])
        raise InputError(
            f"{path}: its sub-folders are {', '.join(names)}, which are parts, not classes;"
            f" set path to the one that trains, test_path to the one for testing: {source.path}/{trains}"
        )
    files = [_images(folder) for folder in folders]
    for folder, found in zip(folders, files, strict=True):
        if not found:
            raise InputError(f"{folder}: holds no images; remove it, or add files of type {' '.join(SUFFIXES)}")
    listed = [file for found in files for file in found]
    labels = np.repeat(np.arange(len(files), dtype=np.int64), [len(found) for found in files])

    def pixels(rows: Rows) -> NDArray[np.uint8]:
        named = ((str(listed[row]), listed[row]) for row in rows)
        return decode(named, len(rows), source.channels, source.image_size, source.background)

    return Gallery(str(path), names, labels, pixels)


def _images(folder: Path) -> list[Path]:
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    seen = (file for file in files if not any(piece.startswith(".") for piece in file.parts))
    return [folder / file for file in sorted(seen) if (folder / file).is_file()]
