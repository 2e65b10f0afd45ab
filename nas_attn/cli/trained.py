"""The commands that hand out a network of a study: trained for good, and as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .progress import watched
from .reporting import AsJson, Loudness, Quiet, Reporter, Verbose, print_json, records
from .showing import show, spelt
from .working import Jobs, StudyPath

if TYPE_CHECKING:
    from nas_attn.results import Evaluation
    from nas_attn.retraining import Retrained

_PICK = "knee: the most balanced of the front; best: in the leading objective; or a KEY."
_OUT = "The folder to write; an unchanged earlier export is replaced."
_WEIGHTS = "The weights of `train`, or those of the search."
_BY_NAME = "Import your own modules by name, instead of taking their files along."


def train(
    study: StudyPath,
    pick: Annotated[str, typer.Option(help=_PICK, metavar="WHICH")] = "knee",
    seeds: Annotated[int, typer.Option(min=1, help="How many times each network is trained, in all.")] = 5,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train a network for good, beside what it has to beat, and let the test part judge, once.

    The final recipe trains it, the plain backbone and the backbone as wide as costs most nearly the same, each with the
    same seeds, on what trained in the search and three quarters of what judged there. The last quarter, the hold-out
    part, chooses the best seed; only then the test part judges all of them. `export` hands these weights out. Ctrl-C,
    SIGTERM and SIGKILL lose the running training at most; the same command goes on, and trains nothing twice.
    """
    from nas_attn.study import StudyFolder

    row = StudyFolder.open(study).pick(pick)
    reporter = Reporter(Loudness(quiet, verbose, as_json))
    reporter.say("train", f"{study}: {row.key} is trained for good: {row.architecture}")

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    with watched(reporter, study, f"train --pick {row.key} --seeds {seeds}") as watch:
        found, remarks = open_study(study).train(row.key, seeds, jobs=jobs, watch=watch)
    if as_json:
        reporter.end(_said(found), notes=remarks, **_facts(found))
        return
    for remark in remarks:
        typer.echo(f"note: {remark}")
    _show(found)
    typer.echo(f"\nIts files, with these weights: nas-attn export {study} OUT")


def _facts(found: "Retrained") -> dict[str, Any]:
    """What was found, for programs: a row a network, and a gain over each other one."""
    from nas_attn.results import table

    gains = [
        {"over": other.key, "gain": gain.value, "low": gain.low, "high": gain.high} for other, gain in found.gains()
    ]
    words = {row.key: found.word(row) for row in found.networks}
    return {
        "part": "test" if found.tested else "hold-out",
        "images": found.test_images if found.tested else None,
        "table": [{"is": words[row["key"]], **row} for row in records(table(found.networks))],
        "chosen": {"seed": found.chosen.seed, **found.chosen.measures},
        "chosen_tested": found.own and dict(found.own.measures),
        "measure": found.leading.name,
        "gains": gains,
    }


def _show(found: "Retrained") -> None:
    from nas_attn.results import spell_mean
    from nas_attn.settings import learnt

    judged = [one for one in learnt() if any(one.name in row.measures for row in found.tested or found.rows)]
    head = ["", "key", "seeds", *(one.name for one in judged), "of the best seed", "params", "flops", "latency_ms"]
    own = found.own or found.chosen
    lines = [
        [
            found.word(row),
            row.key,
            str(row.seeds),
            *(spell_mean(one.name, row) for one in judged),
            found.leading.spell(own[found.leading.name]) if row.key == found.pick else "",
            *spelt(row, ("params", "flops", "latency_ms")),
        ]
        for row in found.networks
    ]
    part = (
        f"the test part, {found.test_images} images" if found.tested else "the hold-out part, as there is no test part"
    )
    typer.echo(f"\nOn {part}, the mean over the seeds and their standard deviation:\n")
    show(head, lines)
    typer.echo("")
    for line in _said(found):
        typer.echo(line)


def _said(found: "Retrained") -> list[str]:
    """Which seed is chosen, and what the network gains."""
    chosen = found.chosen
    value = f"{found.ranked.word} {found.ranked.spell(chosen[found.ranked.name])}"
    first = f"The best of {found.networks[0].seeds} seeds by the hold-out part is {chosen.seed}, {value} there."
    return [first, *(f"{line[0].upper()}{line[1:]}." for line in found.sentences())]


def export(
    study: StudyPath,
    out: Annotated[Path, typer.Argument(help=_OUT, metavar="OUT")],
    pick: Annotated[
        str | None, typer.Option(help=_PICK, metavar="WHICH", show_default="what `train` trained last, else knee")
    ] = None,
    trained: Annotated[
        bool | None,
        typer.Option("--trained/--searched", help=_WEIGHTS, show_default="those of `train` where they are there"),
    ] = None,
    by_name: Annotated[bool, typer.Option("--import", help=_BY_NAME)] = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained network into a folder that needs torch alone, and prove that it works there.

    The folder holds model.py (source to read), model.safetensors, model.pt2 and, with the extra `onnx`, model.onnx;
    predict.py, which says what is in image files; config.json and a README.md that says how to use them; of a network
    or an attention of your own, the files of its modules and of what they import go along. Before they are kept, a
    fresh process without nas_attn loads them and compares their outputs. Of what `train` has trained the best seed
    leaves, with its figures; else the test part, which no search has seen, judges the weights here. Only an earlier
    export with all its files unchanged is replaced. Ctrl-C and SIGTERM leave what is there.
    """
    from nas_attn.launch import open_study

    try:
        row, notes = open_study(study).export(out, pick, by_name=by_name, trained=trained)
    except KeyboardInterrupt:
        which = "" if pick is None else f" --pick {pick}"
        how = "" if trained is None else " --trained" if trained else " --searched"
        again = f"nas-attn export {study} {out}{which}{how}{' --import' if by_name else ''}"
        typer.echo(f"Interrupted; nothing is left half-written. Again: {again}", err=as_json)
        raise typer.Exit(130) from None
    _tell_export(study, out, row, notes, as_json)


def _tell_export(study: Path, out: Path, row: "Evaluation", notes: Sequence[str], as_json: bool) -> None:
    from nas_attn.results import known_columns
    from nas_attn.settings import FINAL, listed
    from nas_attn.study import StudyFolder

    proved = [name for name in ("model.py", "model.pt2", "model.onnx") if (out / name).is_file()]
    if as_json:
        print_json({"folder": str(out), "proved": proved, "notes": notes, "row": known_columns(row)}, indent=1)
        return
    for note in notes:
        typer.echo(f"note: {note}")
    judged = StudyFolder.open(study).file.leading
    part = " on the hold-out part" if row.step != FINAL else ""
    found = f"{judged.word}{part} {judged.spell(row[judged.name])}"
    found += f", the mean of {row.seeds} seeds" if row.seeds > 1 else ""
    typer.echo(f"Written: {out}  ({row.key}, {found}: {row.architecture})")
    if proved:
        typer.echo(f"Loaded in a fresh process, {listed(proved)}, with the same outputs.")
    first = f"python {out / 'predict.py'} IMAGE...; " if (out / "predict.py").is_file() else ""
    typer.echo(f"How to use it: {first}{out / 'README.md'}")
