"""Figure of a conclusion: gains over the plain backbone, and what each kind adds in each slot."""

import json
import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt

from nas_attn.results.pictures import DOMINATED, FRONT, INK, KNEE, TOOLTIP, dressed
from nas_attn.settings import Measure
from nas_attn.space import InputError
from nas_attn.statistics import Membership, Standing

from .comparison import Comparison
from .difference import Difference
from .words import interval

_SHOWN = 30
"""How many networks are drawn at most."""

_STEP = 19
"""Pixels from one line to the next."""

_FRONTS: dict[Standing, str] = {
    "in": "on the front",
    "undecided": "undecided",
    "out": "not on the front",
}
_WIDTH, _SURE, _UNSURE = "width-matched baseline", "surely adds or costs something", "not distinguished from nothing"
_COLORS = {
    **dict(zip(_FRONTS.values(), (FRONT, "#56B4E9", DOMINATED), strict=True)),
    _WIDTH: "#009E73",
    _SURE: KNEE,
    _UNSURE: DOMINATED,
}


def conclusion_chart(found: Comparison, member: Membership, finding: str) -> alt.ConcatChart:
    """Differences with intervals that hold together; right is better.

    Networks are coloured by whether they are on the front, kinds at slots by whether they surely do anything. Of many
    networks the most promising are drawn. Raises `InputError` where there is no difference to draw.
    """
    networks = _networks(found, member)
    effects = [_effect(found.measure, one) for one in sorted(found.effects, key=lambda one: -one.gain.value)]
    if not any(math.isfinite(record["low"]) for record in networks):
        raise InputError("nothing to draw: no network is compared with the plain backbone with a known noise")
    more = len(found.networks) + len(found.widths) - len(networks)
    over = "Gain over the plain backbone" + (f" (the {_SHOWN} likeliest to gain; {more} more)" if more > 0 else "")
    panels = [_panel(found.measure, networks, over, _ringed(found))]
    if effects:
        across = "Over all networks, if effects add up; narrower, as many trainings inform each"
        panels.append(_panel(found.measure, effects, "What a kind adds in a slot where nothing stood", across))
    chart = alt.concat(*panels, columns=2, spacing=40).resolve_scale(color="independent")
    return dressed(chart, f"{finding.partition(':')[0]}:", textwrap.wrap(finding.partition(": ")[2], 150))


def _ringed(found: Comparison) -> str:
    if found.leader is None:
        return "No network is promising: none is likely to beat the plain backbone"
    surely = "surely beats the plain backbone" if found.leader in found.beating else "is not sure to beat it"
    return f"The ring is round the most promising network, which {surely}"


def _networks(found: Comparison, member: Membership) -> list[dict[str, Any]]:
    """The networks that are likeliest to gain, the largest gain first, and among them the width-matched baselines."""
    places = {row.key: number for number, row in enumerate(found.trainings.networks)}
    ranks = {number: rank for rank, number in enumerate(found.order)}
    standings = {key: _FRONTS[member.standing(number)] for number, key in enumerate(member.posterior.keys)}
    chosen = sorted(found.networks, key=lambda one: ranks[places[one.what]])[:_SHOWN]
    alike = Counter(found.parts)
    records = []
    for one in chosen:
        number = places[one.what]
        standing = standings.get(one.what, _FRONTS["undecided"])
        named = {"Key": one.what, "Architecture": found.trainings.networks[number].architecture}
        record = _record(found.measure, one, _label(found, number, alike), standing, named)
        records.append(record | {"leader": number == found.leader})
    widths = [_record(found.measure, one, one.what, _WIDTH, {"Key": one.what}) for one in found.widths]
    return sorted([*records, *widths], key=lambda record: -record["gain"])


def _effect(judged: Measure, one: Difference) -> dict[str, Any]:
    standing = _SURE if one.gain.positive or one.gain.negative else _UNSURE
    return _record(judged, one, one.what, standing, {"Kind": one.what})


def _label(found: Comparison, number: int, alike: Counter[tuple[str, ...]]) -> str:
    """What a network has, and its key where another has the same kinds."""
    parts = found.parts[number]
    key = f"{found.trainings.networks[number].key}: " if alike[parts] > 1 else ""
    return key + ", ".join(parts)


def _record(judged: Measure, one: Difference, label: str, standing: str, named: dict[str, str]) -> dict[str, Any]:
    return {
        "label": label,
        "gain": one.gain.value,
        "low": one.gain.low,
        "high": one.gain.high,
        "standing": standing,
        "leader": False,
        "tooltip": {**named, "Gain": interval(judged, one.gain), "Verdict": standing},
    }


def _panel(judged: Measure, records: Sequence[dict[str, Any]], title: str, subtitle: str) -> alt.LayerChart:
    scale = 100 if judged.unit == "%" else 1
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
    x = alt.X("low:Q", title=f"{judged.gain}, with simultaneous 95 % intervals", scale=alt.Scale(zero=True))
    kinds = [name for name in _COLORS if any(record["standing"] == name for record in values)]
    colors = alt.Scale(domain=kinds, range=[_COLORS[name] for name in kinds])
    color = alt.Color("standing:N", title=None, scale=colors, legend=alt.Legend(labelLimit=300))
    data = alt.Chart(alt.InlineData(values=values)).encode(y=y, color=color, tooltip=TOOLTIP)
    bars = data.mark_rule(strokeWidth=2, opacity=0.75).encode(x=x, x2="high:Q")
    dots = data.mark_point(filled=True, size=62, opacity=1).encode(x=alt.X("gain:Q"))
    ring = data.transform_filter("datum.leader").mark_point(size=190, strokeWidth=2, color=KNEE, opacity=1)
    rings = [ring.encode(x=alt.X("gain:Q"), color=alt.value(KNEE))] if any(row["leader"] for row in values) else []
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
    layers = [zero.encode(x="zero:Q"), bars, dots, *rings]
    heading = alt.TitleParams(title, subtitle=subtitle, anchor="start", fontSize=14, subtitleFontSize=12, offset=10)
    return alt.LayerChart(layer=layers).properties(width=380, height=_STEP * len(values), title=heading)
