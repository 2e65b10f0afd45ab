"""The door: one command a step. It imports late, so that `--help` answers at once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import nas_attn
from nas_attn.space import InputError

from .ask import ask
from .beginning import init, plan
from .compared import compare
from .joined import status, worker
from .spaces import kinds, sites, space
from .studies import front, report
from .trained import export, train
from .working import audit, check, doctor, search, verdict

app = typer.Typer(
    name="nas-attn",
    help="Which attention, at which place of a CNN, is worth its cost? Search, compare, export.",
    epilog="A study is a folder with a study.toml; what it finds stands beside it. To begin: "
    "`nas-attn init STUDY --images photos/`, or `nas-attn search studies/tiny`.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nas-attn {nas_attn.__version__}")
        raise typer.Exit


@app.callback()
def door(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Which attention, at which place of a CNN, is worth its cost? Search, compare, export."""


for command in (
    *(init, kinds, sites, space, check, plan, search, front, report),
    *(audit, verdict, compare, ask, train, export, worker, status, doctor),
):
    app.command()(command)


def main() -> None:
    """Run the command line: exit code 0 for done, 2 for bad input, 130 for interrupted.

    A user's own modules are found in the current folder too.
    """
    sys.path.append(str(Path.cwd()))
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:  # before the command has begun
        typer.echo("Interrupted", err=True)
        sys.exit(130)
