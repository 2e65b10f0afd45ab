"""What a command says while it works: lines on a terminal, lines with the time of day elsewhere, or events as JSON."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from .showing import console

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what came of it.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say each training and each epoch too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone: an object, or, of long work, an event a line.")]


@dataclass(frozen=True, slots=True)
class Loudness:
    """How much is said, and in which form."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False


class Reporter:
    """Says what happens, a line each.

    An event has the time as ISO 8601 with its zone and a name; what it has beside these follows from the name. What is
    not known is null.
    """

    def __init__(self, loudness: Loudness) -> None:
        self.loudness = loudness
        self.screen = console()

    @property
    def live(self) -> bool:
        """Whether bars are shown."""
        return bool(self.screen.is_terminal) and not (self.loudness.quiet or self.loudness.as_json)

    def say(self, event: str, line: str = "", *, detail: bool = False, **facts: Any) -> None:
        """Report one thing: as an event with its facts, or as a line, a detail only where all is to be said."""
        if self.loudness.as_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            print_json({"time": stamp, "event": event, **({"message": line} if line else {}), **facts})
        elif line and not self.loudness.quiet and (self.loudness.verbose or not detail):
            stamp = "" if self.screen.is_terminal else time.strftime("%H:%M:%S ")
            self.screen.print(f"{stamp}{line}", soft_wrap=True)

    def end(self, sentences: Sequence[str], files: Iterable[Any] = (), **facts: Any) -> None:
        """Report what came of it, which is always said."""
        if self.loudness.as_json:
            self.say("end", sentences=[*sentences], files=[*map(str, files)], **facts)
            return
        for line in (*sentences, *(f"Written: {file}" for file in files)):
            self.screen.print(line, soft_wrap=True)


def print_json(document: Mapping[str, Any], indent: int | None = None) -> None:
    """Print an object as JSON, with null for what is not known."""
    from nas_attn.settings import with_null

    typer.echo(json.dumps(with_null(document), indent=indent, allow_nan=False, ensure_ascii=False, default=str))


def records(table: Any) -> list[dict[str, Any]]:
    """The rows of a data frame, its index among their columns, as plain values."""
    lines: list[dict[str, Any]] = table.reset_index().to_dict("records")
    return lines
