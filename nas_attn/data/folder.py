"""Images in folders, one folder a class."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_attn.settings import ImageFolder
from nas_attn.space import InputError, reported

from .gallery import Gallery, Rows
from .pixels import decode

UNLABELLED = {"unlabeled", "unlabelled", "unsup"}
"""Names of a folder of images without a class, in lower case."""

_LOG = logging.getLogger(__name__)
_NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow recognises, and decodes not at all or with another program only."""
_LEFT_BY_PROGRAMS = {
    "@eadir",
    "__macosx",
    "#recycle",
    "@recycle",
    "$recycle.bin",
    "lost+found",
    "system volume information",
}
"""Folders that a storage, an archive or a system leaves behind, with copies, thumbnails and what was deleted."""


def open_folder(path: Path, source: ImageFolder) -> Gallery:
    """The images of a folder with a sub-folder for each class, however deep they lie in it.

    Classes stand in the order of their names. Hidden files are passed over; so are files without an image's suffix,
    what programs leave behind and, beside classes, a folder of unlabelled images, which the log counts.

    Raises `InputError` where there is no such folder, or a class without images.
    """
    folders, passed = sub_folders(path), Counter[str]()
    if not folders:
        found, _ = images_in(path)
        loose = f"; {len(found)} images lie in the folder itself" if found else ""
        raise InputError(f"{path}: has no sub-folders; give the images of each class a sub-folder of its own{loose}")
    unlabelled = [folder for folder in folders if folder.name.casefold() in UNLABELLED]
    folders = [folder for folder in folders if folder not in unlabelled]
    files = [_of_class(folder, passed) for folder in folders]
    passed["beside the folders"] = sum(child.is_file() and not child.name.startswith(".") for child in path.iterdir())
    passed.update({f"in {folder.name}": len(images_in(folder)[0]) for folder in unlabelled})
    if passed := +passed:
        _LOG.warning("%s: passed over: %s", path, counted(passed))
    listed = [file for found in files for file in found]
    labels = np.repeat(np.arange(len(files), dtype=np.int64), [len(found) for found in files])
    return listed_gallery(path, listed, source, class_names=tuple(folder.name for folder in folders), labels=labels)


def listed_gallery(path: Path, listed: Sequence[Path], source: ImageFolder, **labelled: Any) -> Gallery:
    """A gallery of these images in a folder, with names and labels."""

    def pixels(rows: Rows) -> NDArray[np.uint8]:
        named = ((str(listed[row]), listed[row]) for row in rows)
        return decode(named, len(rows), source.channels, source.image_size, source.background)

    return Gallery(
        where=str(path),
        decode=pixels,
        named=lambda row: str(listed[row].relative_to(path)),
        encoded=lambda: map(_content, listed),
        groups=source.groups and [_group(file.relative_to(path), source.groups) for file in listed],
        **labelled,
    )


def _of_class(folder: Path, passed: Counter[str]) -> list[Path]:
    """The images of a class, with what is passed over beside them added to `passed`; raises `InputError` for none."""
    found, others = images_in(folder)
    passed += others
    if not found:
        there = f" (there are {counted(others)})" if others else ""
        raise InputError(f"{folder}: holds no images{there}; remove it, or add files such as .png or .jpg")
    return found


def _content(file: Path) -> bytes:
    with reported(f"{file}: cannot be read", OSError):
        return file.read_bytes()


def _group(file: Path, pattern: str) -> str:
    """What a pattern finds in the path of an image: its groups, or all of it; raises `InputError` where nothing."""
    found = re.search(pattern, file.as_posix())
    if found is None:
        raise InputError(
            f"data.groups: {pattern!r} finds nothing in {file.as_posix()!r}; every image must have a group"
        )
    return " ".join(one or "" for one in found.groups()) or found.group()


def sub_folders(path: Path) -> list[Path]:
    """Sub-folders by name, without hidden ones and those left by programs; raises `InputError` if it is no folder."""
    if not path.is_dir():
        raise InputError(f"{path}: {'is a file, not a folder' if path.exists() else 'there is no such folder'}")
    shown = (child for child in path.iterdir() if not child.name.startswith("."))
    return sorted(child for child in shown if child.name.casefold() not in _LEFT_BY_PROGRAMS and child.is_dir())


def images_in(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The image files in a folder, however deep, in order, and counts of other files by what they are.

    Hidden files are not counted; of what programs leave behind only the image files are.
    """
    images, passed = [], Counter[str]()
    for file in folder.rglob("*"):
        pieces = file.relative_to(folder).parts
        if any(piece.startswith(".") for piece in pieces):
            continue
        left = [piece for piece in pieces if piece.casefold() in _LEFT_BY_PROGRAMS]
        if not file.is_file():
            if file.is_symlink():
                passed["links to folders" if file.exists() else "dead links"] += 1
        elif file.suffix.lower() not in _suffixes():
            passed[f"*{file.suffix.lower()}" if file.suffix else "without a suffix"] += not left
        elif left:
            passed[f"in {left[0]}"] += 1
        else:
            images.append(file.relative_to(folder))
    return [folder / file for file in sorted(images)], +passed


def is_image(file: Path) -> bool:
    """Whether a file exists and has the suffix of an image."""
    return has_image_suffix(file) and file.is_file()


def has_image_suffix(file: PurePath) -> bool:
    """Whether a path ends as an image does."""
    return file.suffix.lower() in _suffixes()


@cache
def _suffixes() -> frozenset[str]:
    known = Image.registered_extensions().items()
    return frozenset(suffix for suffix, kind in known if kind in {*Image.OPEN, "MPO"} - _NO_PICTURES)


def counted(things: Counter[str]) -> str:
    """So many of each thing, in words, the most frequent first."""
    return ", ".join(f"{count:,} {what}" for what, count in things.most_common())
