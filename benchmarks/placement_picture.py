"""The picture at the top of the README: a network, and what each attention gains and costs at each of its stages.

    python benchmarks/placement_picture.py studies/digits-table --picture docs/placements.svg

The study has published the rows of every network of its space, whose slots are stages, and each kind has one setting
there. Gains and intervals are the verdict's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import typer

import nas_attn
from nas_attn.results.pictures import FRONT, INK, KNEE, PALE, dressed, write_picture
from nas_attn.settings import read_study_file
from nas_attn.statistics import Estimate
from nas_attn.verdict.conclusion import conclude

LEFT, COLUMN, RIGHT, GAP = 190, 196, 96, 8
NETWORK, FIRST, ROW = 34, 92, 50
"""Pixels across: names, a stage, scores, between cells; pixels down: the network's middle, the first row, a row."""
OPEN, BOX, WAY = "#ECEFF2", "#DCE3EA", "#9AA0A6"
NAMES = {"se": "squeeze-and-excitation", "bam": "bottleneck (BAM)", "non_local": "non-local", "cbam": "CBAM"}


@dataclass(frozen=True)
class Cell:
    """A kind at a stage, and what it gains and costs there."""

    kind: str
    stage: str
    gain: Estimate
    flops: float
    """What it costs, as a share of the plain backbone's."""

    @property
    def points(self) -> str:
        return f"{100 * self.gain.value:+.1f}".replace("-", "\N{MINUS SIGN}") + " points"

    @property
    def decided(self) -> bool:
        return self.gain.low > 0 or self.gain.high < 0


def main(study: Path, picture: Annotated[Path, typer.Option()]) -> None:
    file, space = nas_attn.load_space(study / "space.toml")
    table = nas_attn.load_table(study)
    ledger = nas_attn.open_ledger(file.backbone, file.image, file.classes)
    slots = [(slot.name, [site.name for site in slot.sites]) for slot in space.slots]
    found = conclude(table.rows, [], table.objectives, slots=slots).comparison
    gains = {one.what: one.gain for one in found.effects}
    cells = []
    for answers in table.choices.values():
        for spelling in answers[1:]:
            (placed,) = nas_attn.parse(spelling).placements
            stage, kind = placed.site.partition(".")[0], placed.attention.kind
            flops = ledger.price(nas_attn.parse(spelling)).flops / ledger.plain.flops - 1
            cells.append(Cell(kind, stage, gains[f"{kind} at {stage}"], flops))
    sizes = {slot: ledger.passes[sites[-1]][0][0] for slot, sites in slots}
    trained = f"every one of {space.size} networks was trained with {len(table.seeds)} seeds"
    told = (
        f"{file.backbone.name} of {ledger.plain.params:,} parameters on {read_study_file(study).data.kind}; {trained}"
    )
    chart = alt.concat(drawn(cells, sizes, file.image, file.classes))
    chart = dressed(chart, "Which attention belongs where in this network?", [answer(cells), told])
    write_picture(chart, picture)


def answer(cells: list[Cell]) -> str:
    """The largest gain and the largest loss."""
    best, worst = max(cells, key=lambda cell: cell.gain.value), min(cells, key=lambda cell: cell.gain.value)
    said = [f"{name(cell)} in {spaced(cell.stage)}: {cell.points}" for cell in (best, worst)]
    return f"Most is gained by {said[0]} of accuracy; most is lost by {said[1]}"


def spaced(stage: str) -> str:
    return stage.replace("stage", "stage ")


def name(cell: Cell) -> str:
    return NAMES.get(cell.kind, cell.kind)


