"""A TOML file in which every key knows its line."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_attn.space import InputError

KeyPath = tuple[str | int, ...]
"""Where a value stands in a file: `("kinds", "se", "reduction", 0)`."""

_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\s*(?P<name>{_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*(?P<name>{_DOTTED})\s*=")


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
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    return Document(path, data, _lines(text))


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f", and no folder {folder}"
    names = sorted(child.name for child in folder.glob("*.toml"))
    return f"; beside it stand {', '.join(names)}" if names else ""


def _lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _path(header["name"])
            _note(lines, (), table, number)
        elif entry := _ENTRY.match(line):
            _note(lines, table, _path(entry["name"]), number)
    return lines


def _path(dotted: str) -> KeyPath:
    return tuple(piece.strip("\"'") for piece in re.findall(_KEY, dotted))


def _note(lines: dict[KeyPath, int], table: KeyPath, keys: Sequence[str | int], number: int) -> None:
    for depth in range(1, len(keys) + 1):
        lines.setdefault((*table, *keys[:depth]), number)
