"""Marks of the figure: a record of plain values for every network, and the steps along a front."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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


def staircase(front: Front, across: str, up: str) -> list[tuple[float, float]]:
    """The front of two measures alone, from left to right: what one is at best for each value of the other."""
    rows = front.rows[np.isfinite(front.rows[[across, up]].to_numpy(dtype=np.float64)).all(axis=1)]
    better = {name: front.objectives.get(name, measure(name).better) for name in (across, up)}
    points = losses(rows, better)
    points = points[np.lexsort(points.T[::-1])]
    before = np.minimum.accumulate(np.append(np.inf, points[:, 1]))[:-1]
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in better.values()])
    ends: list[list[float]] = (points[points[:, 1] < before] * signs).tolist()
    return sorted((x, y) for x, y in ends)


def _tooltip(key: str, cells: Mapping[str, Any], names: Sequence[str]) -> Record:
    """The texts of a network; names are capitalised, as a measure called `image` or `title` would be drawn."""
    named = {"Key": key} | ({"Architecture": str(cells["architecture"])} if "architecture" in cells else {})
    shown = [name for name in names if name not in TOOLTIP] + [name for name in TOOLTIP if name in cells]
    places = {name: f"{cells[name]:.0f}" for name in shown if name == PLACE}
    return named | {_title(name): places.get(name) or spell_cell(name, cells) for name in shown}


def _title(name: str) -> str:
    title = Measure(name, "Place").title if name == PLACE else measure(name).title
    return title[:1].upper() + title[1:]
