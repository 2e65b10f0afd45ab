"""The commands that run a study, read it, and hand out its networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas_attn.space import InputError

from .progress import watched
from .showing import console, show, spelt

if TYPE_CHECKING:
    from nas_attn.results import Evaluation
    from nas_attn.verdict import Standings

StudyPath = Annotated[Path, typer.Argument(help="A study's folder; it holds a study.toml.", metavar="STUDY")]

_WHERE = "Only networks like these: 'latency_ms <= 2 and params < 300_000'."
_OBJECTIVE = "Trade this off instead, and what else is so named."
_JOBS = "Networks to train at a time, each in a process and, with several GPUs, on one of its own."
Jobs = Annotated[int, typer.Option(min=1, help=_JOBS)]


def check(study: StudyPath) -> None:
    """Check all that would end or spoil a search, before it: images, networks, weights and export.

    The plain backbone and as few networks as hold every kind at every slot learn from a batch; they are priced, their
    weights written and read, and one is exported. Every label is read, and every image. One line says what is found of
    each thing, and each fault comes with its cure; `search` begins when there is none. Exit code 2 for faults.
    """
    from nas_attn.study import StudyFolder

    StudyFolder.open(study)
    screen = console()
    screen.print(f"{study}: is checked", soft_wrap=True)

    from nas_attn.launch import open_study

    with watched(screen, study, "check") as watch:
        checked = open_study(study).check(
            watch, lambda finding: screen.print(f"{finding.state:>10}  {finding}", soft_wrap=True)
        )
    screen.print(f"{study}: {checked.summary}", soft_wrap=True)
    if checked.faults:
        raise typer.Exit(2)


def search(
    study: StudyPath,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Networks of the first step in all, earlier runs included.", show_default="study.toml"
        ),
    ] = None,
    jobs: Jobs = 1,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not check the study before.")] = False,
) -> None:
    """Run the search of a study, or go on where it stopped.

    At first it is checked, as `nas-attn check` does, unless nothing has changed since that found no fault.

    Its chain of proxies is taken step by step: a supernet screens, a short training from a trained backbone refines,
    training as the winner will be trained confirms. Without a chain every network is trained so. Baselines come first:
    no attention anywhere, and each kind everywhere. A network over budget is not trained, and none is trained twice.
    Ctrl-C and SIGTERM keep every finished row; the same command goes on.
    """
    from nas_attn.study import StudyFolder

    steps = StudyFolder.open(study).file.steps
    screen = console()
    screen.print(f"{study}: up to {trials or steps[0].networks} networks, baselines first", soft_wrap=True)

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    with watched(screen, study, "search", steps=len(steps) > 1) as watch:
        said = open_study(study).run(trials, jobs=jobs, watch=watch, check=not no_check)
    screen.print(f"{study}: {said}. See them with: nas-attn front {study}", soft_wrap=True)


def audit(
    study: StudyPath,
    networks: Annotated[int, typer.Option(min=4, help="Networks to train as the winner will be trained.")] = 24,
    seeds: Annotated[int, typer.Option(min=1, help="How many times each is trained.")] = 3,
    jobs: Jobs = 1,
) -> None:
    """Find out whether the proxies of a study rank as full training does.

    So many networks, spread over the range of prices and over the first proxy's own ranking, are trained as the winner
    will be, with several seeds; so the order that full training gives is known, and how much of it is seed noise. Each
    step of the chain, counting parameters or FLOPs, and scores of untrained networks are compared with it. Writes
    audit.csv, audit-networks.csv and audit.svg into the study's folder. Rows that are there are reused, and what is
    interrupted goes on with the same command.
    """
    screen = console()
    screen.print(f"{study}: {networks} networks with {seeds} seeds each, as the winner will be trained", soft_wrap=True)

    from nas_attn.launch import open_study

    with watched(screen, study, "audit") as watch:
        found = open_study(study).audit(networks, seeds, jobs=jobs, watch=watch)
    for line in (*found.verdict, *(f"Written: {path}" for path in found.files)):
        screen.print(line, soft_wrap=True)


def verdict(
    study: StudyPath,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, help="How often each is trained, at least.", show_default="as the final step, at least 3"),
    ] = None,
    jobs: Jobs = 1,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Say what so many more minutes of training would decide.")
    ] = None,
    no_train: Annotated[bool, typer.Option("--no-train", help="Only conclude from the rows that are there.")] = False,
) -> None:
    """Say in words and numbers whether any attention pays in a study, and how sure that is.

    The most promising network is compared with the plain backbone, with itself without one of its placements at a time,
    and with the backbone a little wider, at the same price; all are trained as the winner will be, with the same seeds.
    Where no network is likely to gain anything, none is promising, and that is said. Writes verdict.csv and verdict.svg
    into the study's folder. Rows that are there are reused, and what is interrupted goes on with the same command.
    """
    screen = console()
    if not no_train:
        screen.print(
            f"{study}: its most promising network, if any is, is compared with others at its price", soft_wrap=True
        )

    from nas_attn.launch import open_study

    with watched(screen, study, "verdict") as watch:
        found = open_study(study).verdict(seeds, minutes=minutes, train=not no_train, jobs=jobs, watch=watch)
    for line in (*found.sentences, *(f"Written: {path}" for path in found.files)):
        screen.print(line, soft_wrap=True)


def front(
    study: StudyPath,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows of the front to this CSV file.")] = None,
    where: Annotated[str | None, typer.Option(help=_WHERE)] = None,
    objective: Annotated[list[str] | None, typer.Option(help=_OBJECTIVE, show_default="the study's")] = None,
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

    folder = StudyFolder.open(study)
    table = folder.table() if where is None else selected(folder.table(), where)
    found = pareto_front(table, objective or folder.file.objectives)
    if found.best.empty:
        meets = f" where {where}" if where else ""
        raise InputError(f"{study}: no network is trained within the budget{meets} yet")
    sure = standings(folder) if where is None and not objective else None
    counted, *_, noise = headline(table, found, sure)
    typer.echo(f"{study}{f', where {where}' if where else ''}: {counted}\n")
    rows = evaluations(found.best if sure is None else sure.rows(found).drop(columns="front"))
    _show_front(rows, [*found.objectives], found.knee, sure)
    typer.echo(f"\n* the knee, the most balanced of them. Latency with its 95 % interval, on {_timed_on(rows[0])}.")
    typer.echo(noise)
    if prediction := folder.prediction():
        typer.echo(f"How well latencies were predicted: {prediction}.")
    if csv is not None:
        write_csv(found.best, csv)
        typer.echo(f"Written: {csv}")


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
    for path in written:
        typer.echo(f"Written: {path}")
