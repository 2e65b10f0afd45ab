"""Rows as a table that pandas analyses and a file keeps, there and back without loss."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, astuple, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pandas as pd

from nas_attn.space import InputError, allowed, quoted, write_whole

from .rows import Evaluation
from .written import Faults, read_row

_HINTS = get_type_hints(Evaluation)
_NAMES = tuple(field.name for field in fields(Evaluation))
_NEEDED = {field.name for field in fields(Evaluation) if field.default is MISSING}
_DTYPES = {name: {int: "int64", float: "float64"}.get(_HINTS[name], "str") for name in _NAMES}


def table(evaluations: Iterable[Evaluation]) -> pd.DataFrame:
    """A row an architecture, indexed by `key`, with a column for every other field of `Evaluation`.

    Whole numbers are `int64`, real numbers `float64` and texts `str`, in an empty table too.

    >>> table([]).index.name, table([]).dtypes["params"]
    ('key', dtype('int64'))
    """
    rows = [astuple(evaluation) for evaluation in evaluations]
    columns = {
        name: pd.Series([row[number] for row in rows], dtype=_DTYPES[name]) for number, name in enumerate(_NAMES)
    }
    return pd.DataFrame(columns).set_index("key")


def evaluations(table: pd.DataFrame) -> list[Evaluation]:
    """The rows of a table that `table` or `read_csv` has made; a column that is not there has its usual value.

    Raises `InputError` for a column that has none and is missing, for an unknown one, and for a value that its column
    cannot hold.
    """
    flat = table.reset_index()
    names = [str(name) for name in flat.columns]
    _check_names(names, "the table")
    rows = zip(*(flat[name] for name in names), strict=True)
    return [
        _evaluation(dict(zip(names, row, strict=True)), f"the table: row {number}")
        for number, row in enumerate(rows, start=1)
    ]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table of evaluations as a UTF-8 file of comma-separated values; a NaN is an empty cell.

    The file appears whole or not at all. Raises `InputError` as `evaluations` does, and where nothing can be
    written there.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_NAMES)
    writer.writerows([_spell(value) for value in astuple(row)] for row in evaluations(table))
    write_whole(path, text.getvalue().encode())


def read_csv(path: Path) -> pd.DataFrame:
    """Read back what `write_csv` has written: the same values, and texts as texts, whatever they look like.

    A column that an earlier version did not write has its usual value. Raises `InputError` where there is no such file,
    a column that has none is missing, one is unknown, or a value cannot be read or be true, as `read_row` says.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as comma-separated values: {error}") from None
    names, rows = (lines[0], lines[1:]) if lines else ([], [])
    if len(names) == 1 and ";" in names[0]:
        raise InputError(f"{path}: its cells stand between semicolons; allowed: commas, and points in numbers")
    _check_names(names, str(path))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(f"{path}: row {number}: found {len(row)} cells; the first line names {len(names)} columns")
    found, faults = [], Faults()
    for number, row in enumerate(rows, start=1):
        where = f"{path}: row {number}"
        try:
            told = _evaluation(dict(zip(names, row, strict=True)), where)
            found.append(read_row(dict(zip(_NAMES, astuple(told), strict=True)), where))
        except InputError as error:
            faults.add(error)
    faults.tell()
    return table(found)


def _check_names(names: Sequence[str], where: str) -> None:
    missing = [name for name in _NAMES if name not in names]
    faults = [f"{where}: the column {name!r} is missing" for name in missing if not _NEEDED.isdisjoint(missing)]
    faults += [f"{where}: unknown column {name!r}; {allowed(name, _NAMES)}" for name in names if name not in _NAMES]
    faults += [f"{where}: the column {name!r} stands there twice" for name in _NAMES if list(names).count(name) > 1]
    if faults:
        raise InputError("\n".join(faults))


def _evaluation(cells: Mapping[str, Any], where: str) -> Evaluation:
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        try:
            values[name] = _value(cell, _HINTS[name])
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{where}: {name}: found {quoted(cell)}; {error}") from None
    return Evaluation(**values)


def _value(cell: Any, hint: Any) -> Any:
    """A cell of a table or a file as the type that a field asks for."""
    if hint is float:
        return math.nan if cell == "" else float(cell)
    if hint is int:
        if int(cell) != (int(cell) if isinstance(cell, str) else cell):
            raise ValueError("a whole number is expected")
        return int(cell)
    if not isinstance(cell, str):
        raise TypeError("a text is expected")
    if get_args(hint) and cell not in get_args(hint):
        raise ValueError(allowed(cell, get_args(hint)))
    return str(cell)


def _spell(value: str | float) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else str(value)
