"""The figure of a study: every network by what it achieves and what it costs, with the front and its knee."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from nas_attn.space import NONE, InputError

from .files import write_whole
from .front import Objectives, candidates, directions, front, knee, losses
from .measures import measure, spell, spell_latency

FRONT, DOMINATED, KNEE, INK = "#0072B2", "#8A8F98", "#D55E00", "#22262B"
"""Blue, grey and vermilion, which colour-blind readers tell apart (Okabe and Ito), and the colour of words."""

_STANDINGS = ("on the front", "dominated")
_TOOLTIPS = ("params", "macs", "flops", "latency_ms", "loss")
_PLACE = "place"


def front_chart(table: pd.DataFrame, objectives: Objectives, title: str | None = None) -> alt.ConcatChart:
    """The first objective against each other one, a panel each; pointing at a network shows it in every panel.

    Networks on the front are strong and the others faint, baselines have a shape of their own, and the knee is ringed.
    The line of a panel is the front of its two objectives alone. One objective alone is drawn against the place that
    each network takes. Wheel with Ctrl zooms, dragging moves and a double click resets.

    Raises `InputError` where no row is complete, and as `front` does.
    """
    rows = candidates(table, objectives)
    if rows.empty:
        raise InputError("nothing to draw: the table has no complete row")
    known = directions(objectives)
    first, *others = known
    names = others or [_PLACE]
    places = pd.Series(losses(rows, {first: known[first]})[:, 0]).rank(method="first")
    rows = rows.assign(**{_PLACE: places.to_numpy()}) if not others else rows
    records = _records(rows, objectives, [first, *names])
    hover = alt.selection_point(name="network", fields=["key"], on="pointerover", nearest=True, empty=False)
    panels = [_panel(rows, objectives, records, number, names, hover) for number in range(len(names))]
    chart = alt.concat(*panels, columns=3, spacing=28).add_params(hover).resolve_scale(color="shared", shape="shared")
    on_front = sum(record["standing"] == _STANDINGS[0] for record in records)
    return _dressed(chart, title or _count(on_front, len(rows)), _subtitle(first, others))


def write_png(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write a chart as a PNG with two pixels for each of its own; the file appears whole or not at all.

    Raises `InputError` where nothing can be written there.
    """
    write_whole(path, vl_convert.vegalite_to_png(chart.to_json(), scale=2))


def _records(rows: pd.DataFrame, objectives: Objectives, names: Sequence[str]) -> list[dict[str, Any]]:
    """What the marks say of each row, under names that no column of a user can spoil; the front is drawn last."""
    keys = set(front(rows, objectives).index)
    chosen = knee(rows, objectives)
    records = []
    for key, row in zip(rows.index, rows.to_dict("records"), strict=True):
        architecture = str(row.get("architecture", key))
        words = {f"text_{name}": spell(name, float(row[name])) for name in _TOOLTIPS if name in row}
        if "latency_ms" in row:
            words["text_latency_ms"] = spell_latency({str(name): value for name, value in row.items()})
        label = " ".join(("knee",) * (str(key) == chosen) + ("bare network",) * (architecture == NONE))
        records.append(
            {
                "key": str(key),
                "architecture": architecture,
                "standing": _STANDINGS[key not in keys],
                "role": row.get("role", "search"),
                "label": label,
                **{f"value{number}": float(row[name]) for number, name in enumerate(names)},
                **{f"text{number}": spell(name, float(row[name])) for number, name in enumerate(names)},
                **words,
            }
        )
    return sorted(records, key=lambda record: (record["standing"] == _STANDINGS[0], record["label"]))


def _panel(
    rows: pd.DataFrame,
    objectives: Objectives,
    records: list[dict[str, Any]],
    number: int,
    names: Sequence[str],
    hover: alt.Parameter,
) -> alt.LayerChart:
    """One panel: the first objective upwards, this one to the right."""
    first = next(iter(directions(objectives)))
    name = names[number]
    x = alt.X(f"value{number + 1}:Q", title=_axis_title(name, rows), scale=_scale(), axis=_axis(name))
    y = alt.Y("value0:Q", title=_axis_title(first, rows) if number % 3 == 0 else None, scale=_scale(), axis=_axis(first))
    dots = alt.Chart(alt.InlineData(values=records)).encode(x=x, y=y)
    zoom = alt.selection_interval(name=f"zoom{number}", bind="scales", zoom="wheel![event.ctrlKey]")
    marks = (
        dots.mark_point(filled=True, strokeWidth=1)
        .encode(
            color=_color(),
            shape=_shape(records),
            stroke=alt.condition(hover, alt.value(INK), alt.value("white")),
            size=alt.condition(hover, alt.value(260), alt.Size("standing:N", legend=None, scale=_by_standing(130, 60))),
            opacity=alt.Opacity("standing:N", legend=None, scale=_by_standing(1, 0.55)),
            tooltip=_tooltips(first, names, records),
        )
        .add_params(zoom)
    )
    ring = dots.transform_filter("indexof(datum.label, 'knee') == 0").mark_point(
        size=380, color=KNEE, strokeWidth=2, filled=False
    )
    layers = [marks, ring, *_labels(dots, rows, objectives, name)]
    if name != _PLACE:
        layers.insert(0, _stairs(rows, objectives, first, name, number).encode(x=x, y=y))
    return alt.layer(*layers).properties(width={1: 640, 2: 430}.get(len(names), 310), height=340)


