"""Every figure of a study's README, from its published rows alone, and its picture.

    python benchmarks/studies.py claim-stages --picture studies/claim-stages/finding.svg
    python benchmarks/studies.py start-or-place --picture studies/start-or-place/finding.svg

`--publish` writes `rows.csv` first, from the study as it lies in its folder, with its width-matched baselines.
"""

import math
import textwrap
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import numpy as np
import typer
from numpy.typing import NDArray
from scipy import stats

from nas_attn.assembly import load_space
from nas_attn.results import Evaluation, evaluations, read_csv, table, write_csv
from nas_attn.results.pictures import DOMINATED, FRONT, INK, KNEE, TOOLTIP, dressed, write_picture
from nas_attn.settings import read_study_file
from nas_attn.space import parse
from nas_attn.study import StudyFolder
from nas_attn.verdict.claim_picture import claims_chart
from nas_attn.verdict.conclusion import Conclusion, conclude
from nas_attn.verdict.words import interval

Numbers = NDArray[np.float64]

STUDIES = Path(__file__).parent.parent / "studies"
STARTS = {"paper": KNEE, "identity": FRONT, "plain, wider": DOMINATED}


def main(name: str, picture: Path | None = None, publish: Annotated[bool, typer.Option("--publish")] = False) -> None:
    folder = STUDIES / name
    if publish:
        study = StudyFolder.open(folder)
        write_csv(table([*study.all_rows(), *study.width_matched()]), folder / "rows.csv")
    found, rows = concluded(folder)
    print(f"{len(rows)} trainings, {sum(row.train_seconds for row in rows) / 3600:.2f} hours of training\n")
    print("\n\n".join(found.sentences))
    print("\n| network | mean accuracy | gain over the plain backbone | FLOPs |\n|---|---|---|---|")
    for line in found.readable.to_dict("records"):
        flops = next(row["flops"] for row in rows if row.key == line["Key"])
        print(f"| {line['Network']} {line['Key']} | {' | '.join(list(line.values())[3:5])} | {flops:,.0f} |")
    chart = claims_chart(found.claims) if found.claims else gains_chart(found)
    if not found.claims:
        starts_and_places(rows)
    if picture:
        write_picture(chart, picture)


def concluded(folder: Path) -> tuple[Conclusion, list[Evaluation]]:
    """The verdict of published rows, and the rows."""
    file = read_study_file(folder)
    rows = evaluations(read_csv(folder / "rows.csv"))
    slots = tuple((slot.name, [site.name for site in slot.sites]) for slot in load_space(folder / file.space)[1].slots)
    inside = [row for row in rows if row.role != "width-matched"]
    outside = [row for row in rows if row.role == "width-matched"]
    return conclude(inside, outside, file.objectives, slots=slots, claims=file.claim), rows


def placed(row: Evaluation) -> tuple[str, str, str]:
    """Kind, place and start of a network's attention."""
    placements = parse(row.architecture).placements
    stages = sorted({one.site.partition(".")[0] for one in placements})
    attention = placements[0].attention
    place = stages[0].replace("stage", "stage ") if len(stages) == 1 else "all stages"
    return attention.kind, place, str(dict(attention.options)["start"])


def starts_and_places(rows: list[Evaluation]) -> None:
    """What start, place and kind decide, of the networks that have one stage filled."""
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for row in rows:
        if row.architecture != "none":
            values.setdefault(placed(row), {})[row.seed] = 100 * row["accuracy"]
    print("\nidentity less paper, points of accuracy, seed by seed (Student's 95 % interval of each alone):")
    for kind, place, start in values:
        if start == "identity":
            print(f"  {kind} at {place}: {paired(difference(values, kind, place))}")
    block = cube({key: value for key, value in values.items() if key[1] != "all stages"})
    print(f"  all kinds, one stage each: {paired((block[:, :, 1] - block[:, :, 0]).mean(axis=(0, 1)))}")
    for number, start in enumerate(("paper", "identity")):
        for one, other in ((2, 0), (2, 1), (1, 0)):
            gap = (block[:, one, number] - block[:, other, number]).mean(axis=0)
            print(f"  {start} start, stage {one + 1} less stage {other + 1}, all kinds: {paired(gap)}")
    print("\nvariance between the networks with one stage filled, points squared, seed noise taken off (jackknife):")
    for name, share in spreads(block).items():
        print(f"  {name}: {share}")


