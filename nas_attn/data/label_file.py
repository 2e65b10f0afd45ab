"""Images in a folder, with a table of their labels: a row for each image."""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import StringIO
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from nas_attn.labels import Table, read_labels
from nas_attn.settings import BuiltIn, ImageFolder
from nas_attn.space import InputError, allowed, first_line, quoted, reported

from .folder import has_image_suffix, listed_gallery
from .gallery import Gallery, labelled
from .layout import images_of_parts

_LOG = logging.getLogger(__name__)
_FILES = {
    *("file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath", "imagefilename"),
    *("imageid", "imageindex", "img", "imgname", "imgid", "imgpath", "imgfile", "photo", "photoid", "picture", "id"),
    *("name", "isicid"),
}
"""Names of a column of files, in lower case and without what is no letter."""
_ROLES = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
ROW_COUNTER = re.compile(r"|index|unnamed: \d+")
"""Names of a column that a program wrote to count rows."""


def open_labelled(source: ImageFolder, folder: Path, parts: Mapping[str, Path], task: BuiltIn) -> dict[str, Gallery]:
    """The images of each part, with the labels of one table for all of them, or of one in each.

    An image without a row is passed over, which the log says.

    Raises `InputError` where a table, a column or a file is missing, and where a row has no label of the task.
    """
    tables: dict[Path, dict[str, Path]] = defaultdict(dict)
    for role, part in parts.items():
        tables[_found(source, folder, part)][role] = part
    galleries, images = dict[str, Gallery](), images_of_parts(parts)
    for file, of_file in tables.items():
        galleries |= _of_table(source, folder / source.path, file, of_file, images, task)
    return {role: galleries[role] for role in parts}


def _found(source: ImageFolder, folder: Path, part: Path) -> Path:
    places = [place / str(source.labels) for place in (part, part.parent, folder / source.path, folder)]
    for place in places:
        if place.is_file():
            return place
    tried = ", ".join(dict.fromkeys(map(str, places)))
    raise InputError(f"data.labels: found {source.labels!r}, but there is no such file; sought: {tried}")


def _of_table(
    source: ImageFolder,
    path: Path,
    file: Path,
    parts: Mapping[str, Path],
    known: Mapping[str, list[Path]],
    task: BuiltIn,
) -> dict[str, Gallery]:
    columns = read_columns(file)
    files, chosen = _label_columns(file, columns, source, task)
    images = _resolved(
        file, columns[files], files, [path, *parts.values()], [image for role in parts for image in known[role]]
    )
    wanted = {name: columns[name] for name in ([chosen] if chosen else source.label_columns)}
    merged, wanted = _merged(file, images, wanted, joins=task == "multilabel" and chosen is not None)
    table = Table(str(file), wanted, lambda row: merged[row].name)
    labels = read_labels(table, task, chosen, source.label_columns, source.class_names)
    row_of = {image: row for row, image in enumerate(merged)}
    galleries = {}
    for role, part in parts.items():
        listed = [image for image in known[role] if image in row_of]
        if without := [image for image in known[role] if image not in row_of]:
            _LOG.warning("%s: passed over: %d images without a row in %s, as %s", part, len(without), file, without[0])
        if not listed:
            raise InputError(f"{file}: has no row of an image in {part}; its column {files} must name files there")
        rows = np.array([row_of[image] for image in listed], dtype=np.int64)
        galleries[role] = labelled(partial(listed_gallery, part, listed, source), labels, rows, task)
    return galleries


def read_columns(file: Path) -> dict[str, list[Any]]:
    """The columns of a table, with what is empty as None; raises `InputError` where it cannot be read."""
    kind = file.suffix.lower()
    if kind not in TABLES:
        raise InputError(f"{file}: is no table of labels; allowed: {', '.join(TABLES)}")
    with reported(f"{file}: cannot be read as a table"):
        columns = TABLES[kind](file)
    if not any(map(len, columns.values())):
        raise InputError(f"{file}: has no rows")
    return {str(name).strip(): [_cell(one) for one in cells] for name, cells in columns.items()}


