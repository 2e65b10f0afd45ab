"""Layout of somebody's images: a folder a class, parts, a table of labels, masks, or Parquet files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

from nas_attn.data.folder import counted, images_in, is_image, sub_folders
from nas_attn.data.label_file import TABLES
from nas_attn.data.layout import find_image_parts, find_parts, role_of
from nas_attn.data.mask_folder import MASK_NAME
from nas_attn.data.shards import find_shards
from nas_attn.data.sources import open_galleries
from nas_attn.settings import BuiltIn, ImageFolder
from nas_attn.space import InputError

from .label_columns import columns_said, names_images
from .questions import Ask, Question

_NO_CLASSES = {"images", "image", "imgs", "img", "photos", "pictures", "data", "jpegimages", "jpg", "jpeg", "png"}
"""Names of a folder of images that is no class, in lower case."""
Layout = tuple[dict[str, Any], BuiltIn]


def layout(path: Path, ask: Ask) -> Layout:
    """The `[data]` of a study about these images, and its task; raises `InputError` where no labels are found."""
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder of images")
    if path.is_file() and path.suffix.lower() != ".parquet":
        if path.suffix.lower() not in TABLES:
            raise InputError(f"{path}: is a file; allowed: a folder of images, a table of labels, or a Parquet file")
        return _labelled(path.parent, path.name, ask)
    listed, passed = images_in(path) if path.is_dir() else ([], None)
    if not listed:
        if path.is_file() or any(path.rglob("*.parquet")):
            return _parquet(path, ask)
        raise InputError(f"{path}: holds no images{f'; found {counted(passed)}' if passed else ''}")
    path = _inner(path)
    masks = next(filter(None, (_masked(path, name) for name in _mask_folders(path))), None)
    if masks is not None:
        return masks, "segmentation"
    tables, classes = _tables(path, listed), _classes(path)
    if tables and (not classes or _asks_table(path, tables, classes, ask)):
        name = tables[0]
        if len(tables) > 1:
            name = ask(Question("Which table holds the labels?", tables[0], tuple(tables)))
        return _labelled(path, name, ask)
    if classes:
        return {"kind": "folder", "path": str(path)}, "classification"
    raise InputError(
        f"{path}: {len(listed):,} images without labels; allowed: a sub-folder for each class, a table of labels "
        f"beside them ({', '.join(TABLES)}) with a row for each image, or a folder of masks"
    )


def _inner(path: Path) -> Path:
    """The only folder inside that holds anything, as archives leave them; else the folder itself."""
    folders = [folder for folder in sub_folders(path) if images_in(folder)[0]]
    files = [file for file in path.iterdir() if is_image(file) or file.suffix.lower() in TABLES]
    alone = len(folders) == 1 and not files and role_of(folders[0].name) is None and sub_folders(folders[0])
    return _inner(folders[0]) if alone else path


def _classes(path: Path) -> list[str]:
    """The names of the folders that are classes, those of the training part where there are parts."""
    trains = find_parts(path).get("train", path)
    folders = [folder for folder in sub_folders(trains) if images_in(folder)[0]]
    named = [folder.name for folder in folders if folder.name.casefold() not in _NO_CLASSES]
    return named if len(named) > 1 and not any(map(is_image, trains.iterdir())) else []


def _mask_folders(path: Path) -> list[str]:
    folders = [*sub_folders(path), *(inner for folder in sub_folders(path) for inner in sub_folders(folder))]
    return [*dict.fromkeys(one.name for one in folders if MASK_NAME.fullmatch(one.name) and images_in(one)[0])]


def _masked(path: Path, masks: str) -> dict[str, Any] | None:
    """The `[data]` of images with masks in folders of this name; None where they do not fit together."""
    data = {"kind": "folder", "path": str(path), "masks": masks}
    files = [file for folder in path.rglob(masks) if folder.is_dir() for file in images_in(folder)[0][:3]]
    try:
        for file in files:
            with Image.open(file) as image:
                if image.mode not in ("1", "L", "P"):
                    return None
        open_galleries(ImageFolder.model_validate(data), Path(), "segmentation")
    except (InputError, OSError):
        return None
    return data


def _tables(path: Path, images: Sequence[Path]) -> list[str]:
    """The names of the tables, in the folder or in its training part, whose rows name images."""
    places = [path, *find_image_parts(path).values(), *find_parts(path).values()]
    files = sorted({file for place in places for file in place.iterdir() if file.suffix.lower() in TABLES})
    names = {image.name for image in images} | {image.stem for image in images}
    return [*dict.fromkeys(file.name for file in files if names_images(file, names))]


def _asks_table(path: Path, tables: Sequence[str], classes: Sequence[str], ask: Ask) -> bool:
    """Whether a table says what images show, and not the folders that they lie in."""
    text = f"What says what an image of {path.name} shows: its folder ({', '.join(classes[:3])}, ...) or the table?"
    parts = all(re.search(r"part|batch|fold|\d$", name, re.IGNORECASE) for name in classes)
    return ask(Question(text, "table" if parts else "folder", ("folder", "table"))) == "table"


def _labelled(path: Path, name: str, ask: Ask) -> Layout:
    file = next(place / name for place in _places(path) if (place / name).is_file())
    said, task = columns_said(file, ask)
    return {"kind": "folder", "path": str(path), "labels": name, **said}, task


def _places(path: Path) -> Iterator[Path]:
    yield from (path, *find_image_parts(path).values(), *find_parts(path).values())


def _parquet(path: Path, ask: Ask) -> Layout:
    data = {"kind": "parquet", "path": str(path)}
    schema = pq.read_schema(find_shards(path)["train"][0])
    names = [one.name for one in schema if not str(one.type).startswith(("struct", "binary", "large_binary"))]
    if "label" not in names:
        if not names:
            raise InputError(f"{path}: has no column of labels; it has {', '.join(schema.names)}")
        usual = next((name for name in names if "label" in name.casefold() or "class" in name.casefold()), names[0])
        data["label_column"] = ask(Question("Which column holds the class of an image?", usual, tuple(names)))
    return data, "classification"
