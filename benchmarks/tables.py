"""What a published table says: how much of it is noise, what decides, and which networks are on the front.

    python benchmarks/tables.py digits-table [--picture studies/digits-table/rows.svg]

NAME is a published table, or a folder with a `rows.csv` and its `space.toml`.
"""

import math
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import numpy as np
import typer
from numpy.typing import NDArray

import nas_attn
from nas_attn.results.pictures import DOMINATED, FRONT, INK, KNEE, dressed, write_picture
from nas_attn.statistics import ceiling, components, membership, posterior, resamples
from nas_attn.verdict.conclusion import conclude

Numbers = NDArray[np.float64]

LIKELY = 0.2  # a network is listed from this probability on
STANDINGS = {"in": KNEE, "undecided": FRONT, "out": DOMINATED}


def accuracies(table: nas_attn.Table) -> Numbers:
    """Accuracy of every network with every seed, in percent: an axis a slot, then the seeds."""
    found = {(row.key, row.seed): 100 * row["accuracy"] for row in table.rows}
    keys = [table.key(dict(zip(table.choices, answers, strict=True))) for answers in product(*table.choices.values())]
    values = np.array([[found[key, seed] for seed in table.seeds] for key in keys])
    return values.reshape(*map(len, table.choices.values()), len(table.seeds))


def effects(table: nas_attn.Table) -> list[dict[str, Any]]:
    """What each answer adds to its slot where nothing stood, in points, with the verdict's simultaneous interval."""
    slots = tuple((slot.name, [site.name for site in slot.sites]) for slot in table.space.slots)
    found = []
    for one in conclude(table.rows, [], table.objectives, slots=slots).comparison.effects:
        kind, _, slot = one.what.partition(" at ")
        ends = {
            end: 100 * getattr(one.gain, name) for end, name in (("mean", "value"), ("low", "low"), ("high", "high"))
        }
        found.append({"slot": slot, "what": kind, **ends})
    return found


def shares(values: Numbers) -> dict[str, float]:
    """Of the variance between networks, what one slot decides, and two and more together.

    What a seed does to an answer it does to all networks that have it, since they share the initial weights of a seed;
    so a variance is the mean product of what two different seeds say, in which no seed noise is left. It may
    be negative.
    """
    slots, seeds = values.ndim - 1, values.shape[-1]
    terms: dict[tuple[int, ...], Numbers] = {(): values.mean(axis=(*range(slots),), keepdims=True)}
    found: Counter[str] = Counter()
    for order in range(1, slots + 1):
        for chosen in combinations(range(slots), order):
            others = tuple(slot for slot in range(slots) if slot not in chosen)
            below = [term for inner, term in terms.items() if {*inner} < {*chosen}]
            terms[chosen] = values.mean(axis=others, keepdims=True) - sum(below)
            flat = terms[chosen].reshape(-1, seeds)
            products = (flat.sum(axis=1) ** 2 - (flat**2).sum(axis=1)) / (seeds * (seeds - 1))
            found[f"{order} slot{'s together' if order > 1 else ''}"] += float(products.mean())  # type: ignore[assignment]
    whole = sum(found.values())
    return {name: share / whole for name, share in found.items()}


def scatter(table: nas_attn.Table) -> alt.LayerChart:
    """Every network by FLOPs and accuracy, with a standard error to either side."""
    front = membership(table.rows, table.objectives)
    values = []
    for number, network in enumerate(front.networks):
        row = table.true.loc[network.key]
        error = row["accuracy_std"] / math.sqrt(len(table.seeds))
        ends = {"low": 100 * (row["accuracy"] - error), "high": 100 * (row["accuracy"] + error)}
        values.append(
            {"flops": row["flops"] / 1000, "mean": 100 * row["accuracy"], **ends, "is": front.standing(number)}
        )
    values.sort(key=lambda value: [*STANDINGS][::-1].index(value["is"]))
    scale = alt.Scale(domain=[*STANDINGS], range=[*STANDINGS.values()])
    color = alt.Color("is:N", title="On the front:", scale=scale)
    data = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("flops:Q", title="kFLOPs", scale=alt.Scale(zero=False)), color=color
    )
    y = alt.Y("low:Q", title="Accuracy (%)", scale=alt.Scale(zero=False))
    bars = data.mark_rule(opacity=0.35).encode(y=y, y2="high:Q")
    dots = data.mark_point(filled=True, size=45, opacity=1).encode(y="mean:Q")
    title = alt.TitleParams("Every network", subtitle="Mean and its standard error", anchor="start", fontSize=14)
    return alt.LayerChart(layer=[bars, dots]).properties(width=460, height=420, title=title)


