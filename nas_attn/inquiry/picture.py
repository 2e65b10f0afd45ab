"""Figure of answers: gains with intervals, over the plain backbone and over width."""

import json
import math
from collections.abc import Iterator
from typing import Any

import altair as alt

from nas_attn.results.pictures import FRONT, INK, KNEE, TOOLTIP, dressed
from nas_attn.settings import measure
from nas_attn.statistics import Estimate

from .answer import Answer, Answers
from .wording import gained, title

_STEP = 26
"""Pixels from one line to the next."""
_PLAIN, _WIDTH = "over the plain backbone", "over a width-matched baseline"
_COLORS = {_PLAIN: FRONT, _WIDTH: KNEE}


def answers_chart(found: Answers) -> alt.ConcatChart | None:
    """Gains with their intervals, right is better, and a band as wide as the seed noise; None where none is known."""
    records = [record for one in found.answers for record in _records(found, one)]
    if not records:
        return None
    labels = {record["line"]: record["label"] for record in records}
    axis = alt.Axis(
        labelExpr=f"{json.dumps(labels)}[datum.value]", title=None, labelLimit=420, grid=True, ticks=False, domain=False
    )
    colors = alt.Scale(domain=[*_COLORS], range=[*_COLORS.values()])
    scale, judged = 100 if found.measure.unit == "%" else 1, found.measure
    data = alt.Chart(alt.InlineData(values=records)).encode(
        y=alt.Y("line:N", sort=None, axis=axis),
        color=alt.Color("over:N", title=None, scale=colors, legend=alt.Legend(labelLimit=300)),
        tooltip=TOOLTIP,
    )
    x = alt.X("low:Q", title=f"{judged.gain}, with simultaneous 95 % intervals", scale=alt.Scale(zero=True))
    band = alt.Chart(alt.InlineData(values=[{"from": 0, "to": scale * found.noise}])).mark_rect(color=INK, opacity=0.08)
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
    layers = [
        band.encode(x="from:Q", x2="to:Q"),
        zero.encode(x="zero:Q"),
        data.mark_rule(strokeWidth=2, opacity=0.75).encode(x=x, x2="high:Q"),
        data.mark_point(filled=True, size=62, opacity=1).encode(x=alt.X("gain:Q")),
    ]
    panel = alt.LayerChart(layer=layers).properties(width=620, height=_STEP * len(records))
    return dressed(alt.concat(panel), "What each gains", ["The grey band is as wide as the seed noise"])


def _records(found: Answers, one: Answer) -> Iterator[dict[str, Any]]:
    scale = 100 if found.measure.unit == "%" else 1
    gains: list[tuple[str, str, Estimate]] = [(_PLAIN, title(one), one.gain)]
    gains += [(_WIDTH, f"the same {measure(each.price).word}", each.gain) for each in one.widths]
    for over, label, gain in gains:
        if math.isfinite(gain.low):
            yield {
                "line": f"{one.candidate.key} {label}",
                "label": label,
                "over": over,
                "gain": scale * gain.value,
                "low": scale * gain.low,
                "high": scale * gain.high,
                "tooltip": {"Network": title(one), "Gain": gained(found.measure, gain), "Answer": one.finding},
            }
