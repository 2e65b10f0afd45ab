"""What is concluded of each network, as a table."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from nas_attn.results import spell, word
from nas_attn.statistics import UNKNOWN, Estimate, Membership, Metric

from .comparison import Comparison, Difference
from .words import amount


def conclusion_table(metric: Metric, compared: Comparison, member: Membership) -> pd.DataFrame:
    """A row a network, indexed by its key; an unknown number is NaN."""
    gains = {held.what: held for held in (*compared.networks, *compared.widths)}
    places = {key: number for number, key in enumerate(member.belief.keys)}
    lines = [
        _line(metric, compared, number, gains.get(row.key), member, places.get(row.key))
        for number, row in enumerate(compared.trainings.networks)
    ]
    return pd.DataFrame(lines).set_index("key") if lines else pd.DataFrame(index=pd.Index([], name="key"))


def told_conclusion(metric: Metric, compared: Comparison, member: Membership) -> pd.DataFrame:
    """The same as texts for readers, the most likely gain first; intervals are of 95 %."""
    known = conclusion_table(metric, compared, member).sort_values(["likely_gain", "gain"], ascending=False)
    unit = "points" if metric == "accuracy" else "nats"
    lines = [
        {
            "Key": key,
            "Network": row["architecture"],
            "Seeds": f"{row['seeds']:.0f}",
            word(metric).capitalize(): _spelt(row, metric, partial(spell, metric)),
            f"Gain over the bare network ({unit})": _spelt(row, "gain", partial(amount, metric)),
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
        return "a rival"
    probability = row["front_probability"]
    return row["standing"] if math.isnan(probability) else f"{row['standing']} ({100 * probability:.0f} %)"


def _line(
    metric: Metric,
    compared: Comparison,
    number: int,
    gain: Difference | None,
    member: Membership,
    place: int | None,
) -> dict[str, Any]:
    row = compared.trainings.networks[number]
    known = UNKNOWN if place is None else member.accuracy[place]
    value = float(compared.means[number]) if math.isnan(known.value) else known.value
    held = UNKNOWN if gain is None else gain.gain
    return {
        "key": row.key,
        "architecture": row.architecture,
        "role": row.role,
        "seeds": int(compared.trainings.counts[number]),
        "flops": row.flops,
        "latency_ms": row.latency_ms,
        **_ends(metric, Estimate(value, known.low, known.high)),
        **_ends("gain", held),
        "p": math.nan if gain is None else gain.p,
        "likely_gain": float(compared.likely[number]) if place is not None else math.nan,
        "front_probability": math.nan if place is None else float(member.probability[place]),
        "standing": "" if place is None else member.standing(place),
    }


def _ends(name: str, known: Estimate) -> dict[str, float]:
    return {name: known.value, f"{name}_low": known.low, f"{name}_high": known.high}
