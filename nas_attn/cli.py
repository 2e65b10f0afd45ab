"""The door: one command a step. It imports late, so that `--help` answers at once."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nas_attn.space import InputError

app = typer.Typer(
    name="nas-attn",
    help="Which attention, at which place of a CNN, is worth its cost? Search, compare, export.",
    epilog="A study is a folder with a study.toml; what it finds stands beside it. To begin: "
    "`nas-attn search studies/digits`.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyPath = Annotated[Path, typer.Argument(help="A study's folder; it holds a study.toml.", metavar="STUDY")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"nas-attn {version('nas-attn')}")
        raise typer.Exit


@app.callback()
def door(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Which attention, at which place of a CNN, is worth its cost? Search, compare, export."""


@app.command()
def space(file: Annotated[Path, typer.Argument(help="A search-space file.", metavar="FILE")]) -> None:
    """Show what may be chosen in a search space, how many networks that is, and what they cost.

    The costs are those of the baselines: no attention anywhere, and each kind everywhere.
    """
    from nas_attn.ledger import price
    from nas_attn.space.ranges import fold
    from nas_attn.space.values import spell_value
    from nas_attn.spacefile import load_space

    said, space = load_space(file)
    kinds: dict[str, list[Any]] = {}
    for slot in space.slots:
        for kind in slot.kinds:
            asked = ((question, "|".join(map(spell_value, values))) for question, values in kind.questions)
            text = f"{kind.name}({', '.join(f'{question}={values}' for question, values in asked)})"
            kinds.setdefault(text, []).append(slot.name)
    networks = f"{space.size:,} network{'s' if space.size > 1 else ''}"
    typer.echo(f"{file}: {said.backbone}, {len(space.slots)} slots (one a {said.per}), {networks}\n")
    _show(("what may stand there", "slots"), ((text, ", ".join(fold(slots))) for text, slots in kinds.items()))
    channels, height, width = said.image
    typer.echo(f"\nWhat it costs, for one image of {channels} x {height} x {width} and {said.classes} classes:\n")
    costs = [(a, price(a, said.backbone, said.image, said.classes)) for a in space.baselines()]
    bare = costs[0][1].flops
    rows = ((*_spelt(cost, ("params", "macs", "flops")), f"{cost.flops / bare - 1:+.2%}", str(a)) for a, cost in costs)
    _show(("params", "MACs", "FLOPs", "more FLOPs", "baseline"), rows)


@app.command()
def kinds() -> None:
    """List the kinds of attention: options with the paper's defaults, parameters, and the paper.

    In the formulas C is the number of channels, m or n the width of a hidden layer, C // reduction, and k the kernel
    size. Every kind may also be given `position` (branch, inner, pre, identity, block), `start` (paper, identity) and
    `slots`.
    """
    from nas_attn.attention import ATTENTIONS, describe

    def row(kind: str) -> tuple[str, str, str, str]:
        known = describe(ATTENTIONS[kind])
        options = ", ".join(
            name if default is None else f"{name}={str(default).lower()}" for name, default in known.options
        )
        return kind, options, known.parameters, f"{known.paper} {known.link}"

    _show(("kind", "options", "parameters", "paper"), map(row, ATTENTIONS))


@app.command()
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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from nas_attn.results import Evaluation
    from nas_attn.study import StudyFolder

    total = trials or StudyFolder.open(study).file.search.trials
    console = _console()
    console.print(f"{study}: up to {total} networks in all, baselines first", soft_wrap=True)

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        networks, epochs = progress.add_task("networks", total=total), progress.add_task("epochs", total=None)
        timings = progress.add_task("timings", total=None, visible=False)

        def on_row(row: Evaluation, trained: int) -> None:
            progress.update(networks, completed=trained)
            console.print(_line(row, trained, total), soft_wrap=True)

        def on_epoch(_row: Evaluation, done: int, all_epochs: int) -> None:
            progress.update(epochs, completed=done, total=all_epochs)

        def on_timed(done: int, all_timings: int) -> None:
            progress.update(timings, completed=done, total=all_timings, visible=done < all_timings)
            if done == all_timings:
                console.print(f"{done} networks are timed; the latency of the others is predicted", soft_wrap=True)

        try:
            said = open_study(study).run(trials, on_row=on_row, on_epoch=on_epoch, on_timed=on_timed)
        except KeyboardInterrupt:
            console.print(f"Interrupted; what is finished is kept. Go on with: nas-attn search {study}", soft_wrap=True)
            raise typer.Exit(130) from None
    console.print(f"{study}: {said}. See them with: nas-attn front {study}", soft_wrap=True)


@app.command()
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
        f"{study}: {len(rows)} of {trained} trained networks are on the front of {_names(folder.file.objectives)}\n"
    )
    measures = ("accuracy", "loss", "params", "flops")
    lines = (
        ("*" if row.key == balanced else "", row.key, *_spelt(row, measures), _latency(row), row.architecture)
        for row in evaluations(rows)
    )
    _show(("", "key", *measures, "latency", "architecture"), lines)
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


@app.command()
def report(study: StudyPath) -> None:
    """Write report.html and front.png into a study's folder.

    The page needs no network: the front as an interactive picture and as a table, what stands where in each of its
    networks, every row with its reason, settings, versions and devices.
    """
    from nas_attn.study.reporting import report_study

    for path in report_study(study):
        typer.echo(f"Written: {path}")


@app.command()
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


def main() -> None:
    """Run the command line: exit code 0 for done, 2 for bad input, 130 for interrupted."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False)


def _show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table: with rich on a terminal, as aligned lines elsewhere."""
    console = _console()
    if console.is_terminal:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(*head, box=SIMPLE_HEAD)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _line(row: Any, trained: int, total: int) -> str:
    if row.state == "over_budget":
        return f"   -     {row.key}  over budget: {row.reason}  {row.architecture}"
    found, flops = _spelt(row, ("accuracy", "flops"))
    found = found if row.state == "complete" else f"failed: {row.reason}"
    return f"{trained:>4}/{total:<4}{row.key}  {found:>8}  {flops}FLOPs  {_latency(row)}  {row.architecture}"


def _spelt(row: Any, measures: Iterable[str]) -> list[str]:
    from nas_attn.results.measures import spell

    return [spell(measure, getattr(row, measure)) for measure in measures]


def _latency(row: Any) -> str:
    from dataclasses import asdict

    from nas_attn.results.measures import spell_latency

    return spell_latency(asdict(row))


def _names(objectives: Sequence[str]) -> str:
    from nas_attn.results.measures import measure

    return ", ".join(measure(name).title.lower() for name in objectives)