def difference(values: Mapping[tuple[str, str, str], Mapping[int, float]], kind: str, place: str) -> Numbers:
    """Identity less paper start, seed by seed."""
    paper, identity = (values[kind, place, start] for start in ("paper", "identity"))
    return np.array([identity[seed] - paper[seed] for seed in sorted(paper)])


def cube(values: Mapping[tuple[str, str, str], Mapping[int, float]]) -> Numbers:
    """Accuracies, shape (kinds, places, starts, seeds)."""
    kinds, places = (sorted({key[axis] for key in values}) for axis in (0, 1))
    starts, seeds = ("paper", "identity"), sorted(next(iter(values.values())))
    return np.array(
        [
            [[[values[kind, place, start][seed] for seed in seeds] for start in starts] for place in places]
            for kind in kinds
        ]
    )


def paired(differences: Numbers) -> str:
    half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences))
    mean = float(differences.mean())
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def spreads(block: Numbers) -> dict[str, str]:
    """The variance that each factor alone decides, and all they do together, each with its jackknife interval."""
    found = {name: jackknife(block, name) for name in ("start", "place", "kind", "together")}
    found["start less place"] = jackknife(block, "start less place")
    return found


def jackknife(block: Numbers, name: str) -> str:
    seeds = block.shape[-1]
    whole = variance(block, name)
    left = np.array([variance(np.delete(block, seed, axis=-1), name) for seed in range(seeds)])
    pseudo = seeds * whole - (seeds - 1) * left
    half = float(stats.t.ppf(0.975, seeds - 1) * stats.sem(pseudo))
    return f"{whole:+.2f} ({whole - half:+.2f} to {whole + half:+.2f})"


def variance(block: Numbers, name: str) -> float:
    """The variance of a factor's means, or of all networks, as the mean product of what two seeds say of them."""
    if name == "start less place":
        return variance(block, "start") - variance(block, "place")
    axes = {"start": (0, 1), "place": (0, 2), "kind": (1, 2), "together": ()}[name]
    means = block.mean(axis=axes).reshape(-1, block.shape[-1])
    means = means - means.mean(axis=0)
    products = [means[:, one] @ means[:, other] for one, other in combinations(range(block.shape[-1]), 2)]
    return float(np.mean(products)) / (len(means) - 1)


def gains_chart(found: Conclusion) -> alt.ConcatChart:
    """Gains over the plain backbone by kind and place, a colour a start."""
    compared, records = found.comparison, []
    rows = {row.key: row for row in compared.trainings.networks}
    for one in (*compared.networks, *compared.widths):
        wide = rows[one.what].architecture == "none"
        kind, place, start = ("plain backbone", one.what, "plain, wider") if wide else placed(rows[one.what])
        gain = {end: 100 * getattr(one.gain, end) for end in ("value", "low", "high")}
        tip = {"Key": one.what, "Gain": interval(compared.measure, one.gain)}
        records.append({"line": f"{kind} at {place}", "start": start, **gain, "tooltip": tip})
    lines = [record["line"] for record in sorted(records, key=lambda record: record["start"] == "plain, wider")]
    colors = alt.Scale(domain=[*STARTS], range=[*STARTS.values()])
    chart = alt.Chart(alt.InlineData(values=[one for one in records if math.isfinite(one["low"])])).encode(
        y=alt.Y(
            "line:N", sort=[*dict.fromkeys(lines)], axis=alt.Axis(title=None, labelLimit=300, grid=True, ticks=False)
        ),
        yOffset=alt.YOffset("start:N", sort=[*STARTS], scale=alt.Scale(paddingOuter=0.5)),
        color=alt.Color("start:N", title="start", scale=colors),
        tooltip=TOOLTIP,
    )
    title = "points of accuracy over the plain backbone, with simultaneous 95 % intervals"
    bars = chart.mark_rule(strokeWidth=2, opacity=0.75).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    dots = chart.mark_point(filled=True, size=62, opacity=1).encode(x="value:Q")
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
    panel: Any = alt.LayerChart(layer=[zero.encode(x="zero:Q"), bars, dots])
    heading = "Where attention stands, and how it starts"
    panel = panel.properties(width=480, height=34 * len({*lines}))
    return dressed(alt.concat(panel), heading, textwrap.wrap(found.sentences[0], 100))


if __name__ == "__main__":
    typer.run(main)
