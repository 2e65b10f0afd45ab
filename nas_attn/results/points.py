"""Marks of the figure: a record of plain values for every network, and the steps along a front."""

from collections.abc import Mapping, Sequence
from typing import Any

from nas_attn.settings import Measure, measure
from nas_attn.space import NONE

from .front import Front, losses
from .rows import spell_cell

STANDINGS = ("on the front", "dominated")
PLACE = "_place"
"""What a single objective is drawn against: 1 for the best row, 2 for the next."""

TOOLTIP = ("params", "macs", "flops", "latency_ms", "loss")
"""What the tooltip of a network says beside the objectives."""

Record = dict[str, Any]


def records(front: Front, names: Sequence[str]) -> list[Record]:
    """A record a row, the front last, so that it is drawn above the others.

    The columns in `names` become `value0`, `value1`, ...: names that no column of a user can spoil.
    """
    on_front, best = set(front.best.index), "best" if PLACE in names else "knee"
    found = []
    for key, row in zip(front.rows.index, front.rows.to_dict("records"), strict=True):
        cells = {str(name): value for name, value in row.items()}
        plain, chosen = cells.get("architecture") == NONE, str(key) == front.knee
        record: Record = {
            "key": str(key),
            "standing": STANDINGS[key not in on_front],
            "role": str(cells.get("role", "search")),
            "knee": (f"plain backbone, {best}" if plain else best) if chosen else "",
            "plain": "plain backbone" if plain and not chosen else "",
        }
        record.update({f"value{number}": float(cells[name]) for number, name in enumerate(names)})
        found.append(record | {"tooltip": _tooltip(str(key), cells, names)})
    return sorted(found, key=lambda record: (record["standing"] == STANDINGS[0], bool(record["knee"])))


def staircase(front: Front, across: str) -> list[Record]:
    """The front of the first objective and this one alone, from left to right."""
    up, ends, least = next(iter(front.objectives)), [], float("inf")
    rows = front.rows.iloc[:0] if front.rows.empty else front.rows
    points = losses(rows, {name: front.objectives[name] for name in (across, up)})
    for x, y in sorted(map(tuple, points.tolist())):
        if y < least:
            ends.append((x, least := y))
    signs = [-1.0 if front.objectives[name] == "max" else 1.0 for name in (across, up)]
    return sorted(({"across": signs[0] * x, "up": signs[1] * y} for x, y in ends), key=lambda end: end["across"])


def _tooltip(key: str, cells: Mapping[str, Any], names: Sequence[str]) -> Record:
    """The texts of a network; names are capitalised, as a measure called `image` or `title` would be drawn."""
    named = {"Key": key} | ({"Architecture": str(cells["architecture"])} if "architecture" in cells else {})
    shown = [name for name in names if name not in TOOLTIP] + [name for name in TOOLTIP if name in cells]
    places = {name: f"{cells[name]:.0f}" for name in shown if name == PLACE}
    return named | {_title(name): places.get(name) or spell_cell(name, cells) for name in shown}


def _title(name: str) -> str:
    title = Measure(name, "Place").title if name == PLACE else measure(name).title
    return title[:1].upper() + title[1:]
