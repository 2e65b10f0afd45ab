"""What a path of images is, as far as its files tell: how they are labelled, their sizes, and how many there are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nas_attn.data.decoding import orientation
from nas_attn.data.folder import images_in
from nas_attn.data.gallery import Gallery
from nas_attn.data.pixels import opened
from nas_attn.data.sources import open_galleries
from nas_attn.settings import BuiltIn, Digits, ImageFolder, Parquet, Planted, toml_value
from nas_attn.space import InputError

from .layouts import layout
from .questions import Ask

_SCANNED = 2_000  # images whose sizes are read
_MADE: dict[str, Digits | Planted] = {"digits": Digits(), "planted": Planted()}
_GREY = {"1", "L", "LA"}


@dataclass(frozen=True)
class Found:
    """Images of a study, with what was found of them."""

    data: Mapping[str, Any]
    """The `[data]` of the study; `path` is absolute."""
    task: BuiltIn
    classes: tuple[str, ...]
    """Of classes, labels or values; of masks none, for those are not read."""
    train: int
    """Images to train on."""
    validation: int
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How many images there are of each width and height, of those whose size was read."""
    grey: bool = False
    """Whether all of them are."""
    lines: tuple[str, ...] = ()
    """What was found, in words."""


def find_images(path: str, ask: Ask) -> Found:
    """The images in a folder or a Parquet file, or those of `digits` or `planted`.

    Raises `InputError` where no labels are found, or they cannot be read.
    """
    if path in _MADE and not Path(path).exists():
        gallery, _ = open_galleries(_MADE[path], Path(), "classification")
        return _counted({"kind": path}, "classification", gallery, {})
    toml_value(path)
    data, task = layout(Path(path).absolute(), ask)
    source: ImageFolder | Parquet = (Parquet if data["kind"] == "parquet" else ImageFolder).model_validate(data)
    gallery, apart = open_galleries(source, Path(), task)
    return _scanned(_counted(data, task, gallery, apart), gallery)


def _counted(data: Mapping[str, Any], task: BuiltIn, gallery: Gallery, apart: Mapping[str, Gallery]) -> Found:
    number = len(gallery.labels)
    parts = {name: len(apart[name].labels) if name in apart else round(0.2 * number) for name in ("validation", "test")}
    trains = number - sum(count for name, count in parts.items() if name not in apart)
    named = ", ".join([f"{name} {count:,}" for name, count in {"train": trains, **parts}.items()])
    how = "their own folders" if len(apart) == 2 else "a share of the others" if not apart else "folders and shares"
    lines = [f"{number + sum(len(one.labels) for one in apart.values()):,} images: {named} ({how})"]
    return Found(data, task, gallery.class_names, trains, parts["validation"], lines=(*lines, *_labels(task, gallery)))


def _labels(task: BuiltIn, gallery: Gallery) -> list[str]:
    names = gallery.class_names
    if task == "segmentation":
        return ["each image has a mask, whose pixels are class numbers"]
    shown = ", ".join([*names[:8], *(["..."] if len(names) > 8 else [])])
    if task == "regression":
        return [f"{len(names)} number{'s' if len(names) > 1 else ''} to predict: {shown}"]
    counts = np.bincount(gallery.labels, minlength=len(names)) if task == "classification" else gallery.labels.sum(0)
    few, many = int(counts.argmin()), int(counts.argmax())
    noun = "classes" if task == "classification" else "labels"
    spread = f"from {counts[few]:,} images ({names[few]}) to {counts[many]:,} ({names[many]})"
    return [f"{len(names)} {noun}: {shown}; {spread if counts[few] < counts[many] else f'{counts[few]:,} images each'}"]


def _scanned(found: Found, gallery: Gallery) -> Found:
    """With the sizes of at most 2,000 images, spread over all of a folder; those that cannot be read are counted."""
    contents: Any
    if found.data["kind"] == "folder":
        listed, _ = images_in(Path(found.data["path"]))
        contents = listed[:: -(-len(listed) // _SCANNED)]
    else:
        contents = islice(gallery.encoded() if gallery.encoded else (), _SCANNED)
    sizes, modes, broken = Counter[tuple[int, int]](), Counter[str](), list[str]()
    for content in contents:
        try:
            with opened(content) as image:
                size, mode = _upright(image), image.mode
        except Exception as error:  # decoders stumble over broken files in any way
            broken.append(f"{content if isinstance(content, Path) else 'an image'} ({type(error).__name__})")
            continue
        sizes[size] += 1
        modes["grey" if mode in _GREY else "colour"] += 1
    if not sizes:
        raise InputError(f"{found.data['path']}: no image can be read, as {broken[0] if broken else 'none is there'}")
    return Found(
        found.data,
        found.task,
        found.classes,
        found.train,
        found.validation,
        sizes,
        grey=not modes["colour"],
        lines=(*found.lines, *_in_words(sizes, modes, broken)),
    )


def _in_words(sizes: Counter[tuple[int, int]], modes: Counter[str], broken: list[str]) -> list[str]:
    (width, height), most = sizes.most_common(1)[0]
    ends = [f"{min(side)} to {max(side)}" for side in zip(*sizes, strict=True)]
    spread = (
        f"{len(sizes)} sizes, {ends[0]} wide and {ends[1]} high" if len(sizes) > 1 else f"{width} x {height} pixels"
    )
    of = f" (of {sizes.total():,} that were opened)" if sizes.total() >= _SCANNED else ""
    lines = [f"{spread}, {' and '.join(f'{count:,} {what}' for what, count in modes.items() if count)}{of}"]
    if len(sizes) > 1:
        lines[0] += f"; most often {width} x {height}, {most:,} times"
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        lines.append(f"{broken[0]}{more} cannot be read as an image: mend or remove it before the search")
    return lines


def _upright(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if orientation(image) >= 5 else (width, height)
