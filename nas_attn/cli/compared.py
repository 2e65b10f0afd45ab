"""The command that compares two networks of a study, or two studies of one space."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas_attn.space import InputError

from .reporting import AsJson, print_json, records
from .showing import show

if TYPE_CHECKING:
    import pandas as pd

    from nas_attn.settings import Measure
    from nas_attn.study import StudyFolder

_USAGE = "nas-attn compare STUDY KEY KEY, or nas-attn compare STUDY STUDY [KEY...]"


def compare(
    things: Annotated[
        list[str], typer.Argument(help="A study and two keys; or two studies, and keys if not all.", metavar="STUDY...")
    ],
    csv: Annotated[Path | None, typer.Option(help="Also write the table to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two networks of a study, or two studies of one space, seed by seed.

    Of two networks, which may be called knee and best: what stands in one and not in the other, and every measure with
    its difference, the second less the first. Of two studies: what they ask differently, and each network that both
    have trained as the winner is, by the leading measure of the first. A difference has the 95 % interval of a paired
    t-test over the seeds that both have, for other seeds on the same images.
    """
    from nas_attn.study import StudyFolder

    studies = [thing for thing in things if (Path(thing) / "study.toml").is_file()]
    keys = [thing for thing in things if thing not in studies]
    folders = [StudyFolder.open(study) for study in studies]
    if things[: len(studies)] != studies or len(studies) not in (1, 2) or (len(studies) == 1 and len(keys) != 2):
        found = ", ".join([*(f"the study {study}" for study in studies), *(f"{key!r}, no study" for key in keys)])
        raise InputError(f"compare: found {found}; allowed: {_USAGE}")
    table = _networks(folders[0], keys, as_json) if len(folders) == 1 else _studies(folders, keys, as_json)
    if csv is not None:
        from nas_attn.space import write_whole

        write_whole(csv, table.to_csv().encode())
        if not as_json:
            typer.echo(f"Written: {csv}")


def _networks(folder: "StudyFolder", keys: list[str], as_json: bool) -> "pd.DataFrame":
    from nas_attn.space import parse
    from nas_attn.verdict.pair import compare_networks

    table = compare_networks(folder, keys)
    names = [str(name) for name in table.columns[:2]]
    placed = [
        {one.site: str(one.attention) for one in parse(folder.pick(key).architecture).placements} for key in names
    ]
    sites = [site for site in sorted({*placed[0], *placed[1]}) if placed[0].get(site) != placed[1].get(site)]
    if as_json:
        differing = [
            {"site": site, **{name: one.get(site) for name, one in zip(names, placed, strict=True)}} for site in sites
        ]
        print_json({"study": str(folder.path), "sites": differing, "measures": records(table)}, indent=1)
        return table
    show(("what stands where", *names), ((site, *(one.get(site, "-") for one in placed)) for site in sites))
    typer.echo("")
    show(("measure", *names, "difference"), _lines(table, names))
    return table


def _lines(table: "pd.DataFrame", names: list[str]) -> Iterator[tuple[str, ...]]:
    from nas_attn.settings import measure

    for name, row in table.iterrows():
        one = measure(str(name))
        yield one.word, *(one.spell(row[key]) for key in names), _spelt(one, row, row[names[0]])


def _studies(folders: "list[StudyFolder]", keys: list[str], as_json: bool) -> "pd.DataFrame":
    from nas_attn.verdict.pair import compare_studies, differing

    table, one = compare_studies(folders, keys), folders[0].file.leading
    names = [str(folder.path) for folder in folders]
    if as_json:
        found = {"studies": names, "differing": differing(folders), "measure": one.name, "networks": records(table)}
        print_json(found, indent=1)
        return table
    for line in differing(folders) or ["both ask the same"]:
        typer.echo(line)
    lines = (
        (
            key,
            *(f"{one.spell(row[which])}{' *' if row[f'front_{which}'] else ''}" for which in ("first", "second")),
            _spelt(one, row, row["first"]),
            row["architecture"],
        )
        for key, row in table.iterrows()
    )
    typer.echo("")
    show(("key", *names, f"difference in {one.word}", "architecture"), lines)
    typer.echo("\n* on the front of that study.")
    return table


def _spelt(one: "Measure", row: "pd.Series", first: float) -> str:
    """A difference with its interval, or as a share of the first where it is a cost."""
    said = f"{one.difference(row['difference'])} {one.points}".rstrip()
    if one.source != "learnt":
        share = f" ({row['difference'] / first:+.1%})" if first else ""
        return f"{said if one.source == 'timed' else format(row['difference'], '+,.0f')}{share}"
    if math.isnan(row["low"]):
        return f"{said}, {'one' if row['seeds'] else 'no'} seed in common, which says nothing of noise"
    seeds, low, high = f"{row['seeds']:.0f} seeds", one.difference(row["low"]), one.difference(row["high"])
    return f"{said} (95 % interval {low} to {high}, {seeds})"
