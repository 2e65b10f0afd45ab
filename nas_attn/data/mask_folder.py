"""Images in a folder with a folder of masks, matched by their names."""

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nas_attn.settings import ImageFolder
from nas_attn.space import InputError, allowed

from .folder import counted, images_in, listed_gallery, sub_folders
from .gallery import Gallery, Rows
from .layout import images_of_parts
from .masks import Pairs, with_masks
from .pixels import Encoded

_LOG = logging.getLogger(__name__)
_MASK = (
    r"masks?|seg|segs|segmentation|labels?|lbl|gt|ground[_ -]?truth|annot|annotations?|trimaps?|matte|manual1|l"
    r"|labelids|labeltrainids|gtfine[_ -]labelids|gtfine[_ -]labeltrainids"
)
_IMAGE = r"images?|img|sat|rgb|leftimg8bit|training|test"
MASK_NAME = re.compile(_MASK, re.IGNORECASE)
"""What a folder of masks is called."""
_ENDING = re.compile(rf"[_ .-](?:{_MASK})$", re.IGNORECASE)
_EXTRAS = [
    re.compile(rf"^(?:{first})(?:[_ .-]|(?=\d))|[_ .-](?:{last})$", re.IGNORECASE)
    for first, last in (("images?|img|sat|rgb", _IMAGE), ("masks?|seg|labels?|gt", _MASK))
]
"""What names of images, and of masks, have beside what they have in common."""


def masks_folder(source: ImageFolder, folder: Path, part: Path) -> Path:
    """The folder of the masks of a part; raises `InputError` where there is none."""
    said, path = Path(str(source.masks)), folder / source.path
    name, beside = said.name, part.parent
    places = [part / said, beside / said, beside / name]
    places += [beside / f"{one}{gap}{two}" for gap in "_- " for one, two in ((part.name, name), (name, part.name))]
    if (other := re.sub("(?i)images?|imgs?", name, part.name)) != part.name:
        places.append(beside / other)
    places.append(beside / f"{part.name}{name}")
    for root in (path, path.parent, folder):
        places += [root / said / part.name, root / said / beside.name, root / said]
    for place in places:
        if place.is_dir():
            return place
    there = [one.name for root in dict.fromkeys((part, beside)) for one in sub_folders(root)]
    found = f"found {source.masks!r}, but there is no such folder in {part}, beside it or in {folder}"
    raise InputError(f"data.masks: {found}; {allowed(source.masks, dict.fromkeys(there))}")


def open_masked(source: ImageFolder, folder: Path, parts: Mapping[str, Path]) -> dict[str, Gallery]:
    """The images of each part with their masks; images without a mask, and masks without an image, are passed over.

    Raises `InputError` where there are no masks, or a mask is at fault.
    """
    images = images_of_parts(parts)
    pairs = {
        role: _pairs(source, part, images[role], masks_folder(source, folder, part)) for role, part in parts.items()
    }
    return with_masks(pairs, source)


def is_of_masks(source: ImageFolder) -> Callable[[Path], bool]:
    """Whether a folder has the name of the one of masks."""
    name = Path(str(source.masks)).name.casefold()
    return lambda folder: folder.name.casefold() == name


def _pairs(source: ImageFolder, part: Path, images: Sequence[Path], masks: Path) -> Pairs:
    files, others = images_in(masks)
    if masks.samefile(part):
        files = [file for file in files if _ENDING.search(file.stem)]
    there = {*files} if masks.is_relative_to(part) else set[Path]()
    images = [image for image in images if image not in there and not (masks != part and image.is_relative_to(masks))]
    if not images or not files:
        found = f"; found {counted(others)}" if images and others else ""
        raise InputError(f"{masks if images else part}: holds no {'masks' if images else 'images'}, as .png{found}")
    mask_of = _matched(_root(part, images), images, _root(masks, files), files)
    if not mask_of:
        raise InputError(
            f"{masks}: no mask has the name of an image in {part}, as {files[0].name} has not that of {images[0].name};"
            " name a mask as its image, with another suffix or with _mask behind it"
        )
    listed = [image for image in images if image in mask_of]
    for left, of, what in (
        ([image for image in images if image not in mask_of], part, "images without a mask"),
        ([file for file in files if file not in mask_of.values()], masks, "masks without an image"),
    ):
        if left:
            _LOG.warning("%s: passed over: %d %s, as %s", of, len(left), what, left[0].name)
    labels = np.zeros((len(listed), 0), dtype=np.uint8)
    gallery = listed_gallery(part, listed, source, class_names=(), labels=labels, task="segmentation")

    def named(files: Sequence[Path]) -> Callable[[Rows], Iterator[Encoded]]:
        return lambda rows: ((str(files[row]), files[row]) for row in rows)

    return Pairs(gallery, named(listed), named([mask_of[image] for image in listed]))


def _root(folder: Path, files: Sequence[Path]) -> Path:
    """The folder in which all of these files are, so that `train/images/a/1.jpg` has the place `a/1.jpg`."""
    inner = {file.relative_to(folder).parts[0] for file in files}
    only = folder / next(iter(inner))
    return _root(only, files) if len(inner) == 1 and only.is_dir() else folder


def _matched(root: Path, images: Sequence[Path], base: Path, masks: Sequence[Path]) -> dict[Path, Path]:
    """The mask of each image that has one: of its place and name; else without usual endings; else in another folder.

    Raises `InputError` for an image with several of its place and name.
    """
    found: dict[Path, Path] = {}
    for way in ("as it is", "without endings", "in any folder"):
        taken = {*found.values()}
        of_image, of_mask = (
            _by_key(where, [file for file in files if file not in taken and file not in found], way, extras)
            for where, files, extras in zip((root, base), (images, masks), _EXTRAS, strict=True)
        )
        new = {key: (of_image[key], of_mask[key]) for key in of_image if key in of_mask}
        alone = {many[0]: files[0] for many, files in new.values() if len(many) == len(files) == 1}
        if len(alone) < len(new) and way != "in any folder":
            many, files = next(one for one in new.values() if len(one[0]) > 1 or len(one[1]) > 1)
            names = ", ".join(str(file.relative_to(base)) for file in files)
            raise InputError(f"{base}: {names} may be the mask of {_names(many)}; leave one for each image")
        if alone and way != "as it is":
            image, mask = next(iter(alone.items()))
            message = "%s: %d masks were matched with images of a name that differs, as %s with %s"
            _LOG.warning(message, base, len(alone), mask.relative_to(base), image.relative_to(root))
        found |= alone
    return found


def _by_key(root: Path, files: Sequence[Path], way: str, extras: re.Pattern[str]) -> dict[tuple[str, str], list[Path]]:
    found = defaultdict(list)
    for file in files:
        place = file.parent.relative_to(root).as_posix() if way != "in any folder" else ""
        name = file.stem if way == "as it is" else extras.sub("", file.stem).casefold()
        found[place, name].append(file)
    return found


def _names(files: Sequence[Path]) -> str:
    return ", ".join(file.name for file in files)
