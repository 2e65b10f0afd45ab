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


def front(
    study: StudyPath,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows of the front to this CSV file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the Pareto front of a study: the networks that no other beats, and those that may be on it.

    Another network beats one if it is at least as good in every objective and better in one. By their means the best in
    the first objective comes first; a star marks the knee, the most balanced of them. Where networks have several
    seeds, each has the probability that it is on the front, and those that are undecided follow.
    """
    from nas_attn.report import headline
    from nas_attn.results import evaluations, write_csv
    from nas_attn.study import StudyFolder
    from nas_attn.verdict import standings

    folder = StudyFolder.open(study)
    found, table = folder.front(), folder.table()
    if found.best.empty:
        raise InputError(f"{study}: no network is trained within the budget yet")
    sure = standings(folder)
    if csv is not None:
        write_csv(found.best, csv)
    if as_json:
        best = found.best if sure is None else sure.rows(found)
        print_json({"study": str(study), "knee": found.knee, "rows": records(best)}, indent=1)
        return
    counted, *_, noise = headline(table, found, sure)
    typer.echo(f"{study}: {counted}\n")
    rows = evaluations(found.best if sure is None else sure.rows(found).drop(columns="front"))
    _show_front(rows, folder.file.leading.name, found.knee, sure)
    first = rows[0].latency
    threads = f"{first.threads} thread{'s' if first.threads > 1 else ''}"
    timed = f"{first.target}: {first.device}, {threads}, batch {first.batch}"
    typer.echo(f"\n* the knee, the most balanced of them. Latency with its 95 % interval, on {timed}.")
    typer.echo(noise)
    if prediction := folder.prediction():
        typer.echo(f"How well latencies were predicted: {prediction}.")
    if csv is not None:
        typer.echo(f"Written: {csv}")


def _show_front(rows: "list[Evaluation]", leading: str, knee: str | None, sure: "Standings | None") -> None:
    from nas_attn.settings import learnt

    measures = [*dict.fromkeys((leading, *(one.name for one in learnt()))), "params", "flops"]
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
) -> None:
    """Write report.html and front.png into a study's folder.

    The page needs no network: the front as an interactive picture and as a table, what stands where in each of its
    networks, every row with its reason, settings, versions and devices.
    """
    from nas_attn.report.write import report_study
    from nas_attn.results import table, write_csv
    from nas_attn.study import StudyFolder

    written = list(report_study(study))
    if csv is not None:
        write_csv(table(StudyFolder.open(study).all_rows()), csv)
        written.append(csv)
    for path in written:
        typer.echo(f"Written: {path}")


def export(
    study: StudyPath,
    out: Annotated[
        Path, typer.Argument(help="The folder to write; an unchanged earlier export is replaced.", metavar="OUT")
    ],
    pick: Annotated[
        str,
        typer.Option(
            help="knee: the most balanced of the front; best: in the leading objective; or a KEY.",
            metavar="WHICH",
        ),
    ] = "knee",
    by_name: Annotated[
        bool, typer.Option("--import", help="Import your own modules by name, instead of taking their files along.")
    ] = False,
) -> None:
    """Write a trained network into a folder that needs torch alone, and prove that it works there.

    The folder holds model.py (source to read), model.safetensors, model.pt2, config.json and a README.md that says how
    to use them; of a network or an attention of your own, the files of its modules and of what they import go along.
    Before they are kept, a fresh process without nas_attn loads them and compares their outputs. The accuracy on the
    test part, which no search has seen, is measured here. Only an earlier export with all its files unchanged is
    replaced. Ctrl-C and SIGTERM leave what is there.
    """
    from nas_attn.launch import open_study

    try:
        row, notes = open_study(study).export(out, pick, by_name=by_name)
    except KeyboardInterrupt:
        again = f"nas-attn export {study} {out} --pick {pick}{' --import' if by_name else ''}"
        typer.echo(f"Interrupted; nothing is left half-written. Again: {again}")
        raise typer.Exit(130) from None
    _tell_export(study, out, row, notes)


def _tell_export(study: Path, out: Path, row: "Evaluation", notes: list[str]) -> None:
    from nas_attn.study import StudyFolder

    for note in notes:
        typer.echo(f"note: {note}")
    judged = StudyFolder.open(study).file.leading
    found = f"{judged.word} {judged.spell(row[judged.name])}"
    found += f", the mean of {row.seeds} seeds" if row.seeds > 1 else ""
    typer.echo(f"Written: {out}  ({row.key}, {found}: {row.architecture})")
    proved = [name for name in ("model.py", "model.pt2") if (out / name).is_file()]
    if proved:
        typer.echo(f"Loaded in a fresh process, {' and '.join(proved)}, with the same outputs.")
    typer.echo(f"How to use it: {out / 'README.md'}")
