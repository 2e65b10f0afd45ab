"""The commands for a study on which several processes work: worker and status."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_attn.space import InputError

from .progress import watched
from .reporting import AsJson, Loudness, Quiet, Reporter, Verbose, print_json
from .showing import console, show
from .working import Jobs, StudyPath

if TYPE_CHECKING:
    from nas_attn.study import StudyFolder, Working

_URL = "The storage of the study, as its study.toml names it."
_NAME = "The name of the study in its storage; it stands in study.id, in its folder."
_FOLDER = "The folder to work in."
_DATA = "Where the study's images lie on this machine."
_TRUST = "Import the code that the study names."
_WATCH_EVERY_S = 10.0


def worker(
    url: Annotated[str, typer.Argument(help=_URL, metavar="URL")],
    name: Annotated[str, typer.Argument(help=_NAME, metavar="NAME")],
    folder: Annotated[Path | None, typer.Option(help=_FOLDER, show_default="NAME, here")] = None,
    data: Annotated[Path | None, typer.Option(help=_DATA, show_default="as study.toml says")] = None,
    trust: Annotated[bool, typer.Option("--trust", help=_TRUST)] = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Work on a study that others have begun, from a machine that has only this package and the images.

    The study's files come from its storage, into a folder; there the search goes on, beside any number of others, as
    `nas-attn search` does in a second copy. Nothing is trained twice, and what a killed process has begun is taken up
    by another. Trained weights lie in the place that study.toml names as `artifacts`.
    """
    from nas_attn.study import StudyFolder, TakenOver, make_worker_folder, patient

    study, reporter = folder or Path(name), Reporter(Loudness(quiet, verbose, as_json))
    with patient(lambda said: reporter.say("waits", said)):
        make_worker_folder(url, name, study, data, trust=trust)
    if StudyFolder.open(study).file.search.artifacts is None:
        raise InputError(
            f"{study / 'study.toml'}: names no [search] artifacts, so that weights would lie in several folders; name "
            "a shared folder, or a URL such as s3://bucket/studies, where the study was begun"
        )
    reporter.say("worker", f"{study}: works on the study {name}")

    from nas_attn.launch import open_study

    with watched(reporter, study, "search") as watch:
        while True:
            try:
                said = open_study(study).run(jobs=jobs, watch=watch)
                break
            except TakenOver as error:
                reporter.say("taken over", f"{error}; begins anew")
    reporter.end([f"{study}: {said}"])


def status(
    study: StudyPath,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Say it again every ten seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say who works on a study, on what, and how far it is.

    Each process with its machine, its device, what it trains and since when, the share of its time in which it trains,
    and whether it lives; of each step the networks that are trained, failed and over budget; how many trainings an hour
    are finished, and the hours that all of them took.
    """
    from nas_attn.study import StudyFolder

    folder = StudyFolder.open(study)
    while True:
        _say_status(folder, as_json)
        if not watch:
            return
        try:
            time.sleep(_WATCH_EVERY_S)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        if not as_json:
            console().rule(time.strftime("%H:%M:%S"))


def _say_status(folder: "StudyFolder", as_json: bool) -> None:
    from nas_attn.study import activity_of

    found = activity_of(folder.path, folder.file.search.storage)
    workers = [] if found is None else [*found.workers]
    steps = [_step(folder, step.name, step.networks or 1, step.seeds) for step in folder.file.steps]
    hours = sum(row.train_seconds for row in folder.all_rows() if not math.isnan(row.train_seconds)) / 3600
    rate = math.nan if found is None else found.per_hour
    if as_json:
        facts = {"per_hour": rate, "device_hours": hours, "steps": steps}
        print_json({"study": str(folder.path), "workers": [*map(_record, workers)], **facts})
        return
    if workers:
        head = ("process", "device", "since", "trains", "busy", "finished", "")
        show(head, [_line(one) for one in workers])
    else:
        typer.echo(f"{folder.path}: nobody works on it")
    typer.echo("")
    show([*steps[0]], [[str(value) for value in step.values()] for step in steps])
    said = "" if math.isnan(rate) else f"; {rate:.3g} trainings an hour lately"
    typer.echo(f"\n{hours:.2g} hours of training in all{said}.")


def _step(folder: "StudyFolder", name: str, networks: int, seeds: int) -> dict[str, Any]:
    """How far a step is: networks by their state, over their seeds."""
    begun = any(study.study_name.rpartition(".")[2] == name for study in folder.studies())
    rows = folder.rows(name).values() if begun else []
    states = [row.state for row in rows]
    return {
        "step": name,
        "networks": networks,
        "seeds": seeds,
        "trained": states.count("complete"),
        "failed": states.count("failed"),
        "over budget": states.count("over_budget"),
    }


def _record(one: "Working") -> dict[str, Any]:
    known = {name: getattr(one.worker, name) for name in ("host", "pid", "folder", "since", "device", "versions")}
    trainings = [{name: getattr(each, name) for name in ("step", "what", "seed", "seconds")} for each in one.trainings]
    return {**known, "lives": one.lives, "busy": one.busy, "finished": one.finished, "trainings": trainings}


def _line(one: "Working") -> list[str]:
    trains = "; ".join(
        f"{each.what} seed {each.seed}, {each.seconds:.0f} s" if each.seed is not None else each.what
        for each in one.trainings
    )
    who = f"{one.worker.host} {one.worker.pid}"
    lives = "" if one.lives else "no sign of life"
    return [who, one.worker.device, one.worker.since, trains or "-", f"{one.busy:.0%}", str(one.finished), lives]
