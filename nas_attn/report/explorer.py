"""Charts of a page whose data the page hands them: the front with axes to choose, and how the search went."""

from typing import Any, Literal

import altair as alt

from nas_attn.results.pages import specification
from nas_attn.results.pictures import DOMINATED, FRONT, INK, KNEE, PALE, TOOLTIP, styled

from .data import STANDINGS, WIDTH_MATCHED

UNDECIDED, MATCHED = "#56B4E9", "#009E73"
COLOURS = dict(zip((*STANDINGS.values(), WIDTH_MATCHED), (FRONT, UNDECIDED, DOMINATED, MATCHED), strict=True))
SHAPES = {"found by the search": "circle", "baseline": "diamond", WIDTH_MATCHED: "triangle-up"}


def explorer() -> dict[str, Any]:
    """Networks by two measures, with intervals, the front of the two, and limits of the budget.

    What stands in the place of an axis, such as `@x`, the page replaces by what is chosen. Its data are `networks`
    (`key`, `x`, `y`, the ends `x0` to `y1` of intervals, `standing`, `role`, `tooltip`, and words that begin to the
    right of a mark, `left`, or end there, `right`), `steps` and `limits`; its signals are the key that is `chosen` and
    the keys that are `placed`, empty for all.
    """
    chosen = alt.param(name="chosen", value="")
    placed = alt.param(name="placed", value=[])
    hover = alt.selection_point(name="hover", fields=["key"], on="pointerover", nearest=True)
    zoom = alt.selection_interval(name="zoom", bind="scales", zoom="wheel![event.ctrlKey]")
    dots = alt.Chart(alt.NamedData(name="networks")).encode(x=_axis("x", "x"), y=_axis("y", "y"))
    fades = {"opacity": alt.when(_SHOWN).then(alt.value(0.5)).otherwise(alt.value(0.08))}
    colour = alt.Color("standing:N", scale=alt.Scale(domain=[*COLOURS], range=[*COLOURS.values()]), legend=None)
    marks = _marks(dots, colour, hover).add_params(hover, zoom, chosen, placed)
    layers = [
        *_limits(),
        alt.Chart(alt.NamedData(name="steps"), name="needs.steps.x")
        .mark_line(color=FRONT, strokeWidth=1.6, opacity=0.55)
        .encode(x=_axis("x", "x"), y=_axis("y", "y"), order="number:Q"),
        _named("x0", dots).mark_rule().encode(x=_axis("x0", "x"), x2="x1:Q", color=colour, **fades),
        _named("y0", dots).mark_rule().encode(y=_axis("y0", "y"), y2="y1:Q", color=colour, **fades),
        marks,
        *(_words(dots, align) for align in ("left", "right")),
    ]
    return _filled(alt.LayerChart(layer=layers), 480)


_SHOWN = "!length(placed) || indexof(placed, datum.key) >= 0"


def _marks(dots: alt.Chart, colour: alt.Color, hover: alt.Parameter) -> alt.Chart:
    shape = alt.Shape("role:N", scale=alt.Scale(domain=[*SHAPES], range=[*SHAPES.values()]), legend=None)
    out = f"datum.standing === '{STANDINGS['out']}'"
    own = "datum.key === chosen"
    marks: alt.Chart = dots.mark_point(filled=True).encode(
        color=colour,
        shape=shape,
        stroke=alt.when(own)
        .then(alt.value(KNEE))
        .when(hover, empty=False)
        .then(alt.value(INK))
        .otherwise(alt.value("white")),
        strokeWidth=alt.when(own).then(alt.value(4)).otherwise(alt.value(1)),
        size=alt.when(hover, empty=False)
        .then(alt.value(260))
        .when(own)
        .then(alt.value(300))
        .when(out)
        .then(alt.value(60))
        .otherwise(alt.value(130)),
        opacity=alt.when(f"!({_SHOWN})").then(alt.value(0.1)).when(out).then(alt.value(0.65)).otherwise(alt.value(1)),
        tooltip=TOOLTIP,
    )
    return marks