def drawn(
    cells: list[Cell], sizes: Mapping[str, tuple[int, ...]], image: tuple[int, int, int], classes: int
) -> alt.LayerChart:
    """The network from left to right, and below each stage a line a kind, the largest gain first."""
    stages = {stage: LEFT + COLUMN * number for number, stage in enumerate(sizes)}
    best = {cell.kind: max(one.gain.value for one in cells if one.kind == cell.kind) for cell in cells}
    lines = {kind: FIRST + ROW * number for number, kind in enumerate(sorted(best, key=best.__getitem__, reverse=True))}
    end = LEFT + COLUMN * len(stages)
    size = f"{image[1]} x {image[2]} pixels"
    rects = [box(LEFT - 118, NETWORK, 92), box(end + 18, NETWORK, RIGHT - 24)]
    words = [
        text("image", LEFT - 72, NETWORK - 8, 13, bold=True),
        text(size, LEFT - 72, NETWORK + 10, 11),
        text("scores", end + 54, NETWORK - 8, 13, bold=True),
        text(f"{classes} classes", end + 54, NETWORK + 10, 11),
    ]
    for stage, left in stages.items():
        channels, height, width = sizes[stage]
        rects.append(box(left + GAP, NETWORK, COLUMN - 2 * GAP))
        words.append(text(spaced(stage), left + COLUMN / 2, NETWORK - 8, 13, bold=True))
        words.append(text(f"{channels} channels, {height} x {width}", left + COLUMN / 2, NETWORK + 10, 11))
    words += [text(NAMES.get(kind, kind), LEFT - 12, top + ROW / 2, 13, align="right") for kind, top in lines.items()]
    for cell in cells:
        left, top = stages[cell.stage], lines[cell.kind]
        colour = (FRONT if cell.gain.value > 0 else KNEE) if cell.decided else OPEN
        ink = "white" if cell.decided else PALE
        rects.append({"x": left + GAP, "x2": left + COLUMN - GAP, "y": top + 3, "y2": top + ROW - 3, "fill": colour})
        middle = left + COLUMN / 2
        words.append(text(cell.points, middle, top + ROW / 2 - 8, 15, ink, bold=cell.decided))
        words.append(text(f"{100 * cell.flops:.0f} % more FLOPs", middle, top + ROW / 2 + 10, 11, ink))
    bottom = FIRST + ROW * len(lines) + 20
    at = LEFT + GAP
    for colour, meaning in ((FRONT, "gains"), (KNEE, "loses"), (OPEN, "not known to do either")):
        rects.append({"x": at, "x2": at + 16, "y": bottom - 8, "y2": bottom + 8, "fill": colour})
        words.append(text(meaning, at + 23, bottom, 12, PALE, align="left"))
        at += 90
    words.append(
        text(
            "points of accuracy over nothing there, simultaneous 95 % intervals",
            LEFT + GAP,
            bottom + 24,
            12,
            PALE,
            align="left",
        )
    )
    ways = [{"x": LEFT - 26, "x2": end + 18, "y": NETWORK}]
    return layers(rects, words, ways, end + RIGHT, bottom + 36)


def box(left: float, middle: float, width: float) -> dict[str, Any]:
    return {"x": left, "x2": left + width, "y": middle - 24, "y2": middle + 24, "fill": BOX}


def text(
    said: str, x: float, y: float, size: int, color: str = INK, *, bold: bool = False, align: str = "center"
) -> dict[str, Any]:
    return {"said": said, "x": x, "y": y, "size": size, "color": color, "weight": 700 if bold else 400, "align": align}


def layers(
    rects: list[dict[str, Any]], words: list[dict[str, Any]], ways: list[dict[str, Any]], width: int, height: int
) -> alt.LayerChart:
    """Boxes, ways and words at their pixels."""
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    lines = alt.Chart(alt.InlineData(values=ways)).mark_rule(color=WAY, strokeWidth=2).encode(x=x, x2="x2:Q", y=y)
    fill = alt.Color("fill:N", scale=None)
    shapes = alt.Chart(alt.InlineData(values=rects)).mark_rect(cornerRadius=5)
    layer = [lines, shapes.encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=fill)]
    for align, size, weight in dict.fromkeys((one["align"], one["size"], one["weight"]) for one in words):
        same = [one for one in words if (one["align"], one["size"], one["weight"]) == (align, size, weight)]
        mark = alt.Chart(alt.InlineData(values=same)).mark_text(
            align=align, fontSize=size, fontWeight=weight, baseline="middle"
        )
        layer.append(mark.encode(x=x, y=y, text="said:N", color=alt.Color("color:N", scale=None)))
    return alt.LayerChart(layer=layer).properties(width=width, height=height)


if __name__ == "__main__":
    typer.run(main)
