"""The commands that docs/export.md shows are ones that there are, with options that they have."""

import shlex
from pathlib import Path

import pytest
import typer

from nas_attn.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
COMMANDS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("nas-attn ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_understood(line):
    _, name, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    with command.make_context(name, arguments) as context:
        assert context.params


def test_the_page_shows_every_command_that_hands_out():
    assert {shlex.split(line)[1] for line in COMMANDS} == {"train", "export", "front", "compare"}
