"""Rows as a table that pandas analyses and a file keeps, there and back without loss."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args, get_origin

import pandas as pd

from nas_attn.settings import MEASURES, Measure
from nas_attn.space import InputError, allowed, quoted, write_whole

from .rows import Evaluation, evaluation, row_columns
from .written import Faults, read_row, written_row


def table(evaluations: Iterable[Evaluation]) -> pd.DataFrame:
    """A row an architecture, indexed by `key`, with a column for all else that is known of one.

    Whole numbers are `int64`, real numbers `float64` and texts `str`, in an empty table too.

    >>> table([]).index.name, table([]).dtypes["params"]
    ('key', dtype('int64'))
    """
    rows, dtypes = list(evaluations), {int: "int64", float: "float64"}
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=dtypes.get(_plain(kind), "str"))
        for name, (kind, _) in row_columns().items()
    }
    return pd.DataFrame(columns).set_index("key")


def across_seeds(rows: Iterable[Evaluation]) -> list[Evaluation]:
    """One row an architecture and step: means over its seeds, in the order in which the architectures come.

    Only complete rows count where there is one; the row of the first seed says everything else.
    """
    groups: dict[tuple[str, str], list[Evaluation]] = {}
    for row in rows:
        groups.setdefault((row.step, row.key), []).append(row)
    return [_mean(group) for group in groups.values()]


def _mean(group: list[Evaluation]) -> Evaluation:
    complete = sorted((row for row in group if row.state == "complete"), key=lambda row: row.seed)
    if len(complete) < 2:
        return complete[0] if complete else group[-1]
    learnt = [name for name, one in MEASURES.items() if one.source == "learnt"]
    found = {name: [row[name] for row in complete] for name in learnt}
    return complete[0].but(
        **{name: statistics.fmean(values) for name, values in found.items()},
        **{f"{name}_std": statistics.stdev(values) if _known(values) else math.nan for name, values in found.items()},
        train_seconds=statistics.fmean(row.train_seconds for row in complete),
        seeds=len(complete),
        batch_parts=max(row.batch_parts for row in complete),
    )


def _known(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))


def evaluations(table: pd.DataFrame) -> list[Evaluation]:
    """The rows of a table that `table` or `read_csv` has made; a column that is not there has its usual value.

    Raises `InputError` for a column that has none and is missing, for an unknown one, and for a value that its column
    cannot hold.
    """
    flat = table.reset_index()
    names = [str(name) for name in flat.columns]
    with _measures_among(names):
        _check_names(names, "the table")
        rows = zip(*(flat[name] for name in names), strict=True)
        return [
            evaluation(**_values(dict(zip(names, row, strict=True)), f"the table: row {number}"))
            for number, row in enumerate(rows, start=1)
        ]


def write_csv(table: pd.DataFrame, path: Path | str) -> None:
    """Write a table of evaluations as a UTF-8 file of comma-separated values; a NaN is an empty cell.

    The column `format_version` says the form of the rows. The file appears whole or not at all. Raises `InputError` as
    `evaluations` does, and where nothing can be written there.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    with _measures_among(table.columns):
        writer.writerow([*row_columns(), "format_version"])
        writer.writerows(map(_spell, written_row(row).values()) for row in evaluations(table))
    write_whole(Path(path), text.getvalue().encode())


def read_csv(path: Path | str) -> pd.DataFrame:
    """Read back what `write_csv` has written: the same values, and texts as texts, whatever they look like.

    A column that an earlier version did not write has its usual value. A learnt measure of any study is read, which has
    its deviation beside it; whether more of it is better is then for you to say. Raises `InputError` where there is no
    such file, a column that has none is missing, one is unknown, a newer version wrote it, or a value cannot be read or
    be true, as `read_row` says.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as comma-separated values: {error}") from None
    names, rows = (lines[0], lines[1:]) if lines else ([], [])
    if len(names) == 1 and ";" in names[0]:
        raise InputError(f"{path}: its cells stand between semicolons; allowed: commas, and points in numbers")
    with _measures_among(names):
        _check_names(names, str(path))
        return table(_read_rows(names, rows, str(path)))


def _read_rows(names: Sequence[str], rows: Sequence[Sequence[str]], path: str) -> list[Evaluation]:
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(f"{path}: row {number}: found {len(row)} cells; the first line names {len(names)} columns")
    found, faults = [], Faults()
    for number, row in enumerate(rows, start=1):
        where = f"{path}: row {number}"
        try:
            found.append(read_row(_values(dict(zip(names, row, strict=True)), where), where))
        except InputError as error:
            faults.add(error)
    faults.report()
    return found


@contextmanager
def _measures_among(names: Iterable[str]) -> Iterator[None]:
    """Context in which each column that has one of its deviations beside it is a learnt measure, of whatever study."""
    columns = list(map(str, names))
    others = [name for name in columns if f"{name}_std" in columns and name not in MEASURES]
    MEASURES.update({name: Measure(name, name, source="learnt", smallest=-math.inf) for name in others})
    try:
        yield
    finally:
        for name in others:
            del MEASURES[name]


def _check_names(names: Sequence[str], where: str) -> None:
    known = row_columns()
    missing = [name for name, (_, usual) in known.items() if usual is ... and name not in names]
    faults = [f"{where}: the column {name!r} is missing" for name in missing]
    faults += [
        f"{where}: unknown column {name!r}; {allowed(name, known)}"
        for name in names
        if name not in (*known, "format_version")
    ]
    faults += [f"{where}: the column {name!r} stands there twice" for name in known if list(names).count(name) > 1]
    if faults:
        raise InputError("\n".join(faults))


def _values(cells: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Cells of a table or a file as the values that their columns hold."""
    known, values = {**row_columns(), "format_version": (int, 1)}, {}
    for name, cell in cells.items():
        try:
            values[name] = _value(cell, _plain(known[name][0]))
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{where}: {name}: found {quoted(cell)}; {error}") from None
    return values


def _plain(hint: Any) -> Any:
    """The type that a field holds, without what limits it."""
    return get_args(hint)[0] if hasattr(hint, "__metadata__") else hint


def _value(cell: Any, hint: Any) -> Any:
    if hint is float:
        return math.nan if cell == "" else float(cell)
    if hint is int:
        if int(cell) != (int(cell) if isinstance(cell, str) else cell):
            raise ValueError("a whole number is expected")
        return int(cell)
    if not isinstance(cell, str):
        raise TypeError("a text is expected")
    if get_origin(hint) and cell not in get_args(hint):
        raise ValueError(allowed(cell, get_args(hint)))
    return str(cell)


def _spell(value: str | float) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else str(value)
