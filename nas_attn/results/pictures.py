"""The figure of a study: every network by what it achieves and what it costs, with the front and its knee."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import altair as alt
import pandas as pd
import vl_convert

from nas_attn.settings import listed, measure
from nas_attn.space import InputError, allowed, write_whole

from .front import Front, Objectives, losses, pareto_front
from .pages import page, specification
from .points import PLACE, STANDINGS, Record, records, staircase

Chart = TypeVar("Chart", alt.ConcatChart, alt.LayerChart)

_ENDINGS = (".png", ".svg", ".html")
_NETWORKS = "networks"
"""The data that all panels share."""

FRONT, DOMINATED, KNEE, INK, PALE = "#0072B2", "#8A8F98", "#D55E00", "#22262B", "#555B64"
"""Blue, grey and vermilion, which colour-blind readers tell apart (Okabe and Ito), and two colours of words."""

TOOLTIP = alt.TooltipValue(alt.ExprRef("(datum.datum || datum).tooltip"))
"""The tooltip of a mark: the texts in `tooltip` of its record, by what they are called.

Where the nearest mark is meant, a cell around it is pointed at, whose `datum` is the mark; Vega-Lite 6 looks for fields
in the cell itself.
"""


def front_chart(table: pd.DataFrame | Front, objectives: Objectives = (), title: str | None = None) -> alt.ConcatChart:
    """The first objective against each other one, a panel each; pointing at a network shows it in every panel.

    Networks on the front are strong and the others faint, baselines have a shape of their own, and the knee is ringed.
    The line of a panel is the front of its two objectives alone. One objective alone is drawn against the place that
    each network takes. The wheel with Ctrl zooms, dragging moves and a double click resets.

    `table` may be a front that is computed already. Raises `InputError` where no row is complete, and as `front` does.
    """
    front = table if isinstance(table, Front) else pareto_front(table, objectives)
    if front.rows.empty:
        raise InputError("nothing to draw: the table has no complete row")
    first, *others = front.objectives
    if not others:
        places = pd.Series(losses(front.rows, front.objectives)[:, 0]).rank(method="first").to_numpy()
        front = replace(front, rows=front.rows.assign(**{PLACE: places}))
    names = [first, *(others or [PLACE])]
    found = records(front, names)
    hover = alt.selection_point(name="network", fields=["key"], on="pointerover", nearest=True)
    panels = [_Panel(front, found, names, number).draw(hover) for number in range(1, len(names))]
    chart = alt.concat(*panels, columns=_columns(names), spacing=30).resolve_scale(color="shared", shape="shared")
    _share(chart, hover)
    drawn = dressed(chart, title or _count(front), _subtitle(first, others))
    drawn.datasets = {_NETWORKS: found}  # at last, as whatever is done to a chart copies all that it holds
    return drawn


def write_png(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write a chart as a PNG with two pixels for each of its own; the file appears whole or not at all.

    Raises `InputError` where nothing can be written there.
    """
    write_whole(path, vl_convert.vegalite_to_png(chart.to_json(), scale=2))


