"""The commands that run a study, read it, and hand out its networks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas_attn.space import InputError

from .showing import console, latency, names, show, spelt

StudyPath = Annotated[Path, typer.Argument(help="A study's folder; it holds a study.toml.", metavar="STUDY")]


def search(
    study: StudyPath,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Networks to train in all, earlier runs included.", show_default="study.toml"),
    ] = None,
) -> None:
    """Run the search of a study, or go on where it stopped.

    Baselines come first: no attention anywhere, and each kind everywhere. A network over budget is not trained, and
    none is trained twice. Ctrl-C and SIGTERM keep every finished row; the same command goes on.
    """
    from nas_attn.study import StudyFolder

    total = trials or StudyFolder.open(study).file.search.trials
    screen = console()
    screen.print(f"{study}: up to {total} networks in all, baselines first", soft_wrap=True)

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    with _Progress(screen, total) as progress:
        try:
            said = open_study(study).run(
                trials, on_row=progress.on_row, on_epoch=progress.on_epoch, on_timed=progress.on_timed
            )
        except KeyboardInterrupt:
            screen.print(f"Interrupted; what is finished is kept. Go on with: nas-attn search {study}", soft_wrap=True)
            raise typer.Exit(130) from None
    screen.print(f"{study}: {said}. See them with: nas-attn front {study}", soft_wrap=True)


class _Progress:
    """A line for each network, and on a terminal bars for what is going on."""

    def __init__(self, screen: Any, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.screen, self.total = screen, total
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bars = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
        self.networks = self.bars.add_task("networks", total=total)
        self.epochs = self.bars.add_task("epochs", total=None)
        self.timings = self.bars.add_task("timings", total=None, visible=False)

    def __enter__(self) -> "_Progress":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def on_row(self, row: Any, trained: int) -> None:
        self.bars.update(self.networks, completed=trained)
        self.screen.print(_row_line(row, trained, self.total), soft_wrap=True)

    def on_epoch(self, _row: Any, done: int, all_epochs: int) -> None:
        self.bars.update(self.epochs, completed=done, total=all_epochs)

    def on_timed(self, done: int, all_timings: int) -> None:
        self.bars.update(self.timings, completed=done, total=all_timings, visible=done < all_timings)
        if done == all_timings:
            self.screen.print(f"{done} networks are timed; the latency of the others is predicted", soft_wrap=True)


def front(
    study: StudyPath,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows of the front to this CSV file.")] = None,
) -> None:
    """Show the Pareto front of a study: the networks that no other beats.

    Another network beats one if it is at least as good in every objective and better in one. The best in the first
    objective comes first; a star marks the knee, the most balanced of them.
    """
    from nas_attn.results import evaluations, knee, write_csv
    from nas_attn.study import StudyFolder

    folder = StudyFolder.open(study)
    rows, table = folder.front(), folder.table()
    if rows.empty:
        raise InputError(f"{study}: no network is trained within the budget yet")
    balanced = knee(table, folder.file.objectives)
    trained = (table["state"] == "complete").sum()
    typer.echo(
        f"{study}: {len(rows)} of {trained} trained networks are on the front of {names(folder.file.objectives)}\n"
    )
    measures = ("accuracy", "loss", "params", "flops")
    lines = (
        ("*" if row.key == balanced else "", row.key, *spelt(row, measures), latency(row), row.architecture)
        for row in evaluations(rows)
    )
    show(("", "key", *measures, "latency", "architecture"), lines)
    first = evaluations(rows)[0]
    threads = f"{first.latency_threads} thread{'s' if first.latency_threads > 1 else ''}"
    timed = f"{first.latency_target}: {first.latency_device}, {threads}, batch {first.latency_batch}"
    typer.echo(
        f"\n* the knee, the most balanced of them. Latency with its 95 % interval, on {timed}. "
        "One seed: small differences may be noise."
    )
    if prediction := folder.prediction():
        typer.echo(f"How well latencies were predicted: {prediction}.")
    if csv is not None:
        write_csv(rows, csv)
        typer.echo(f"Written: {csv}")


def report(study: StudyPath) -> None:
    """Write report.html and front.png into a study's folder.

    The page needs no network: the front as an interactive picture and as a table, what stands where in each of its
    networks, every row with its reason, settings, versions and devices.
    """
    from nas_attn.study.reporting import report_study

    for path in report_study(study):
        typer.echo(f"Written: {path}")


def export(
    study: StudyPath,
    out: Annotated[Path, typer.Argument(help="The folder to write; an earlier export is replaced.", metavar="OUT")],
    pick: Annotated[
        str,
        typer.Option(help="knee: the most balanced of the front; best: the most accurate; or a KEY.", metavar="WHICH"),
    ] = "knee",
) -> None:
    """Write a trained network into a folder that needs torch alone, and prove that it works there.

    The folder holds model.py (source to read), model.safetensors, model.pt2, config.json and a README.md that says how
    to use them. Before they are kept, a fresh process without nas_attn loads them and compares their outputs. The
    accuracy on the test part, which no search has seen, is measured here.
    """
    from nas_attn.launch import open_study
    from nas_attn.results.measures import spell

    row, notes = open_study(study).export(out, pick)
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"Written: {out}  ({row.key}, accuracy {spell('accuracy', row.accuracy)}: {row.architecture})")
    typer.echo(f"Loaded without nas_attn in a fresh process, with the same outputs. How to use it: {out / 'README.md'}")


def _row_line(row: Any, trained: int, total: int) -> str:
    if row.state == "over_budget":
        return f"   -     {row.key}  over budget: {row.reason}  {row.architecture}"
    found, flops = spelt(row, ("accuracy", "flops"))
    found = found if row.state == "complete" else f"failed: {row.reason}"
    return f"{trained:>4}/{total:<4}{row.key}  {found:>8}  {flops}FLOPs  {latency(row)}  {row.architecture}"
