"""Every command of every page is one that the project has, with options that it takes; none is run."""

import importlib
import re
import shlex
import tomllib
from itertools import takewhile

import pytest
import typer
from reading import PAGES, ROOT, commands

from nas_attn.cli import app

FOUND = [(block, block.text) for path in PAGES for block in commands(path)]
DOOR = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
Refused = next(error for error in typer.BadParameter.mro() if error.__name__ == "ClickException")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def words(text):
    """A command's words up to a pipe: what may be left out is there, of several words one, and a number for N."""
    plain = re.sub(r"(?<![\w.])\[|\](?=\s|$)", "", re.sub(r"^(\w+=\S+ |\.venv/bin/)*", "", text))
    own = takewhile("|".__ne__, shlex.split(plain))
    return ["1" if word == "N" else re.sub(r"^([a-z]+)\|\S+$", r"\1", word) for word in own]


def parsed(command, name, arguments):
    """Raises `Refused` where the command does not take them."""
    command.make_context(name, [*arguments])


def check_nas_attn(name, *arguments):
    if name.startswith("-"):
        assert name in ("--help", "--version")
    elif arguments:
        parsed(DOOR.commands[name], name, arguments)
    else:
        assert name in DOOR.commands


def check_make(*arguments):
    for word in arguments:
        variable, given, _ = word.partition("=")
        assert f"{variable} ?=" in (ROOT / "Makefile").read_text() if given else word in TARGETS


def check_python(first, *arguments):
    if first == "-m":
        assert arguments[0] in ("nas_attn", "gpu")
    elif first.startswith("benchmarks/"):
        module = importlib.import_module((ROOT / first).stem)
        program = typer.Typer()
        if module.main.__code__.co_argcount:
            program.command()(module.main)
            parsed(typer.main.get_command(program), first, arguments)
        else:  # it reads its options by itself
            source = (ROOT / first).read_text()
            assert [word for word in arguments if word.startswith("--") and f'"{word}"' not in source] == []
    else:
        assert first == "OUT/predict.py" or [*ROOT.glob(f"examples/*/{first}")]


def check_pip(verb, *arguments):
    assert verb == "install"
    needed = str(PROJECT["optional-dependencies"])
    for word in arguments:
        name, _, extra = word.rstrip("]").partition("[")
        assert name in (".", "nas-attn", "--editable", "optuna-dashboard") or name in needed
        assert not extra or {*extra.split(",")} <= {*PROJECT["optional-dependencies"]}


def check_pytest(*arguments):
    assert [word for word in arguments if "/" in word and not (ROOT / word).exists()] == []


def check_cd(folder):
    assert (ROOT / folder).is_dir() or folder in ("winner",)


CHECKS = {
    "nas-attn": check_nas_attn,
    "make": check_make,
    "python": check_python,
    "pip": check_pip,
    "pytest": check_pytest,
    "cd": check_cd,
    "sha256sum": lambda *_: None,
    "pre-commit": lambda *_: None,
    "optuna-dashboard": lambda *_: None,
}


def test_pages_have_commands():
    programs = {words(text)[0] for _, text in FOUND}
    assert {"nas-attn", "make", "python", "pip"} <= programs
    assert len(FOUND) > 100


def test_every_command_is_one_that_there_is(monkeypatch):
    monkeypatch.chdir(ROOT)
    faults = []
    for block, text in FOUND:
        try:
            program, *arguments = words(text)
            CHECKS[program](*arguments)
        except (AssertionError, KeyError, TypeError, ValueError, Refused) as error:
            faults.append(f"{block}: {text}: {getattr(error, 'message', repr(error))}")
    assert faults == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nas-attn serch studies/digits", "serch"),
        ("nas-attn search studies/digits --trails 3", "--trails"),
        ("nas-attn audit studies/digits --networks many", "valid integer"),
    ],
)
def test_a_command_that_there_is_not_is_found(text, message):
    with pytest.raises((KeyError, Refused)) as error:
        check_nas_attn(*words(text)[1:])
    assert message in getattr(error.value, "message", str(error.value))


def test_every_command_of_the_program_stands_on_a_page():
    named = {words(text)[1] for _, text in FOUND if words(text)[0] == "nas-attn"}
    assert {*DOOR.commands} - named == set()