def _of_text(file: Path) -> Mapping[str, Sequence[Any]]:
    """Of texts alone; in UTF-8, else as Windows writes them in the west of Europe, which the log says."""
    content, encoding = file.read_bytes(), "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, encoding = content.decode("cp1252"), "cp1252"
        _LOG.warning("%s: is not UTF-8, and read as %s", file, encoding)
    first = text.partition("\n")[0]
    separator = "\t" if file.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skipinitialspace": True}
    rule = f"a cell with {separator!r} in it must stand in double quotes"
    try:
        frame = pd.read_csv(StringIO(text), sep=separator, **options)
    except pd.errors.ParserError as error:
        raise InputError(f"{file}: {first_line(error)}; {rule}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{file}: found rows with more cells than the {frame.shape[1]} columns of its first line; {rule}"
        )
    return {str(name): [cell.strip() or None for cell in frame[name]] for name in frame}


def _of_json(file: Path) -> Mapping[str, Sequence[Any]]:
    """Of a record in each line, of a list of records, or of a table of columns."""
    text = file.read_text(encoding="utf-8-sig")
    lines = file.suffix.lower() == ".jsonl"
    read = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    if isinstance(read, Mapping):
        return read
    return {name: [record.get(name) for record in read] for name in dict.fromkeys(chain.from_iterable(read))}


def _of_parquet(file: Path) -> Mapping[str, Sequence[Any]]:
    frame = pd.read_parquet(file)
    return {str(name): frame[name].tolist() for name in frame}


TABLES: Mapping[str, Callable[[Path], Mapping[str, Sequence[Any]]]] = {
    ".csv": _of_text,
    ".tsv": _of_text,
    ".json": _of_json,
    ".jsonl": _of_json,
    ".parquet": _of_parquet,
}


def _cell(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and value != value) else value


def _label_columns(
    file: Path, columns: dict[str, list[Any]], source: ImageFolder, task: BuiltIn
) -> tuple[str, str | None]:
    """The column of files, and that of labels, unless several are named; texts in label columns become numbers."""
    for setting, names in (
        ("file_column", [source.file_column]),
        ("label_column", [source.label_column]),
        ("label_columns", source.label_columns),
    ):
        for name in names:
            if name is not None and name not in columns:
                raise InputError(f"{file}: has no column {name!r} for {setting}; {allowed(name, columns)}")
    files = source.file_column or file_column(file, columns, {source.label_column, *source.label_columns})
    chosen = source.label_column
    if not (chosen or source.label_columns):
        left = [name for name in columns if name != files and not ROW_COUNTER.fullmatch(name.casefold())]
        chosen = "label" if "label" in left else left[0] if len(left) == 1 else None
        if chosen is None:
            raise InputError(
                f"{file}: label_column is missing; allowed: {', '.join(left)}, or several as label_columns"
            )
    for name, cells in columns.items():
        if name != chosen and (roles := {str(cell).casefold() for cell in cells}) <= _ROLES and len(roles) > 1:
            _LOG.warning("%s: its column %s is not used; give each part a folder of its own", file, name)
    for name in [chosen] if chosen else source.label_columns:
        columns[name] = _typed(file, name, columns[name], task == "regression")
    return files, chosen


def file_column(file: Path, columns: Mapping[str, Sequence[Any]], others: Collection[str | None] = ()) -> str:
    """The column of files; raises `InputError` where none or several are named so."""
    known = [name for name in columns if name not in others and re.sub("[^a-z]", "", name.casefold()) in _FILES]
    dotted = [name for name in known if re.search(r"\.\w{2,4}$", str(columns[name][0]))]
    if len(known) != 1 and len(dotted) != 1:
        found = f"has columns of files: {', '.join(known)}" if known else "has no column that is named as one of files"
        if any(has_image_suffix(PurePosixPath(name)) for name in columns):
            raise InputError(
                f"{file}: its first line is {quoted([*columns])}; it must name the columns, as image,label"
            )
        raise InputError(f"{file}: {found}; name it as file_column; allowed: {', '.join(columns)}")
    return known[0] if len(known) == 1 else dotted[0]


