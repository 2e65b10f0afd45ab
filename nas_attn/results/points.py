"""What the marks of the figure say: a record of plain values for every network, and the steps along a front."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nas_attn.space import NONE

from .front import Objectives, directions, front, knee
from .measures import measure, spell, spell_latency

STANDINGS = ("on the front", "dominated")
PLACE = "_place"
"""What a single objective is drawn against: 1 for the best row, 2 for the next."""

TOLD = ("params", "macs", "flops", "latency_ms", "loss")
"""What is told of a network when it is pointed at, beside the objectives."""

Record = dict[str, Any]


def records(rows: pd.DataFrame, objectives: Objectives, names: Sequence[str]) -> list[Record]:
    """A record a row, the front last, so that it is drawn above the others.

    The columns in `names` become `value0`, `value1`, ...: names that no column of a user can spoil.
    """
    on_front = set(front(rows, objectives).index)
    chosen = knee(rows, objectives)
    best = "best" if PLACE in names else "knee"
    found = []
    for key, row in zip(rows.index, rows.to_dict("records"), strict=True):
        cells = {str(name): value for name, value in row.items()}
        bare = cells.get("architecture") == NONE
        record: Record = {
            "key": str(key),
            "standing": STANDINGS[key not in on_front],
            "role": str(cells.get("role", "search")),
            "knee": (f"bare network, {best}" if bare else best) if str(key) == chosen else "",
            "bare": "bare network" if bare and str(key) != chosen else "",
        }
        record.update({f"value{number}": float(cells[name]) for number, name in enumerate(names)})
        found.append(record | {"told": _told(str(key), cells, names)})
    return sorted(found, key=lambda record: (record["standing"] == STANDINGS[0], bool(record["knee"])))


def steps(rows: pd.DataFrame, objectives: Objectives, names: Sequence[str]) -> list[Record]:
    """The front of two columns alone, from left to right, for the line that each cost is joined by."""
    known = directions(objectives)
    across, up = names
    ends = front(rows, {up: known[up], across: known[across]}).drop_duplicates([up, across]).sort_values(across)
    return [{"across": float(x), "up": float(y)} for x, y in zip(ends[across].tolist(), ends[up].tolist(), strict=True)]


def _told(key: str, cells: Record, names: Sequence[str]) -> Record:
    """What is told of a network; names are capitalised, as a measure called `image` or `title` would be drawn."""
    named = {"Key": key} | ({"Architecture": str(cells["architecture"])} if "architecture" in cells else {})
    shown = [name for name in names if name not in TOLD] + [name for name in TOLD if name in cells]
    return named | {_capital(measure(name).title): _spelt(name, cells) for name in shown}


def _spelt(name: str, cells: Record) -> str:
    if name == PLACE:
        return f"{cells[name]:.0f}"
    return spell_latency(cells) if name == "latency_ms" else spell(name, float(cells[name]))


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