def _words(dots: alt.Chart, align: Literal["left", "right"]) -> alt.Chart:
    """The words of a field on the side of their network where there is room."""
    text = _named(align, dots).mark_text(
        align=align, dx=11 if align == "left" else -11, dy=13, fontSize=12, fontWeight=600, color=PALE
    )
    words: alt.Chart = text.encode(text=f"{align}:N")
    return words


def _axis(field: str, axis: str) -> Any:
    channel = alt.X if axis == "x" else alt.Y
    return channel(
        f"{field}:Q",
        title=f"@{axis}",
        scale=alt.Scale(zero=False, padding=26),
        axis=alt.Axis(format=f"@{axis}format", tickCount=6),
    )


def _limits() -> list[alt.Chart]:
    """The limits of the budget, across and upwards, each with its words."""
    limits = alt.Chart(alt.NamedData(name="limits"))
    x, y = _axis("x", "x"), _axis("y", "y")
    across, up = _named("limits.x", limits), _named("limits.y", limits)
    lines = [each.mark_rule(strokeDash=[6, 4], color=KNEE, strokeWidth=1.4) for each in (across, up)]
    words = [
        each.mark_text(fontSize=11, color=KNEE, align="right", angle=angle, dx=-4, dy=-6, text="budget")
        for each, angle in ((across, 270), (up, 0))
    ]
    return [
        *(lines[0].encode(x=x), words[0].encode(x=x, y=alt.value(0))),
        *(lines[1].encode(y=y), words[1].encode(y=y, x=alt.value("width"))),
    ]


def _named(needed: str, chart: alt.Chart) -> alt.Chart:
    """A layer of the records that have a field; by its name a page leaves it out where none has."""
    return chart.transform_filter(f"isValid(datum.{needed.rpartition('.')[2]})").properties(name=f"needs.{needed}")


def progress() -> dict[str, Any]:
    """What each training found, in the order in which they came, and the best so far.

    Its data are `trained` (`key`, `along`, `y`, `standing`, `tooltip`) and `best` (`along`, `y`); what `along` is, the
    page chooses.
    """
    x = _along()
    colour = alt.Color("standing:N", scale=alt.Scale(domain=[*COLOURS], range=[*COLOURS.values()]), legend=None)
    dots = alt.Chart(alt.NamedData(name="trained")).mark_point(filled=True, size=55, opacity=0.8)
    best = alt.Chart(alt.NamedData(name="best")).mark_line(interpolate="step-after", color=INK, strokeWidth=1.4)
    y = _axis("y", "y")
    return _filled(
        alt.LayerChart(layer=[dots.encode(x=x, y=y, color=colour, tooltip=TOOLTIP), best.encode(x=x, y=y)]), 240
    )


def volumes() -> dict[str, Any]:
    """The hypervolume of the front, as the search went; its data are `volumes` (`along`, `share`, `tooltip`)."""
    y = alt.Y(
        "share:Q", title="Hypervolume, of that at the end", axis=alt.Axis(format="~%"), scale=alt.Scale(zero=True)
    )
    chart = alt.Chart(alt.NamedData(name="volumes")).encode(x=_along(), y=y, tooltip=TOOLTIP)
    line = chart.mark_line(interpolate="step-after", color=FRONT)
    return _filled(alt.LayerChart(layer=[line, chart.mark_point(filled=True, size=24, color=FRONT)]), 200)


def _along() -> alt.X:
    """What a search has spent: networks, trainings or time."""
    return alt.X("along:Q", title="@along", axis=alt.Axis(tickMinStep=alt.ExprRef(expr="@alongstep")))


def _filled(chart: alt.LayerChart, height: int) -> dict[str, Any]:
    """A chart as wide as the page lets it be."""
    return specification(styled(chart.properties(width="container", height=height)))