def _typed(file: Path, name: str, cells: list[Any], values: bool) -> list[Any]:
    """Texts as whole numbers or as numbers where all of them are; where they must be values, each that is one."""
    if values and _has_decimal_commas(cells):
        _LOG.warning("%s: %s: a comma stands before decimals", file, name)
        cells = [cell.replace(",", ".") if isinstance(cell, str) else cell for cell in cells]
    found = [_number(cell) if isinstance(cell, str) else cell for cell in cells]
    if values:
        return found
    if any(isinstance(one, str) for one in found):
        return cells
    whole = all(one is None or (isinstance(one, int | float) and one % 1 == 0) for one in found)
    return [one if one is None else int(one) for one in found] if whole else found


def _has_decimal_commas(cells: Sequence[Any]) -> bool:
    """Whether numbers are written as 3,5, which those with three digits behind each comma do not show."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    written = all(re.fullmatch(r"[+-]?\d+(,\d+)?", text) for text in texts)
    return written and any(re.search(r",(\d{1,2}|\d{4,})$", text) for text in texts)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _resolved(
    file: Path, cells: Sequence[Any], column: str, roots: Sequence[Path], known: Sequence[Path]
) -> list[Path]:
    """The image of each row: by its path below a root, by that without suffix, or by its name alone."""
    whole, cut, name, stem = (defaultdict[str, set[Path]](set) for _ in range(4))
    for image in known:
        for root in roots:
            if image.is_relative_to(root):
                below = image.relative_to(root)
                whole[below.as_posix()].add(image)
                cut[below.with_suffix("").as_posix()].add(image)
        name[image.name].add(image)
        stem[image.stem].add(image)
    found, missing = list[Path](), []
    for row, cell in enumerate(cells):
        path = PurePosixPath(str(cell).replace("\\", "/"))
        ways = [(whole, str(path)), (cut, str(path)), (name, path.name), (stem, path.name)]
        if has_image_suffix(path):
            ways += [(cut, str(path.with_suffix(""))), (stem, path.stem)]
        images = next((way[key] for way, key in ways if key in way), set[Path]())
        if len(images) > 1:
            both = ", ".join(map(str, sorted(images)[:2]))
            raise InputError(f"{file}: row {row}: {column}: found {quoted(cell)}, which is {both}; say which")
        missing += [] if images else [row]
        found += images
    if missing:
        row = missing[0]
        what = "nothing" if cells[row] is None else quoted(cells[row])
        more = f", and {len(missing) - 1} more rows without a file" if len(missing) > 1 else ""
        raise InputError(
            f"{file}: row {row}: {column}: found {what}, which is no image in {roots[0]}{more};"
            " remove such rows, or add the files"
        )
    return found


def _merged(
    file: Path, images: Sequence[Path], columns: Mapping[str, Sequence[Any]], joins: bool
) -> tuple[list[Path], dict[str, list[Any]]]:
    """Each image once; of several rows for one, which have to say the same, or a label each, the log says it."""
    rows: dict[Path, list[int]] = defaultdict(list)
    for row, image in enumerate(images):
        rows[image].append(row)
    merged = {name: [cells[several[0]] for several in rows.values()] for name, cells in columns.items()}
    if len(rows) == len(images):
        return [*rows], merged
    several = [(place, found) for place, found in enumerate(rows.values()) if len(found) > 1]
    what = "whose labels are joined" if joins else "which are equal"
    _LOG.warning("%s: %d images have several rows, %s", file, len(several), what)
    for place, found in several:
        for name, cells in columns.items():
            if joins:
                merged[name][place] = [one for row in found for one in _listed(cells[row])]
            elif other := next((row for row in found if cells[row] != cells[found[0]]), None):
                both = f"{quoted(cells[found[0]])} and {quoted(cells[other])}"
                which = f"rows {found[0]} and {other} are both of {images[other].name}"
                raise InputError(f"{file}: {which}, but {name} is {both}; leave one of them")
    return [*rows], merged


def _listed(cell: Any) -> list[Any]:
    return cell if isinstance(cell, list) else [] if cell is None else [cell]
