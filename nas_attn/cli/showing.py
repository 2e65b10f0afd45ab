"""How the commands show things."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nas_attn.evaluation import Ledger

_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def console() -> Any:
    """Rich's console, which leaves texts as they are."""
    from rich.console import Console

    return Console(highlight=False, markup=False)


def show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table: with rich on a terminal, as aligned lines elsewhere."""
    screen = console()
    if screen.is_terminal:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(*head, box=SIMPLE_HEAD)
        for row in rows:
            table.add_row(*row)
        screen.print(table)
        return
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_network(ledger: "Ledger", spelling: str, picture: Path | None) -> None:
    """The drawing of an architecture on the screen, or as a file."""
    from nas_attn.drawing import Drawing
    from nas_attn.space import parse

    architecture = parse(spelling)
    drawing = Drawing(ledger.outline(architecture.placements), architecture)
    if picture is None:
        lines = drawing.lines
        show(("place", "size", "attention", "adds"), _coloured(lines, 2) if console().is_terminal else lines)
        return
    drawing.save(picture)
    typer.echo(f"Written: {picture}")


def _coloured(rows: Iterable[Sequence[str]], column: int) -> list[list[Any]]:
    """Rows for a terminal, in which the words of a column have colours by what they begin with."""
    from rich.text import Text

    found: list[list[Any]] = [list(row) for row in rows]
    kinds = [kind for kind in dict.fromkeys(row[column].partition("(")[0] for row in found) if kind]
    for row in found:
        if kind := row[column].partition("(")[0]:
            row[column] = Text(row[column], style=f"bold {_COLOURS[kinds.index(kind) % len(_COLOURS)]}")
    return found


def spelt(row: Any, measures: Iterable[str]) -> list[str]:
    """These measures of a row, or of what a network costs, as they are written."""
    from nas_attn.results import Evaluation, spell_cell
    from nas_attn.settings import measure

    if isinstance(row, Evaluation):
        return [spell_cell(name, row) for name in measures]
    return [measure(name).spell(getattr(row, name)) for name in measures]


def names(objectives: Sequence[str]) -> str:
    """What objectives are called, in a sentence."""
    from nas_attn.settings import measure

    return ", ".join(measure(name).word for name in objectives)
