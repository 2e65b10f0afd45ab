"""The commands with which a study begins: its files, and what it will take."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .reporting import AsJson, print_json
from .working import Jobs, StudyPath

if TYPE_CHECKING:
    from nas_attn.draft import Question

_IMAGES = "A folder of images (a folder a class, train and val, a table of labels, masks), a Parquet file, or digits."
_BACKBONE = "The network that gets attention: resnet20, timm:resnet18, torchvision:vgg16, my_package.nets:make_net."
_WEIGHTS = "Begin with these weights of the network: a file, or pretrained."
_BUDGET = "A limit: latency_ms<=2, params<=300k, accuracy>=0.9; several, or parted by and."


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the study that is made.", metavar="FOLDER")],
    images: Annotated[str | None, typer.Option(help=_IMAGES, metavar="PATH")] = None,
    backbone: Annotated[str | None, typer.Option(help=_BACKBONE, metavar="NETWORK")] = None,
    weights: Annotated[str | None, typer.Option(help=_WEIGHTS, metavar="FILE")] = None,
    budget: Annotated[list[str] | None, typer.Option(help=_BUDGET, metavar="LIMIT")] = None,
) -> None:
    """Make a study of your images: a study.toml and a space.toml to read, change and search.

    It reads how the images are laid out and labelled, their sizes and numbers, the places of the backbone, and what
    this machine has. What these leave open it asks on a terminal; elsewhere it says what it assumes. Nothing is
    overwritten, and what cannot be searched is refused.
    """
    from nas_attn.space import InputError

    if images is None:
        if not sys.stdin.isatty():
            raise InputError(f"init: --images is missing; {_IMAGES[0].lower()}{_IMAGES[1:]}")
        images = str(typer.prompt("Where are the images?"))

    from nas_attn.draft import draft

    made = draft(folder, images, backbone=backbone, weights=weights, budget=budget or (), ask=_answer)
    for line in made.lines:
        typer.echo(line)
    where = shlex.quote(str(folder))
    typer.echo(f"Written: {folder / 'study.toml'} and {folder / 'space.toml'}, to read and to change")
    typer.echo(f"How long it takes: nas-attn plan {where}. To begin: nas-attn search {where}")


def plan(
    study: StudyPath,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Networks of the first step in all, as of search.", show_default="study.toml"),
    ] = None,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """Say what the search of a study will take, before anything is trained for it.

    How many networks, trainings and images of each step, what is done already, and about how many minutes that takes
    here: the plain backbone and each kind everywhere are trained for a few batches, and timed. And what the images that
    judge can tell apart. Nothing but the plain backbone's latency is written.
    """
    from nas_attn.launch import open_study
    from nas_attn.planning import plan_said

    found = open_study(study).plan(trials, jobs=jobs)
    if as_json:
        print_json({"study": str(study), **found.as_dict()}, indent=1)
        return
    for line in plan_said(found):
        typer.echo(line)


def _answer(question: "Question") -> str:
    """The user's answer on a terminal; elsewhere the one that is assumed, which is said."""
    if not sys.stdin.isatty():
        typer.echo(f"Assumed: {question.assumed}, for: {question.text}")
        return question.assumed
    from rich.markup import escape
    from rich.prompt import Prompt

    return Prompt.ask(escape(question.text), choices=[*question.choices] or None, default=question.assumed)
