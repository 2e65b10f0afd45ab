"""The figure of a conclusion: gains over the bare network, and what each kind adds in each slot."""

import json
import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt

from nas_attn.results.pictures import DOMINATED, FRONT, INK, KNEE, TELLING, dressed
from nas_attn.space import InputError
from nas_attn.statistics import Membership, Metric

from .comparison import Comparison, Difference
from .words import interval

_SHOWN = 30
"""How many networks are drawn at most."""

_STEP = 19
"""Pixels from one line to the next."""

_COLORS = {
    "surely on the front": FRONT,
    "perhaps on the front": "#56B4E9",
    "surely not on the front": DOMINATED,
    "plain network of another width": "#009E73",
    "surely adds or costs something": KNEE,
    "not told apart from nothing": DOMINATED,
}
_FRONTS = {
    "surely in": "surely on the front",
    "perhaps": "perhaps on the front",
    "surely out": "surely not on the front",
}


def conclusion_chart(metric: Metric, compared: Comparison, member: Membership, finding: str) -> alt.ConcatChart:
    """Differences with intervals that hold together; right is better.

    Networks are coloured by whether they are on the front, kinds at slots by whether they surely do anything. Of many
    networks the most promising are drawn. Raises `InputError` where there is no difference to draw.
    """
    networks = _networks(metric, compared, member)
    effects = [_effect(metric, held) for held in sorted(compared.effects, key=_value, reverse=True)]
    if not any(math.isfinite(record["low"]) for record in networks):
        raise InputError("nothing to draw: no network is held against the bare one with a known noise")
    more = len(compared.networks) + len(compared.widths) - len(networks)
    over = "Gain over the bare network" + (f" (the {_SHOWN} likeliest to gain; {more} more)" if more > 0 else "")
    panels = [_panel(metric, networks, over, _ringed(compared))]
    if effects:
        across = "Over all networks, if effects add up; narrower, as many trainings tell of each"
        panels.append(_panel(metric, effects, "What a kind adds in a slot where nothing stood", across))
    chart = alt.concat(*panels, columns=2, spacing=40).resolve_scale(color="independent")
    return dressed(chart, f"{finding.partition(':')[0]}:", textwrap.wrap(finding.partition(": ")[2], 150))


def _ringed(compared: Comparison) -> str:
    if compared.leader is None:
        return "No network is promising: none is likely to beat the bare one"
    surely = "surely beats the bare one" if compared.leader in compared.beating else "is not sure to beat the bare one"
    return f"The ring is round the most promising network, which {surely}"


def _networks(metric: Metric, compared: Comparison, member: Membership) -> list[dict[str, Any]]:
    """The networks that are likeliest to gain, the largest gain first, and among them the rivals."""
    places = {row.key: number for number, row in enumerate(compared.trainings.networks)}
    standings = {key: _FRONTS[member.standing(number)] for number, key in enumerate(member.belief.keys)}
    chosen = sorted(compared.networks, key=lambda held: compared.order.index(places[held.what]))[:_SHOWN]
    alike = Counter(compared.parts)
    records = []
    for held in chosen:
        number = places[held.what]
        standing = standings.get(held.what, _FRONTS["perhaps"])
        named = {"Key": held.what, "Architecture": compared.trainings.networks[number].architecture}
        record = _record(metric, held, _label(compared, number, alike), standing, named)
        records.append(record | {"leader": number == compared.leader})
    width = "plain network of another width"
    plain = [_record(metric, held, held.what, width, {"Key": held.what}) for held in compared.widths]
    return sorted([*records, *plain], key=lambda record: -record["gain"])


def _effect(metric: Metric, held: Difference) -> dict[str, Any]:
    sure = held.gain.positive or held.gain.negative
    standing = "surely adds or costs something" if sure else "not told apart from nothing"
    return _record(metric, held, held.what, standing, {"Kind": held.what})


def _label(compared: Comparison, number: int, alike: Counter[tuple[str, ...]]) -> str:
    """What a network has, and its key where another has the same kinds."""
    parts = compared.parts[number]
    key = f"{compared.trainings.networks[number].key}: " if alike[parts] > 1 else ""
    return key + ", ".join(parts)


def _record(metric: Metric, held: Difference, label: str, standing: str, named: dict[str, str]) -> dict[str, Any]:
    return {
        "label": label,
        "gain": held.gain.value,
        "low": held.gain.low,
        "high": held.gain.high,
        "standing": standing,
        "leader": False,
        "told": {**named, "Gain": interval(metric, held.gain), "Verdict": standing},
    }


def _value(held: Difference) -> float:
    return held.gain.value


def _panel(metric: Metric, records: Sequence[dict[str, Any]], title: str, subtitle: str) -> alt.LayerChart:
    scale = 100 if metric == "accuracy" else 1
    values = [
        record | {name: scale * record[name] for name in ("gain", "low", "high")} | {"line": f"{number:03d}"}
        for number, record in enumerate(records)
        if math.isfinite(record["low"])
    ]
    labels = {record["line"]: record["label"] for record in values}
    axis = alt.Axis(
        labelExpr=f"{json.dumps(labels)}[datum.value]", title=None, labelLimit=330, grid=True, ticks=False, domain=False
    )
    y = alt.Y("line:N", sort=None, axis=axis)
    unit = "points of accuracy" if metric == "accuracy" else "nats less loss"
    x = alt.X("low:Q", title=f"{unit}, with simultaneous 95 % intervals", scale=alt.Scale(zero=True))
    kinds = [name for name in _COLORS if any(record["standing"] == name for record in values)]
    colors = alt.Scale(domain=kinds, range=[_COLORS[name] for name in kinds])
    color = alt.Color("standing:N", title=None, scale=colors, legend=alt.Legend(labelLimit=300))
    data = alt.Chart(alt.InlineData(values=values)).encode(y=y, color=color, tooltip=TELLING)
    bars = data.mark_rule(strokeWidth=2, opacity=0.75).encode(x=x, x2="high:Q")
    dots = data.mark_point(filled=True, size=62, opacity=1).encode(x=alt.X("gain:Q"))
    ring = data.transform_filter("datum.leader").mark_point(size=190, strokeWidth=2, color=KNEE, opacity=1)
    rings = [ring.encode(x=alt.X("gain:Q"), color=alt.value(KNEE))] if any(row["leader"] for row in values) else []
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
    layers = [zero.encode(x="zero:Q"), bars, dots, *rings]
    heading = alt.TitleParams(title, subtitle=subtitle, anchor="start", fontSize=14, subtitleFontSize=12, offset=10)
    return alt.LayerChart(layer=layers).properties(width=380, height=_STEP * len(values), title=heading)