def _stairs(rows: pd.DataFrame, objectives: Objectives, first: str, name: str, number: int) -> alt.Chart:
    """The line along the front of two objectives, on which each step shows what a cost buys at best."""
    known = directions(objectives)
    ends = front(rows, {first: known[first], name: known[name]}).drop_duplicates([first, name]).sort_values(name)
    values = [
        {f"value{number + 1}": x, "value0": y}
        for x, y in zip(ends[name].astype(float), ends[first].astype(float), strict=True)
    ]
    after = known[name] == "min"
    return alt.Chart(alt.InlineData(values=values)).mark_line(
        interpolate="step-after" if after else "step-before", color=FRONT, strokeWidth=1.6, opacity=0.55
    )


def _labels(dots: alt.Chart, rows: pd.DataFrame, objectives: Objectives, name: str) -> list[alt.Chart]:
    """The words at the knee and at the bare network, on the sides where the fewest networks are."""
    known = directions(objectives)
    up = known[next(iter(known))] == "max"
    left = known.get(name, "min") == "min"
    text = {"fontSize": 12, "fontWeight": 600}
    knee_label = dots.transform_filter("indexof(datum.label, 'knee') == 0").mark_text(
        align="right" if left else "left", dx=-11 if left else 11, dy=-11 if up else 11, color=KNEE, **text
    )
    bare_label = dots.transform_filter("datum.label == 'bare network'").mark_text(
        align="left" if left else "right", dx=11 if left else -11, dy=12 if up else -12, color="#555B64", **text
    )
    return [knee_label.encode(text="label:N"), bare_label.encode(text="label:N")]


def _tooltips(first: str, names: Sequence[str], records: list[dict[str, Any]]) -> list[alt.Tooltip]:
    tips = [alt.Tooltip("key:N", title="Key"), alt.Tooltip("architecture:N", title="Architecture")]
    tips += [
        alt.Tooltip(f"text{number}:N", title=measure(name).title)
        for number, name in enumerate([first, *names])
        if name not in _TOOLTIPS
    ]
    tips += [
        alt.Tooltip(f"text_{name}:N", title=measure(name).title)
        for name in _TOOLTIPS
        if f"text_{name}" in records[0]
    ]
    return tips


def _axis_title(name: str, rows: pd.DataFrame) -> list[str]:
    """What an axis shows; a latency with how it was timed."""
    if name == _PLACE:
        return ["Place"]
    known = measure(name)
    lines = [f"{known.title} ({known.unit})" if known.unit not in ("", "%") else known.title]
    if name == "latency_ms" and {"latency_device", "latency_threads", "latency_batch"} <= set(rows.columns):
        row = rows.iloc[0]
        threads = "1 thread" if row["latency_threads"] == 1 else f"{row['latency_threads']} threads"
        lines.append(f"batch {row['latency_batch']}, {threads}, {row['latency_device']}")
    return lines


def _axis(name: str) -> alt.Axis:
    ticks = "~d" if name == _PLACE else measure(name).ticks
    return alt.Axis(format=ticks, tickCount=6, tickMinStep=1 if name == _PLACE else alt.Undefined, labelOverlap=True)


def _scale() -> alt.Scale:
    return alt.Scale(zero=False, nice=True, padding=26)


def _color() -> alt.Color:
    scale = alt.Scale(domain=list(_STANDINGS), range=[FRONT, DOMINATED])
    return alt.Color("standing:N", title=None, scale=scale, legend=alt.Legend(symbolOpacity=1, symbolSize=110))


def _shape(records: list[dict[str, Any]]) -> alt.Shape:
    scale = alt.Scale(domain=["search", "baseline"], range=["circle", "diamond"])
    both = any(record["role"] == "baseline" for record in records)
    legend = alt.Legend(symbolFillColor=INK, symbolStrokeWidth=0, symbolSize=110) if both else None
    return alt.Shape("role:N", title=None, scale=scale, legend=legend)


def _by_standing(on_front: float, dominated: float) -> alt.Scale:
    return alt.Scale(domain=list(_STANDINGS), range=[on_front, dominated])


def _count(on_front: int, rows: int) -> str:
    return f"{on_front} of {rows} trained {'network is' if rows == 1 else 'networks are'} on the front"


def _subtitle(first: str, others: Sequence[str]) -> str:
    title = measure(first).title
    if not others:
        return f"{title} of every trained network, the best one first"
    listed = ", ".join(measure(name).title for name in others)
    return f"No trained network is better than a blue one in {title}, {listed} at once; each line is the front of its panel"


def _dressed(chart: alt.ConcatChart, title: str, subtitle: str) -> alt.ConcatChart:
    lines = alt.TitleParams(title, subtitle=subtitle, anchor="start", offset=14)
    return (
        chart.properties(title=lines, background="white", padding=14)
        .configure(font="Helvetica Neue, Arial, Liberation Sans, DejaVu Sans, sans-serif")
        .configure_title(fontSize=17, subtitleFontSize=13, color=INK, subtitleColor="#555B64", subtitlePadding=6)
        .configure_view(stroke=None)
        .configure_legend(orient="bottom", direction="horizontal", labelFontSize=12, labelColor=INK, columnPadding=22)
        .configure_axis(
            labelFontSize=11,
            titleFontSize=12,
            labelColor="#444A52",
            titleColor=INK,
            titlePadding=10,
            gridColor="#E9ECEF",
            domainColor="#9AA0A6",
            tickColor="#9AA0A6",
        )
    )
