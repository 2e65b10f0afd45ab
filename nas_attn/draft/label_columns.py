"""Columns of a table of labels: which one says what an image shows, and whether as a class, labels or a number."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nas_attn.data.label_file import ROW_COUNTER, file_column, read_columns
from nas_attn.settings import BuiltIn
from nas_attn.space import InputError

from .questions import Ask, Question

_CLASS_NAMES = ("label", "labels", "class", "category", "target", "diagnosis", "dx", "species", "breed", "y")
"""Names of a column of classes, the most usual first, in lower case."""
_FEW = 20  # whole numbers that are classes rather than values
_TRIED = 50  # rows


def names_images(file: Path, names: Collection[str]) -> bool:
    """Whether the rows of a table name images, with or without suffix."""
    try:
        columns = read_columns(file)
        cells = columns[file_column(file, columns)][:_TRIED]
    except InputError:
        return False
    paths = [PurePosixPath(str(cell).replace("\\", "/")) for cell in cells]
    return 2 * sum(path.name in names or path.stem in names for path in paths) > len(paths)


def columns_said(file: Path, ask: Ask) -> tuple[dict[str, Any], BuiltIn]:
    """The settings of `[data]` that name columns of a table, and the task that they make.

    Raises `InputError` where it has no column beside that of files.
    """
    columns = read_columns(file)
    files = file_column(file, columns)
    left = {name: cells for name, cells in columns.items() if name != files and not ROW_COUNTER.fullmatch(name.lower())}
    if not left:
        raise InputError(f"{file}: has no column beside {files}; a row needs what its image shows")
    flags = [name for name, cells in left.items() if {str(cell) for cell in cells} <= {"0", "1", "0.0", "1.0"}]
    if len(flags) > 1 and len(flags) == len(left):
        alone = all(sum(float(cell) for cell in row) == 1 for row in zip(*left.values(), strict=True))
        return {"label_columns": flags}, "classification" if alone else "multilabel"
    chosen = next(iter(left)) if len(left) == 1 else _chosen(file, left, ask)
    return {"label_column": chosen}, _task(chosen, left[chosen], ask)


def _chosen(file: Path, columns: Mapping[str, Sequence[Any]], ask: Ask) -> str:
    usual = [name for known in _CLASS_NAMES for name in columns if name.casefold() == known]
    varied = {name: len({str(cell) for cell in cells}) for name, cells in columns.items()}
    fewest = min(columns, key=lambda name: (varied[name] < 2, varied[name]))
    text = f"Which column of {file.name} says what an image shows?"
    return ask(Question(text, (usual or [fewest])[0], tuple(columns)))


def _task(name: str, cells: Sequence[Any], ask: Ask) -> BuiltIn:
    texts = [str(cell) for cell in cells if cell is not None]
    if any(isinstance(cell, list) for cell in cells) or any(re.search(r"\w\s*[|;,]\s*\w", text) for text in texts):
        if all(re.fullmatch(r"[+-]?\d+,\d+", text) for text in texts):  # decimals behind a comma
            return "regression"
        return "multilabel"
    try:
        numbers = {float(text) for text in texts}
    except ValueError:
        return "classification"
    if any(number % 1 for number in numbers):
        return "regression"
    usual = "classes" if len(numbers) <= _FEW else "values"
    text = f"Are the {len(numbers)} whole numbers in {name} classes, or values to predict?"
    return "classification" if ask(Question(text, usual, ("classes", "values"))) == "classes" else "regression"
