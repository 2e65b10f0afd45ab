"""Figure of claims: what is printed above what is measured, each with its interval."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from nas_attn.results.pictures import FRONT, INK, KNEE, TOOLTIP, dressed
from nas_attn.space import InputError
from nas_attn.statistics import Estimate

from .claim_words import claim_count, claim_title
from .claims import ClaimResult
from .words import interval

_STEP = 46
"""Pixels from one claim to the next."""
_SUBTITLE = "What is printed with the interval of its error; what is measured with one that is corrected for all claims"
_COLORS = {"printed": KNEE, "measured here": FRONT}


def claims_chart(results: Sequence[ClaimResult]) -> alt.ConcatChart:
    """Each claim that something was measured of; right is better. Raises `InputError` where there is none."""
    shown = [one for one in results if not math.isnan(one.measured.low)]
    if not shown:
        raise InputError("nothing to draw: no claim is compared with anything that was measured")
    records = [
        _record(one, number, name, gain)
        for number, one in enumerate(shown)
        for name, gain in zip(_COLORS, (one.printed, one.measured), strict=True)
    ]
    order = [record["claim"] for record in records[::2]]
    axis = alt.Axis(
        title=None, labelLimit=420, grid=True, ticks=False, domain=False, labelExpr="split(datum.value, '\\n')"
    )
    colors = alt.Scale(domain=[*_COLORS], range=[*_COLORS.values()])
    chart = alt.Chart(alt.InlineData(values=records)).encode(
        y=alt.Y("claim:N", sort=order, axis=axis),
        yOffset=alt.YOffset("what:N", sort=[*_COLORS], scale=alt.Scale(paddingOuter=0.6)),
        color=alt.Color("what:N", title=None, scale=colors, sort=[*_COLORS]),
        tooltip=TOOLTIP,
    )
    title = f"{shown[0].judged.gain}, with 95 % intervals"
    bars = chart.mark_rule(strokeWidth=2, opacity=0.75).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    dots = chart.mark_point(filled=True, size=62, opacity=1).encode(x="gain:Q")
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
    panel = alt.LayerChart(layer=[zero.encode(x="zero:Q"), bars, dots])
    counted = claim_count(results).partition(", by ")[0]
    return dressed(alt.concat(panel.properties(width=480, height=_STEP * len(shown))), counted, _SUBTITLE)


def _record(one: ClaimResult, number: int, name: str, gain: Estimate) -> dict[str, Any]:
    scale = 100 if one.judged.unit == "%" else 1
    ends = {end: scale * value for end, value in (("gain", gain.value), ("low", gain.low), ("high", gain.high))}
    tooltip = {"Claim": claim_title(one), "What": name, "Gain": interval(one.judged, gain), "Finding": one.finding}
    label = f"{number + 1}. {one.finding}:\n{claim_title(one)}"
    return {"claim": label, "what": name, **ends, "tooltip": tooltip}
