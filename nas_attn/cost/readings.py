"""Measured latencies in a file, one a line, which several processes may write."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from nas_attn.settings import check_format, complete, read_written
from nas_attn.space import InputError, quoted

from .latency import LatencyReading

Question = Mapping[str, Any]
"""All that a latency depends on, in values that JSON knows."""
_NEWEST = 1
"""The format version of a line; version 0.1.0 wrote format 1 without its number."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Latencies in a file, by the questions that they answer."""

    path: Path

    def get(self, question: Question) -> LatencyReading | None:
        """The first answer to a question, or nothing; lines that were not written to their end are passed over.

        Raises `InputError` where the file cannot be read, or a line cannot be true or is of a format that is too new.
        """
        wanted = complete(question)
        return next((reading for known, reading in self._lines() if complete(known) == wanted), None)

    def put(self, question: Question, reading: LatencyReading) -> None:
        """Write an answer down; raises `InputError` where the file cannot be written."""
        line = json.dumps({"format_version": _NEWEST, "question": dict(question), "reading": asdict(reading)}) + "\n"
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock")), self.path.open("a+b") as file:
                file.seek(max(file.seek(0, 2) - 1, 0))
                torn = file.read() not in (b"", b"\n")
                file.write(b"\n" * torn + line.encode())
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
            try:
                stored = json.loads(line)
            except (ValueError, RecursionError):
                continue
            where = f"{self.path}:{number}"
            if not isinstance(stored, dict) or not isinstance(stored.get("question"), dict) or "reading" not in stored:
                raise InputError(f"{where}: found {quoted(stored)}; allowed: a table of a question and a reading")
            check_format(stored.get("format_version", 1), _NEWEST, where)
            yield stored["question"], read_written(LatencyReading, stored["reading"], f"{where}: reading")
