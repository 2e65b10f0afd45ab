"""Rows that were written down, read back only as far as they can be true."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import field, make_dataclass
from functools import lru_cache
from typing import Any

from nas_attn.settings import check_format, learnt, read_written
from nas_attn.space import InputError, parse, present_key, quoted

from .rows import Evaluation, evaluation, known_columns, row_columns

ROW_FORMAT = 4
"""The form in which rows are written. 1, which says no number, is that of version 0.1.0; 2 of version 0.2.0; 3 without
learning curves."""

_WIDTH = re.compile(r"width=\d+(\.\d+)?(e[+-]\d+)?", re.ASCII)
_MOST_FAULTS = 10  # that are reported at once


def written_row(row: Evaluation) -> dict[str, Any]:
    """A row as plain values, as `read_row` reads it back."""
    return {**known_columns(row), "format_version": ROW_FORMAT}


def read_row(columns: Mapping[str, Any], where: str, sites: Collection[str] | None = None) -> Evaluation:
    """A row from its columns, each of its type and in its range; what is absent has its usual value.

    Its key is that of its architecture, or the width of a width-matched baseline; its sites are among these, where they
    are known; what was trained has the measures that judge. Raises `InputError` with a line for each fault: where, the
    column, what was found, what is allowed.
    """
    row = evaluation(**vars(read_written(_plain_row(tuple(row_columns().items())), _today(columns, where), where)))
    try:
        key, places = _key_and_sites(row.architecture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    faults = []
    if row.role == "width-matched":
        if not _WIDTH.fullmatch(row.key):
            faults.append(
                f"key: found {quoted(row.key)}; allowed: a width, such as 'width=1.5', where the role is {row.role!r}"
            )
    elif row.key != key:
        faults.append(f"key: found {quoted(row.key)}; allowed: {key!r}, which is its architecture's")
    if sites is not None and (unknown := [site for site in places if site not in sites]):
        faults.append(f"architecture: found {quoted(unknown[0])}, which is no site of the study's space")
    if row.state == "complete" and all(math.isnan(row[one.name]) for one in learnt()):
        names = " or ".join(one.name for one in learnt())
        faults.append(f"{names}: found none; allowed: a number, where the state is 'complete'")
    if faults:
        raise InputError("\n".join(f"{where}: {fault}" for fault in faults))
    return row


def _today(columns: Any, where: str) -> Any:
    """Columns as this version names them."""
    if not isinstance(columns, Mapping):
        return columns
    known = dict(columns)
    check_format(known.pop("format_version", 1), ROW_FORMAT, where)
    if isinstance(key := known.get("key"), str):
        known["key"] = present_key(key)
    if known.get("role") == "rival":
        known["role"] = "width-matched"
    return known


@lru_cache
def _plain_row(columns: tuple[tuple[str, tuple[Any, Any]], ...]) -> Any:
    """The columns of a row as a dataclass."""
    needed: list[Any] = [(name, kind) for name, (kind, usual) in columns if usual is ...]
    usual: list[Any] = [(name, kind, field(default=usual)) for name, (kind, usual) in columns if usual is not ...]
    return make_dataclass("Row", needed + usual)


class Faults:
    """The faults of many rows, reported together at the end."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, error: InputError) -> None:
        """Take in what is wrong with a row."""
        self._lines += str(error).splitlines()

    def report(self) -> None:
        """Raise an `InputError` with the first of them, where there are any."""
        more = len(self._lines) - _MOST_FAULTS
        if self._lines:
            raise InputError("\n".join([*self._lines[:_MOST_FAULTS], *([f"... and {more} more"] if more > 0 else [])]))


@lru_cache(maxsize=100_000)
def _key_and_sites(architecture: str) -> tuple[str, tuple[str, ...]]:
    parsed = parse(architecture)
    return parsed.key, tuple(placement.site for placement in parsed.placements)
