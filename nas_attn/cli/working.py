"""The commands that work at a study: check, doctor, search, audit and verdict."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .progress import watched
from .reporting import AsJson, Loudness, Quiet, Reporter, Verbose, records

StudyPath = Annotated[Path, typer.Argument(help="A study's folder; it holds a study.toml.", metavar="STUDY")]

_JOBS = "Networks to train at a time, each in a process and, with several GPUs, on one of its own."
Jobs = Annotated[int, typer.Option(min=1, help=_JOBS)]


def check(study: StudyPath, quiet: Quiet = False, verbose: Verbose = False, as_json: AsJson = False) -> None:
    """Check all that would end or spoil a search, before it: images, networks, weights and export.

    The plain backbone and as few networks as hold every kind at every slot learn from a batch; they are priced, their
    weights written and read, and one is exported. Every label is read, and every image. One line says what is found of
    each thing, and each fault comes with its cure; `search` begins when there is none. Exit code 2 for faults.
    """
    from nas_attn.study import StudyFolder

    StudyFolder.open(study)
    reporter = Reporter(Loudness(quiet, verbose, as_json))
    reporter.say("check", f"{study}: is checked")

    from nas_attn.launch import open_study

    def show(finding: Any) -> None:
        reporter.say("finding", f"{finding.state:>10}  {finding}", result=True, **asdict(finding))

    with watched(reporter, study, "check") as watch:
        checked = open_study(study).check(watch, show)
    faults = [str(fault) for fault in checked.faults] if quiet else []
    reporter.end([*faults, f"{study}: {checked.summary}"], faults=len(checked.faults))
    if checked.faults:
        raise typer.Exit(2)


def doctor(
    study: StudyPath,
    no_mend: Annotated[bool, typer.Option("--no-mend", help="Only say what could be mended.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check rows, reservations, files and digests of a study after a fault, and mend what can be.

    Whether the database is whole and every row can be true; which processes have died, so that what they had begun is
    free; whether weights, what single images got, bases and latencies are as they were written. What is damaged is
    fetched again from the artifacts, removed where it is made again, or named. Nothing that a living process works at
    is touched. Exit code 2 for faults that are left.
    """
    from nas_attn.study import StudyFolder

    folder = StudyFolder.open(study)
    reporter = Reporter(Loudness(quiet, as_json=as_json))

    from nas_attn.preflight import examine

    def show(finding: Any) -> None:
        reporter.say("finding", f"{finding.state:>10}  {finding}", result=True, **asdict(finding))

    found = examine(folder, show, mend=not no_mend)
    left = [str(one) for one in found.of("fault", "warning")] if quiet else []
    reporter.end([*left, f"{study}: {found.summary}"], faults=len(found.faults))
    if found.faults:
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
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
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
    reporter = Reporter(Loudness(quiet, verbose, as_json))
    reporter.say("search", f"{study}: up to {trials or steps[0].networks} networks, baselines first")

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    with watched(reporter, study, "search") as watch:
        said = open_study(study).run(trials, jobs=jobs, watch=watch, check=not no_check)
    reporter.end([f"{study}: {said}. See them with: nas-attn front {study}"])


def audit(
    study: StudyPath,
    networks: Annotated[int, typer.Option(min=4, help="Networks to train as the winner will be trained.")] = 24,
    seeds: Annotated[int, typer.Option(min=1, help="How many times each is trained.")] = 3,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Find out whether the proxies of a study rank as full training does.

    So many networks, spread over the range of prices and over the first proxy's own ranking, are trained as the winner
    will be, with several seeds; so the order that full training gives is known, and how much of it is seed noise. Each
    step of the chain, counting parameters or FLOPs, and scores of untrained networks are compared with it. Writes
    audit.csv, audit-networks.csv and audit.svg into the study's folder. Rows that are there are reused, and what is
    interrupted goes on with the same command.
    """
    reporter = Reporter(Loudness(quiet, verbose, as_json))
    reporter.say("audit", f"{study}: {networks} networks with {seeds} seeds each, as the winner will be trained")

    from nas_attn.launch import open_study

    with watched(reporter, study, "audit") as watch:
        found = open_study(study).audit(networks, seeds, jobs=jobs, watch=watch)
    reporter.end(found.verdict, found.files, **_tables(as_json, found.files))


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
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Say in words and numbers whether any attention pays in a study, and how sure that is.

    The most promising network is compared with the plain backbone, with itself without one of its placements at a time,
    and with the backbone a little wider, at the same price; all are trained as the winner will be, with the same seeds.
    Where no network is likely to gain anything, none is promising, and that is said. Writes verdict.csv and verdict.svg
    into the study's folder. Rows that are there are reused, and what is interrupted goes on with the same command.
    """
    reporter = Reporter(Loudness(quiet, verbose, as_json))
    if not no_train:
        reporter.say("verdict", f"{study}: its most promising network, if any is, is compared with others at its price")

    from nas_attn.launch import open_study

    with watched(reporter, study, "verdict") as watch:
        found = open_study(study).verdict(seeds, minutes=minutes, train=not no_train, jobs=jobs, watch=watch)
    facts = {"finding": found.conclusion.finding, "table": records(found.conclusion.table)} if as_json else {}
    reporter.end(found.sentences, found.files, **facts)


def _tables(as_json: bool, files: Iterable[Path]) -> dict[str, Any]:
    """The rows of the tables among some files, by their names."""
    if not as_json:
        return {}
    import pandas as pd

    return {file.stem.replace("-", "_"): records(pd.read_csv(file)) for file in files if file.suffix == ".csv"}
