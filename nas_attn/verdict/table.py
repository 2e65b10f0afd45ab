"""Conclusion of each network, as a table."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from nas_attn.statistics import UNKNOWN, Estimate, Membership

from . import words
from .comparison import Comparison
from .difference import Difference


def conclusion_table(found: Comparison, member: Membership) -> pd.DataFrame:
    """A row a network, indexed by its key; an unknown number is NaN."""
    places = {key: place for place, key in enumerate(member.posterior.keys)}
    gains = {one.what: one for one in (*found.networks, *found.widths)}
    lines = [
        _line(found, number, member, places.get(row.key), gains.get(row.key))
        for number, row in enumerate(found.trainings.networks)
    ]
    return pd.DataFrame(lines).set_index("key") if lines else pd.DataFrame(index=pd.Index([], name="key"))


def readable_conclusion(found: Comparison, member: Membership) -> pd.DataFrame:
    """The same as texts for readers, the most likely gain first; intervals are of 95 %."""
    known, judged = conclusion_table(found, member).sort_values(["likely_gain", "gain"], ascending=False), found.measure
    lines = [
        {
            "Key": key,
            "Network": row["architecture"],
            "Seeds": f"{row['seeds']:.0f}",
            judged.title: _spelt(row, judged.name, judged.spell),
            f"Gain over the plain backbone ({judged.points or judged.gain})": _spelt(row, "gain", judged.difference),
            "On the front": _place(row),
        }
        for key, row in known.iterrows()
    ]
    return pd.DataFrame(lines)


def _spelt(row: pd.Series, name: str, spelt: Callable[[float], str]) -> str:
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "-"
    return spelt(value) if math.isnan(low) else f"{spelt(value)} ({spelt(low)} to {spelt(high)})"


def _place(row: pd.Series) -> str:
    if not row["standing"]:
        return "width-matched baseline"
    return words.place(row["standing"], row["front_probability"])


def _line(
    found: Comparison, number: int, member: Membership, place: int | None, difference: Difference | None
) -> dict[str, Any]:
    row = found.trainings.networks[number]
    known = UNKNOWN if place is None else member.estimates[place]
    value = float(found.means[number]) if math.isnan(known.value) else known.value
    return {
        "key": row.key,
        "architecture": row.architecture,
        "role": row.role,
        "seeds": int(found.trainings.counts[number]),
        "flops": row["flops"],
        "latency_ms": row.latency.ms,
        **_ends(found.measure.name, Estimate(value, known.low, known.high)),
        **_ends("gain", UNKNOWN if difference is None else difference.gain),
        "p": math.nan if difference is None else difference.p,
        "likely_gain": float(found.likely[number]) if place is not None else math.nan,
        "front_probability": math.nan if place is None else float(member.probability[place]),
        "standing": "" if place is None else member.standing(place),
    }


def _ends(name: str, known: Estimate) -> dict[str, float]:
    return {name: known.value, f"{name}_low": known.low, f"{name}_high": known.high}