def main_effects(table: nas_attn.Table) -> alt.VConcatChart:
    """What each answer adds to its slot, a panel a slot."""
    found = effects(table)
    ends = [min(one["low"] for one in found), max(one["high"] for one in found)]
    panels = []
    for slot in table.choices:
        data = alt.Chart(alt.InlineData(values=[one for one in found if one["slot"] == slot]))
        title = "Points of accuracy against nothing there" if slot == [*table.choices][-1] else None
        x = alt.X("low:Q", title=title, scale=alt.Scale(domain=ends, padding=8))
        y = alt.Y("what:N", title=None, sort=None, axis=alt.Axis(labelLimit=260))
        zero = data.mark_rule(color=INK, strokeDash=[4, 4]).encode(x=alt.datum(0))
        bars = data.mark_rule(color=FRONT, opacity=0.5, strokeWidth=2).encode(x=x, x2="high:Q", y=y)
        dots = data.mark_point(filled=True, size=70, color=FRONT, opacity=1).encode(x="mean:Q", y=y)
        told = "Over all other answers, with simultaneous 95 % intervals" if not panels else ""
        title = alt.TitleParams(f"What stands in {slot}", subtitle=told, anchor="start", fontSize=14, frame="group")
        panels.append(alt.LayerChart(layer=[zero, bars, dots]).properties(width=300, height=100, title=title))
    return alt.vconcat(*panels, spacing=14)


def told(table: nas_attn.Table) -> None:
    values = accuracies(table)
    flat = values.reshape(-1, len(table.seeds))
    found, rng = components(flat), np.random.default_rng(0)
    limit, _ = ceiling(flat, resamples(len(flat), rng), rng)
    print(f"{table.name}: {len(flat)} networks, seeds {', '.join(map(str, table.seeds))}")
    print(
        f"accuracies of one training: {flat.min():.1f} to {flat.max():.1f} %; means: {flat.mean(1).min():.2f} to ",
        end="",
    )
    print(f"{flat.mean(1).max():.2f} %, median {np.median(flat.mean(1)):.2f} %")
    print(f"between networks {found.between:.2f} points, one training's noise {found.noise:.2f}, p {found.p:.1e}")
    print(f"two seeds agree at {limit.agreement}; means of all seeds are reliable to {limit.reliability}")
    print(
        "of the variance between networks: "
        + ", ".join(f"{name} {round(part, 2) + 0.0:.0%}" for name, part in shares(values).items())
    )
    for one in effects(table):
        print(f"  {one['slot']:14} {one['what']:34} {one['mean']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})")
    front, known = membership(table.rows, table.objectives), posterior(table.rows, "accuracy")
    standings = Counter(front.standing(number) for number in range(len(front.networks)))
    print("on the front: " + ", ".join(f"{standings[name]} {name}" for name in STANDINGS))
    bare = known.keys.index(nas_attn.Architecture().key)
    for number in np.argsort(-front.probability):
        if front.probability[number] >= LIKELY:
            network, more = front.networks[number], 100 * (known.draws[:, number] - known.draws[:, bare])
            low, high = np.quantile(more, (0.025, 0.975))
            told = f"{more.mean():+.2f} ({low:+.2f} to {high:+.2f}) points against bare"
            print(f"  {front.probability[number]:.2f}  {network['flops']:,} FLOPs  {told}  {network.architecture}")
    seconds, threads = sum(row.train_seconds for row in table.rows), table.rows[0]["latency_threads"]
    print(
        f"{seconds / 3600:.2f} hours of training on {table.rows[0].device}, {threads} thread; {table.rows[0].versions}"
    )


def main(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    picture: Annotated[Path | None, typer.Option(help="Also draw the table into this file.")] = None,
) -> None:
    table = nas_attn.load_table(name)
    told(table)
    if picture is not None:
        chart = alt.hconcat(scatter(table), main_effects(table), spacing=40)
        write_picture(
            dressed(chart, f"{table.name}: {len(table.true)} networks, {len(table.seeds)} seeds", ""), picture
        )


if __name__ == "__main__":
    typer.run(main)
