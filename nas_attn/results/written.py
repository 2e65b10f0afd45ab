"""Rows that were written down, believed only as far as they can be true."""

import math
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from nas_attn.settings import read_written
from nas_attn.space import InputError, parse, quoted

from .rows import Evaluation

_WIDTH = re.compile(r"width=\d+(\.\d+)?(e[+-]\d+)?", re.ASCII)
_MOST_FAULTS = 10  # that are told at once


def read_row(fields: Mapping[str, Any], where: str, sites: Collection[str] | None = None) -> Evaluation:
    """A row from its fields, each of its type and in its range; what is not there has its default.

    Its key is that of its architecture, or a rival's width; its sites are among these, where they are known; what was
    trained has an accuracy and a loss. Raises `InputError` with a line for each fault: where, the field, what was
    found, what is allowed.
    """
    row = read_written(Evaluation, fields, where)
    try:
        key, places = _of(row.architecture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    faults = []
    if row.role == "rival":
        if not _WIDTH.fullmatch(row.key):
            faults.append(
                f"key: found {quoted(row.key)}; allowed: a width, such as 'width=1.5', where the role is 'rival'"
            )
    elif row.key != key:
        faults.append(f"key: found {quoted(row.key)}; allowed: {key!r}, which is its architecture's")
    if sites is not None and (unknown := [site for site in places if site not in sites]):
        faults.append(f"architecture: found {quoted(unknown[0])}, which is no site of the study's space")
    faults += [
        f"{name}: found none; allowed: a number, where the state is 'complete'"
        for name in ("accuracy", "loss")
        if row.state == "complete" and math.isnan(getattr(row, name))
    ]
    if faults:
        raise InputError("\n".join(f"{where}: {fault}" for fault in faults))
    return row


class Faults:
    """The faults of many rows, told together at the end."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, error: InputError) -> None:
        """Take in what is wrong with a row."""
        self._lines += str(error).splitlines()

    def tell(self) -> None:
        """Raise an `InputError` with the first of them, where there are any."""
        more = len(self._lines) - _MOST_FAULTS
        if self._lines:
            raise InputError("\n".join([*self._lines[:_MOST_FAULTS], *([f"... and {more} more"] if more > 0 else [])]))


@lru_cache(maxsize=100_000)
def _of(architecture: str) -> tuple[str, tuple[str, ...]]:
    """The key and the sites of an architecture."""
    parsed = parse(architecture)
    return parsed.key, tuple(placement.site for placement in parsed.placements)
