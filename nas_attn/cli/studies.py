"""The commands that read a study, and hand out its networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas_attn.space import InputError

from .reporting import AsJson, print_json, records
from .showing import show, spelt
from .working import StudyPath

if TYPE_CHECKING:
    from nas_attn.results import Evaluation
    from nas_attn.verdict import Standings

_WHERE = "Only networks like these: 'latency_ms <= 2 and params < 300_000'."
_OBJECTIVE = "Trade this off instead, and what else is so named."


def front(
    study: StudyPath,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows of the front to this CSV file.")] = None,
    where: Annotated[str | None, typer.Option(help=_WHERE)] = None,
    objective: Annotated[list[str] | None, typer.Option(help=_OBJECTIVE, show_default="the study's")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the Pareto front of a study: the networks that no other beats, and those that may be on it.

    Another network beats one if it is at least as good in every objective and better in one. By their means the best in
    the first objective comes first; a star marks the knee, the most balanced of them. Where networks have several
    seeds, each has the probability that it is on the front, and those that are undecided follow; but not of a front
    among those alone that meet a condition, or in other objectives than the study's.
    """
    from nas_attn.report import headline
    from nas_attn.results import evaluations, pareto_front, selected, write_csv
    from nas_attn.study import StudyFolder
    from nas_attn.verdict import standings

    folder = StudyFolder.open(study).once()
    table = folder.table() if where is None else selected(folder.table(), where)
    found = pareto_front(table, objective or folder.file.objectives)
    meeting = f" where {where}" if where else ""
    if found.best.empty:
        raise InputError(f"{study}: no network is trained within the budget{meeting} yet")
    sure = standings(folder) if where is None and not objective else None
    best = found.best if sure is None else sure.rows(found)
    if csv is not None:
        write_csv(found.best, csv)
    if as_json:
        print_json({"study": str(study), "knee": found.knee, "rows": records(best)}, indent=1)
        return
    counted, *_, noise = headline(table, found, sure)
    typer.echo(f"{study}{',' if where else ''}{meeting}: {counted if sure is None else sure.counted}\n")
    _show_front(rows := evaluations(best.drop(columns="front", errors="ignore")), [*found.objectives], found.knee, sure)
    typer.echo(f"\n* the knee, the most balanced of them. Latency with its 95 % interval, on {_timed_on(rows[0])}.")
    typer.echo(noise)
    predicted, written = folder.prediction(), None if csv is None else f"Written: {csv}"
    for line in filter(None, (predicted and f"How well latencies were predicted: {predicted}.", written)):
        typer.echo(line)


def _timed_on(row: "Evaluation") -> str:
    first = row.latency
    threads = f"{first.threads} thread{'s' if first.threads > 1 else ''}"
    return f"{first.target}: {first.device}, {threads}, batch {first.batch}"


def _show_front(rows: "list[Evaluation]", objectives: list[str], knee: str | None, sure: "Standings | None") -> None:
    from nas_attn.settings import learnt

    wanted = [*objectives[:1], *(one.name for one in learnt()), "params", "flops", *objectives]
    measures = [name for name in dict.fromkeys(wanted) if name != "latency_ms"]
    lines = (
        (
            "*" if row.key == knee else "",
            row.key,
            *(() if sure is None else (sure.place(row.key),)),
            *spelt(row, [*measures, "latency_ms"]),
            row.architecture,
        )
        for row in rows
    )
    show(("", "key", *(() if sure is None else ("on the front",)), *measures, "latency", "architecture"), lines)


def report(
    study: StudyPath,
    csv: Annotated[Path | None, typer.Option(help="Also write every row of every step and seed to this file.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the front: .png, .svg or .html.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write report.html into a study's folder.

    The page needs no network: the answer, the front with axes to choose, every network drawn block by block, what each
    kind adds where, how the search went, every row with its reason, settings, versions and devices.
    """
    from nas_attn.report.write import report_study
    from nas_attn.results import table, write_csv
    from nas_attn.study import StudyFolder

    written = list(report_study(study, picture))
    if csv is not None:
        write_csv(table(StudyFolder.open(study).all_rows()), csv)
        written.append(csv)
    if as_json:
        print_json({"study": str(study), "files": written})
        return
    for path in written:
        typer.echo(f"Written: {path}")