def write_picture(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write a chart as what the name of the file ends in: .png, .svg, or .html, a page that loads nothing.

    The file appears whole or not at all. Raises `InputError` for another ending, and where nothing can be written.
    """
    if path.suffix not in _ENDINGS:
        raise InputError(f"{path}: found the ending {path.suffix!r}; {allowed(path.suffix, _ENDINGS)}")
    if path.suffix == ".png":
        write_png(chart, path)
    elif path.suffix == ".svg":
        write_whole(path, vl_convert.vegalite_to_svg(chart.to_json()).encode())
    else:
        write_whole(path, page("picture.html.jinja", figure=specification(chart), title=path.stem))


@dataclass(frozen=True, slots=True)
class _Panel:
    front: Front
    records: list[Record]
    names: Sequence[str]
    """What is drawn upwards, then what each panel draws to the right."""
    number: int
    """Which of the names this panel draws."""

    @property
    def across(self) -> str:
        return self.names[self.number]

    @property
    def width(self) -> int:
        return {1: 640, 2: 440, 4: 440}.get(len(self.names) - 1, 310)

    def draw(self, hover: alt.Parameter) -> alt.LayerChart:
        """The line below, then the networks, then words on them; the first panel holds the shared selection."""
        dots = alt.Chart(alt.NamedData(name=_NETWORKS)).encode(x=self._x(), y=self._y())
        zoom = alt.selection_interval(name=f"zoom{self.number}", bind="scales", zoom="wheel![event.ctrlKey]")
        marks = self._networks(dots, hover).add_params(zoom, *((hover,) if self.number == 1 else ()))
        layers = [*self._line(), marks, *self._words(dots)]
        return alt.LayerChart(layer=layers).properties(width=self.width, height=340)

    def _networks(self, dots: alt.Chart, hover: alt.Parameter) -> alt.Chart:
        dominated, scale = alt.datum.standing == STANDINGS[1], alt.Scale(domain=STANDINGS, range=[FRONT, DOMINATED])
        marks: alt.Chart = dots.mark_point(filled=True, strokeWidth=1).encode(
            color=alt.Color("standing:N", title=None, scale=scale),
            shape=_shape(self.records),
            stroke=alt.when(hover, empty=False).then(alt.value(INK)).otherwise(alt.value("white")),
            size=alt.when(hover, empty=False)
            .then(alt.value(260))
            .when(dominated)
            .then(alt.value(60))
            .otherwise(alt.value(130)),
            opacity=alt.when(dominated).then(alt.value(0.6)).otherwise(alt.value(1)),
            tooltip=TOOLTIP,
        )
        return marks

    def _line(self) -> list[alt.Chart]:
        """The front of the two objectives alone: what each cost buys at best."""
        if self.across == PLACE:
            return []
        steps = staircase(self.front, self.across, self.names[0])
        values = [{"across": across, "up": up} for across, up in steps]
        after = self.front.objectives[self.across] == "min"
        line = alt.Chart(alt.InlineData(values=values)).mark_line(
            interpolate="step-after" if after else "step-before", color=FRONT, strokeWidth=1.6, opacity=0.55
        )
        return [line.encode(x="across:Q", y="up:Q")]

    def _words(self, dots: alt.Chart) -> list[alt.Chart]:
        """The knee's ring, and words on the sides where the fewest networks are: beyond the front, and behind it."""
        known = self.front.objectives
        up = 1 if known[self.names[0]] == "max" else -1
        beyond = -1 if known.get(self.across, "max") == "min" else 1
        ring = dots.transform_filter("datum.knee != ''").mark_point(size=380, color=KNEE, strokeWidth=2, opacity=0.9)
        return [ring, self._label(dots, "knee", beyond, up, KNEE), self._label(dots, "plain", -beyond, -up, PALE)]

    def _label(self, dots: alt.Chart, field: str, side: int, up: int, color: str) -> alt.Chart:
        """The words of a field, on this side of their network, or on the other where the panel ends too soon."""
        values = [record[f"value{self.number}"] for record in self.records]
        place = next((value for value, record in zip(values, self.records, strict=True) if record[field]), values[0])
        share = (place - min(values)) / ((max(values) - min(values)) or 1)
        side = 1 if share < 0.25 and len(set(values)) > 1 else -1 if share > 0.75 else side
        align: Literal["left", "right"] = "right" if side < 0 else "left"
        text = dots.mark_text(align=align, dx=13 * side, dy=-12 * up, fontSize=12, fontWeight=600, color=color)
        words: alt.Chart = text.encode(text=f"{field}:N")
        return words

    def _x(self) -> alt.X:
        step = 1 if self.across == PLACE else 0
        axis = alt.Axis(
            format=measure(self.across).ticks, tickCount=self.width // 70, tickMinStep=step, titleLimit=self.width
        )
        title = _axis_title(self.across, self.front.rows)
        return alt.X(f"value{self.number}:Q", title=title, scale=self._scale(self.across), axis=axis)

    def _y(self) -> alt.Y:
        name = self.names[0]
        title = _axis_title(name, self.front.rows) if (self.number - 1) % _columns(self.names) == 0 else None
        axis = alt.Axis(format=measure(name).ticks, tickCount=6)
        return alt.Y("value0:Q", title=title, scale=self._scale(name), axis=axis)

    def _scale(self, name: str) -> alt.Scale:
        lowest, highest = float(self.front.rows[name].min()), float(self.front.rows[name].max())
        if lowest == highest:  # one value has no extent that ticks could be set in
            around = 0.02 * abs(lowest) or 1.0
            return alt.Scale(zero=False, nice=False, domain=[lowest - around, highest + around])
        return alt.Scale(zero=False, nice=name != PLACE, padding=26)


def _columns(names: Sequence[str]) -> int:
    return 2 if len(names) == 5 else 3


def _share(chart: alt.ConcatChart, hover: alt.Parameter) -> None:
    """Let the selection that the first panel holds be made in every panel; each panel has a zoom that names it."""
    kept = chart["params"]
    views = sorted({view for parameter in kept for view in parameter.views})
    for parameter in kept:
        if parameter.name == hover.name:
            parameter.views = views


def _axis_title(name: str, rows: pd.DataFrame) -> list[str]:
    """What an axis shows; a latency with how it was timed."""
    known = measure(name)
    lines = [f"{known.title} ({known.unit})" if known.unit not in ("", "%") else known.title]
    if name == "latency_ms" and {"latency_device", "latency_threads", "latency_batch"} <= set(rows.columns):
        row = rows.iloc[0]
        threads = "1 thread" if row["latency_threads"] == 1 else f"{row['latency_threads']} threads"
        lines += [f"batch {row['latency_batch']}, {threads}", str(row["latency_device"])]
    return lines


def _shape(records: list[Record]) -> alt.Shape:
    scale = alt.Scale(domain=["search", "baseline"], range=["circle", "diamond"])
    legend = alt.Legend(symbolFillColor=INK) if any(record["role"] == "baseline" for record in records) else None
    return alt.Shape("role:N", title=None, scale=scale, legend=legend)


def _count(front: Front) -> str:
    rows, best = len(front.rows), len(front.best)
    return (
        f"{best} of {rows} trained {'network' if rows == 1 else 'networks'} {'is' if best == 1 else 'are'} on the front"
        + (" of the means" if "seeds" in front.rows.columns and (front.rows["seeds"] > 1).any() else "")
    )


def _subtitle(first: str, others: Sequence[str]) -> str:
    if not others:
        return f"{measure(first).title} of every trained network, the best one first"
    names = listed([measure(name).word for name in (first, *others)])
    return f"No trained network beats a blue one in {names} at once; each line is the front of its panel alone"


def dressed(chart: alt.ConcatChart, title: str, subtitle: str | list[str]) -> alt.ConcatChart:
    """A chart with its title, in the one style of every picture."""
    return styled(chart.properties(title=alt.TitleParams(title, subtitle=subtitle, anchor="start", offset=16)))


def styled(chart: Chart) -> Chart:
    """A chart in the one style of every picture."""
    legend = {"orient": "bottom", "labelFontSize": 12, "labelColor": INK, "columnPadding": 18, "symbolSize": 110}
    axis = {"labelFontSize": 11, "labelColor": "#444A52", "labelOverlap": True, "gridColor": "#E9ECEF"}
    axis |= {"titleFontSize": 12, "titleFontWeight": "normal", "titleColor": INK, "titlePadding": 10}
    made: Chart = (
        chart.properties(background="white", padding=14)
        .configure(font="Helvetica Neue, Arial, Liberation Sans, DejaVu Sans, sans-serif")
        .configure_title(fontSize=17, subtitleFontSize=13, color=INK, subtitleColor=PALE, subtitlePadding=6)
        .configure_view(stroke=None)
        .configure_legend(direction="horizontal", symbolOpacity=1, symbolStrokeWidth=0, **legend)
        .configure_axis(domainColor="#9AA0A6", tickColor="#9AA0A6", **axis)
    )
    return made
