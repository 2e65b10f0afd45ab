"""The command that trains a network of a study for good."""

from typing import TYPE_CHECKING, Annotated

import typer

from .progress import watched
from .showing import console, show, spelt
from .studies import Jobs, StudyPath

if TYPE_CHECKING:
    from nas_attn.retraining import Retrained


def train(
    study: StudyPath,
    pick: Annotated[
        str,
        typer.Option(
            help="knee: the most balanced of the front; best: in the leading objective; or a KEY.", metavar="WHICH"
        ),
    ] = "knee",
    seeds: Annotated[int, typer.Option(min=1, help="How many times each network is trained, in all.")] = 5,
    jobs: Jobs = 1,
) -> None:
    """Train a network for good, beside what it has to beat, and let the test part judge, once.

    The final recipe trains it, the plain backbone and the backbone as wide as costs most nearly the same, each with the
    same seeds, on what trained in the search and three quarters of what judged there. The last quarter, the hold-out
    part, chooses the best seed; only then the test part judges all of them. `export` hands these weights out. Ctrl-C,
    SIGTERM and SIGKILL lose the running training at most; the same command goes on, and trains nothing twice.
    """
    from nas_attn.study import StudyFolder

    row = StudyFolder.open(study).pick(pick)
    screen = console()
    screen.print(f"{study}: {row.key} is trained for good: {row.architecture}", soft_wrap=True)

    from nas_attn.launch import open_study  # takes seconds, so something is said before

    with watched(screen, study, "train", steps=False, again=f"--pick {row.key} --seeds {seeds}") as watch:
        found, remarks = open_study(study).train(row.key, seeds, jobs=jobs, watch=watch)
    for remark in remarks:
        screen.print(f"note: {remark}", soft_wrap=True)
    _show(found)
    screen.print(f"\nIts files, with these weights: nas-attn export {study} OUT", soft_wrap=True)


def _show(found: "Retrained") -> None:
    from nas_attn.settings import learnt

    judged = [one for one in learnt() if any(one.name in row.measures for row in found.tested or found.rows)]
    head = ["", "key", "seeds", *(one.name for one in judged), "of the best seed", "params", "flops", "latency_ms"]
    own = found.own or found.chosen
    lines = [
        [
            found.word(row),
            row.key,
            str(row.seeds),
            *(f"{one.spell(row[one.name])} ± {one.difference(row[f'{one.name}_std'], signed=False)}" for one in judged),
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
    chosen = found.chosen
    said = f"{found.ranked.word} {found.ranked.spell(chosen[found.ranked.name])}"
    typer.echo(f"\nThe best of {found.networks[0].seeds} seeds by the hold-out part is {chosen.seed}, {said} there.")
    for line in found.sentences():
        typer.echo(f"{line[0].upper()}{line[1:]}.")
