"""Histograms of what the networks of a space cost, as a picture and as text."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import altair as alt

from nas_attn.results.pictures import FRONT, INK, KNEE, TOOLTIP, dressed
from nas_attn.settings import measure

from .distribution import Distribution
from .totals import COUNTED, SpacePrices

_BINS = 50
_WIDTH, _HEIGHT = 310, 240
_BARS = "▁▂▃▄▅▆▇█"


def space_chart(
    prices: SpacePrices, distributions: Mapping[str, Distribution], title: str, subtitle: str
) -> alt.ConcatChart:
    """A histogram of every measure, with the plain backbone and the median marked."""
    panels = [_panel(name, plain, distributions[name]) for name, plain in zip(COUNTED, prices.plain, strict=True)]
    return dressed(alt.concat(*panels, columns=len(panels), spacing=30), title, subtitle)


def bars(shares: Sequence[float]) -> str:
    """A histogram as one line of text; what is there at all can be seen.

    >>> bars([0.5, 0.25, 0.0, 0.001])
    '█▄ ▁'
    """
    return "".join(_BARS[math.ceil(share / max(shares) * len(_BARS)) - 1] if share else " " for share in shares)


def _panel(name: str, plain: int, known: Distribution) -> alt.LayerChart:
    bins = known.histogram(_BINS)
    values = [
        {"start": start, "end": end, "share": share, "tooltip": _tooltip(name, start, end - 1, share)}
        for start, end, share in bins
    ]
    scale = alt.Scale(zero=False, nice=False, domain=[bins[0][0], bins[-1][1]])
    across = alt.Axis(format=measure(name).ticks, tickCount=5)
    parts = alt.Chart(alt.InlineData(values=values)).mark_bar(
        color=FRONT, opacity=0.75, stroke="white", strokeWidth=0.5
    )
    histogram = parts.encode(
        x=alt.X("start:Q", title=measure(name).title, scale=scale, axis=across),
        x2="end:Q",
        y=alt.Y("share:Q", title="Share of the networks", axis=alt.Axis(format="~%", tickCount=5)),
        y2=alt.Y2Datum(0),
        tooltip=TOOLTIP,
    )
    middle = (known.lowest + known.highest) / 2
    marks = [("plain backbone", int(plain), KNEE), ("median", known.quantile(0.5), INK)]
    lines = [
        layer
        for row, (text, value, color) in enumerate(marks)
        for layer in _mark(
            f"{text}: {measure(name).spell(value)}", value, color, row, "right" if value > middle else "left"
        )
    ]
    return alt.LayerChart(layer=[histogram, *lines]).properties(width=_WIDTH, height=_HEIGHT)


def _tooltip(name: str, first: int, last: int, share: float) -> dict[str, str]:
    ends = dict.fromkeys((measure(name).spell(first), measure(name).spell(last)))
    return {
        measure(name).title: " to ".join(ends),
        "Share of the networks": f"{100 * share:.2f} %" if share >= 1e-4 else "less than 0.01 %",
    }


def _mark(text: str, value: int, color: str, row: int, align: Literal["left", "right"]) -> list[alt.Chart]:
    """A line at a value, and words beside it, each mark's in a row of its own."""
    data = alt.Chart(alt.InlineData(values=[{"value": value, "text": text}])).encode(x="value:Q")
    words = data.mark_text(align=align, dx=-6 if align == "right" else 6, fontSize=12, fontWeight=600, color=color)
    return [
        data.mark_rule(color=color, strokeWidth=2, strokeDash=[5, 3]),
        words.encode(text="text:N", y=alt.value(-24 + 15 * row)),
    ]
