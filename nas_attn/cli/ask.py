"""The command that answers one question by training."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_attn.space import InputError

from .showing import spelt
from .working import Jobs

if TYPE_CHECKING:
    from nas_attn.inquiry import Reply


Subject = Annotated[
    str | None,
    typer.Argument(help="timm:resnet18, resnet8(width=4), my_package.nets:make_net; or a study.", metavar="NETWORK"),
]
Spellings = Annotated[
    list[str] | None,
    typer.Argument(help="What stands where: stage3.block=cbam, stage2=se(reduction=8), ...", metavar="SPELLING..."),
]
_DATA = "A folder that holds a folder of images for each class, a Parquet file, or digits."
Data = Annotated[str | None, typer.Option(help=_DATA)]
_WEIGHTS = "Train from these weights of the network: a file, or pretrained."
Weights = Annotated[str | None, typer.Option(help=_WEIGHTS, metavar="FILE")]
Minutes = Annotated[float, typer.Option(help="No training begins that would end later.")]
Size = Annotated[int | None, typer.Option(min=1, help="Resize images to a square of so many pixels.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the images.", show_default="10")]
_RATE = "The highest learning rate."
Rate = Annotated[float | None, typer.Option(help=_RATE, show_default="0.1; with weights 0.01")]
Folder = Annotated[
    Path | None, typer.Option(help="The folder of the study that is made.", show_default="named for the question")
]
Json = Annotated[bool, typer.Option("--json", help="Print the reply as JSON, and nothing else.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say what each word of the reply means, and stop.")]


def ask(
    subject: Subject = None,
    spellings: Spellings = None,
    data: Data = None,
    weights: Weights = None,
    minutes: Minutes = 30.0,
    image_size: Size = None,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    study: Folder = None,
    jobs: Jobs = 1,
    as_json: Json = False,
    explain: Explain = False,
) -> None:
    """Say whether an attention helps a network at a place: it is trained until that is known, or the time is over.

    The plain backbone, what is spelt, from both starts, and the backbone as wide as costs the same are trained in turns
    with the same seeds. The answer: helps, helps no more than width, does not help, or not known yet, with the time
    that would most likely tell. Several spellings share baselines and correction. A study is made for it, on which all
    other commands work, with the page ask.html; of a study that is there, its space, data and recipe count. The same
    command goes on where it stopped. Exit code 0 whatever the answer.
    """
    if explain:
        from nas_attn.inquiry import explained

        typer.echo(explained())
        return
    if subject is None or not spellings:
        raise InputError("ask: needs a network or a study, and what stands where: nas-attn ask STUDY stage3.block=cbam")
    terms = {"data": data, "weights": weights, "image_size": image_size, "epochs": epochs}
    reply = _answered(subject, spellings, minutes=minutes, study=study, jobs=jobs, learning_rate=learning_rate, **terms)
    typer.echo(json.dumps(reply.as_dict(), indent=1, allow_nan=False) if as_json else str(reply))


def _answered(name: str, spellings: Sequence[str], **how: Any) -> "Reply":
    from nas_attn.launch import ask as answer

    with _watched() as (watch, on_round):
        return answer(name, *spellings, watch=watch, on_round=on_round, **how)


@contextmanager
def _watched() -> Iterator[tuple[Any, Any]]:
    """What to call while networks are trained, which is shown on the error stream; an interrupt says how to go on."""
    from rich.console import Console

    from nas_attn.chain import Watch

    screen = Console(stderr=True, highlight=False, markup=False)
    with screen.status("networks are made ready", spinner="line") as status:

        def on_round(found: Any, keys: Sequence[str]) -> None:
            known = sum(not one.open for one in found.answers)
            status.update(f"{known} of {len(found.answers)} answers known; {len(keys)} trainings in this round")

        def on_row(row: Any, _trained: int) -> None:
            value = spelt(row, (_leading(row),))[0] if row.state == "complete" else f"failed: {row.reason}"
            name = row.key if row.role == "width-matched" else row.architecture
            screen.print(f"seed {row.seed}  {value}  {name}", soft_wrap=True)

        try:
            yield Watch(on_row=on_row, on_waiting=lambda line: screen.print(line, soft_wrap=True)), on_round
        except KeyboardInterrupt:
            screen.print("Interrupted; what is finished is kept. The same command goes on.", soft_wrap=True)
            raise typer.Exit(130) from None


def _leading(row: Any) -> str:
    """The learnt measure that is shown of a row: accuracy, or the first that it has."""
    from nas_attn.settings import learnt

    return next((one.name for one in learnt() if row.measures.get(one.name) is not None), "loss")
