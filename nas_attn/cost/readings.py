"""Latencies that were measured once: a file with a line each, which several processes may write."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from nas_attn.settings import read_written
from nas_attn.space import InputError, quoted

from .latency import LatencyReading

Question = Mapping[str, Any]
"""All that a latency depends on, in values that JSON knows."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The latencies in a file; a question that differs in anything has another answer, or none."""

    path: Path

    def get(self, question: Question) -> LatencyReading | None:
        """The first answer to a question, or nothing; lines that were not written to their end are passed over.

        Raises `InputError` where the file cannot be read, or a line says what cannot be true.
        """
        asked = json.loads(json.dumps(question))
        return next((reading for known, reading in self._lines() if known == asked), None)

    def put(self, question: Question, reading: LatencyReading) -> None:
        """Write an answer down; raises `InputError` where the file cannot be written."""
        line = json.dumps({"question": dict(question), "reading": asdict(reading)}) + "\n"
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
                told = json.loads(line)
            except (ValueError, RecursionError):
                continue
            where = f"{self.path}:{number}"
            if not isinstance(told, dict) or not {"question", "reading"} <= told.keys():
                raise InputError(f"{where}: found {quoted(told)}; allowed: a table of a question and a reading")
            yield told["question"], read_written(LatencyReading, told["reading"], f"{where}: reading")
