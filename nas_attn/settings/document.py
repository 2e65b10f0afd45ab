"""A TOML file in which every key knows its line."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_attn.space import InputError

KeyPath = tuple[str | int, ...]
"""Where a value stands in a file: `("kinds", "se", "reduction", 0)`."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a TOML file says, and at which line it says it."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    """The line, counted from 1, at which each table and key stands."""

    def line(self, where: KeyPath) -> int:
        """The line of a key, or of the nearest table or key around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read_document(path: Path) -> Document:
    """Read a TOML file.

    Raises `InputError` where there is no such file, or it is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file{_neighbours(path)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    try:
        data = tomllib.loads(text)
        document = Document(path, data, _lines(text))
        faults = [*_too_large(data)]
    except RecursionError:
        raise InputError(f"{path}: not a file of settings: it has lists or tables too deep in one another") from None
    except ValueError as error:  # not only TOML's own: Python reads no integer of thousands of digits
        raise InputError(f"{path}: not a TOML file: {error}") from None
    if faults:
        raise InputError(
            "\n".join(
                f"{path}:{document.line(where)}: {'.'.join(map(str, where))}: found an integer of {size} bits; "
                "allowed: 63 bits and a sign"
                for where, size in faults
            )
        )
    return document


def _too_large(said: Any, where: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    """Where integers stand that TOML does not have to hold, nor a database, with their bits."""
    if isinstance(said, Mapping):
        for key, inner in said.items():
            yield from _too_large(inner, (*where, key))
    elif isinstance(said, list):
        for number, inner in enumerate(said):
            yield from _too_large(inner, (*where, number))
    elif isinstance(said, int) and not -(2**63) <= said < 2**63:
        yield where, said.bit_length()


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f", and no folder {folder}"
    names = sorted(child.name for child in folder.glob("*.toml"))
    return f"; beside it stand {', '.join(names)}" if names else ""


def _lines(text: str) -> dict[KeyPath, int]:
    """The line of each table and key of a text that is TOML.

    A table that only a longer name speaks of, as `[a.b]` speaks of `a`, stands where that is first. What is inside a
    value stands where the value begins.
    """
    lines: dict[KeyPath, int] = {}
    elements: dict[KeyPath, int] = {}  # how many tables each array of tables has so far
    table: KeyPath = ()
    for number, written, said in _statements(text):
        if written.lstrip().startswith("["):
            table = _table(said, elements)
            lines[table] = number
            for depth in range(1, len(table)):
                lines.setdefault(table[:depth], number)
        else:
            for where in _paths(said):
                lines.setdefault((*table, *where), number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each header and entry with the line on which it begins: the fewest lines that are TOML by themselves."""
    first, written = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        written += line
        try:
            said = tomllib.loads(written)
        except tomllib.TOMLDecodeError:
            written += "\n"
            continue
        if said:
            yield first, written, said
        first, written = number + 1, ""


def _table(said: dict[str, Any], elements: dict[KeyPath, int]) -> KeyPath:
    """The key path of a header; one in double brackets begins another element of its array of tables."""
    where: KeyPath = ()
    inner: Any = said
    while inner:
        if isinstance(inner, list):
            elements[where] = elements.get(where, 0) + 1
            inner = inner[0]
        else:
            ((name, inner),) = inner.items()
            where = (*where, name)
        if where in elements and not isinstance(inner, list):
            where = (*where, elements[where] - 1)
    return where


def _paths(said: Any) -> Iterator[KeyPath]:
    """The key path of every key in a table, a key before the keys inside it."""
    if isinstance(said, Mapping):
        for key, inner in said.items():
            yield (key,)
            yield from ((key, *rest) for rest in _paths(inner))
