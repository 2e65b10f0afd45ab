"""Measured latencies in a file, one a line, which several processes may write."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from nas_attn.settings import check_format, complete, read_written, sealed, unsealed
from nas_attn.space import InputError, first_line, quoted

from .latency import LatencyReading

Question = Mapping[str, Any]
"""All that a latency depends on, in values that JSON knows."""
_NEWEST = 1
"""The format version of a line; version 0.1.0 wrote format 1 without its number."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readings:
    """Latencies in a file, by the questions that they answer."""

    path: Path

    def get(self, question: Question) -> LatencyReading | None:
        """The first answer to a question, or nothing; lines that are damaged are passed over, and the log names them.

        Raises `InputError` where the file cannot be read, or a line cannot be true or is of a format that is too new.
        """
        wanted = complete(question)
        return next((reading for known, reading in self._lines() if complete(known) == wanted), None)

    def put(self, question: Question, reading: LatencyReading) -> None:
        """Write an answer down; raises `InputError` where the file cannot be written."""
        stored = {"format_version": _NEWEST, "question": dict(question), "reading": asdict(reading)}
        line = json.dumps(sealed(stored)) + "\n"
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock")):
                _append(self.path, line.encode())
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None

    def _lines(self) -> Iterator[tuple[Question, LatencyReading]]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None
        for number, line in enumerate(lines, start=1):
            where = f"{self.path}:{number}"
            try:
                stored = unsealed(json.loads(line))
            except (ValueError, RecursionError) as error:
                _name_once(where, first_line(error))
                continue
            if not isinstance(stored, dict) or not isinstance(stored.get("question"), dict) or "reading" not in stored:
                raise InputError(f"{where}: found {quoted(stored)}; allowed: a table of a question and a reading")
            check_format(stored.get("format_version", 1), _NEWEST, where)
            yield stored["question"], read_written(LatencyReading, stored["reading"], f"{where}: reading")


def _append(path: Path, line: bytes) -> None:
    """Write a line behind the others, whole or not at all; one that is torn ends there."""
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, 2)
        file.seek(max(end - 1, 0))
        left = b"\n" * (file.read() not in (b"", b"\n")) + line
        try:
            while left:  # a disk that becomes full takes a part
                left = left[file.write(left) or 0 :]
        except OSError:
            file.truncate(end)
            raise


@cache
def _name_once(where: str, cause: str) -> None:
    _LOG.warning("%s: is damaged and passed over, so its network is timed again: %s", where, cause)
