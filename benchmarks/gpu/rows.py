"""One line of the table that `make gpu` ends with, and the table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

_UNITS = {"seconds": "s", "minutes": "min", "ms": "ms", "mib": "MiB", "share": "%"}
_BEFORE = {"driver": "driver ", "torch": "torch ", "cuda": "CUDA ", "python": "Python "}
_SMALL = "In small form, to see that everything runs: these figures say nothing about a GPU, and no goal is judged.\n"


class Skipped(Exception):
    """A part that has nothing to do here, and why."""


@dataclass(frozen=True)
class Row:
    """What was measured; or, with a reason in `skipped`, what was not."""

    what: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """Their names end with their unit, `ours_seconds` and `waiting_share`, but for counts."""
    ratios: Sequence[float] = ()
    """Of each round; their median is what the table shows first."""
    goal: str = ""
    met: bool | None = None
    skipped: str = ""

    def __str__(self) -> str:
        ratio = f"ratio {_ratio(self)}" if self.ratios else ""
        return f"{self.what}: {self.skipped or ', '.join(filter(None, (_figures(self), ratio)))}"


def compared(what: str, runs: Mapping[str, Sequence[float]], over: str, under: str, unit: str, **more: float) -> Row:
    """The medians of two that ran in turn, and their ratio in each round."""
    ratios = [one / other for one, other in zip(runs[over], runs[under], strict=True)]
    figures = {f"{name}_{unit}": median(runs[name]) for name in (under, over)}
    return Row(f"{what}: {_words(over)} over {_words(under)}", figures | more, ratios)


def markdown(machine: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The table, with what it was measured on above, and what was not measured below."""
    small = machine["place"] == "cpu"
    rows = [Row(**row) for part in parts.values() for row in part["rows"]]
    lines = [
        f"| {row.what} | {_figures(row)} | {_ratio(row)} | {row.goal} | {'' if small else _met(row)} |"
        for row in rows
        if not row.skipped
    ]
    left_out = [f"- {row.what}: {row.skipped}" for row in rows if row.skipped]
    left_out += [f"- {name}: {part['state']}: {part['reason']}" for name, part in parts.items() if part["reason"]]
    head = ["| what | figures | ratio | goal | met |", "|---|---|---|---|---|"]
    below = ["", "Not measured:", "", *left_out] if left_out else []
    return "\n".join([*([_SMALL] if small else []), _measured_on(machine), "", *head, *lines, *below])


def stored(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    return asdict(row)


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _measured_on(machine: Mapping[str, Any]) -> str:
    said = [f"{before}{machine[name]}" for name, before in _BEFORE.items() if machine.get(name)]
    return f"Measured on {', '.join([machine['device'], *said])}, {machine['cores']} cores."


def _figures(row: Row) -> str:
    return ", ".join(map(_figure, row.figures, row.figures.values()))


def _figure(name: str, value: float) -> str:
    words, _, unit = name.rpartition("_")
    if unit not in _UNITS:
        return f"{number(value)} {_words(name)}"
    return f"{_words(words)} {number(100 * value if unit == 'share' else value)} {_UNITS[unit]}".strip()


def _ratio(row: Row) -> str:
    """Their median, with the least and the largest of several."""
    if not row.ratios:
        return ""
    spread = f" ({number(min(row.ratios))} to {number(max(row.ratios))})" if len(row.ratios) > 1 else ""
    return f"{number(median(row.ratios))}{spread}"


def _met(row: Row) -> str:
    return "" if row.met is None else "yes" if row.met else "**no**"


def _words(name: str) -> str:
    return name.replace("_", " ")
