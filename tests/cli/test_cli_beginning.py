"""A study begins at the command line: its files are made, and what it will take is said."""

import io
import json
import sys

import pytest
from typer.testing import CliRunner

from nas_attn import cli
from nas_attn.settings import read_study_file


class Typed(io.StringIO):
    """What a person types, at a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    return lambda *arguments, **how: CliRunner().invoke(cli.app, [*map(str, arguments)], **how)


@pytest.fixture
def photos(tmp_path, make_images):
    return make_images(tmp_path / "my photos", size=(40, 30), count=10)


def test_what_is_assumed_is_said_where_nobody_can_be_asked(run, photos, tmp_path):
    outcome = run("init", tmp_path / "first study", "--images", photos, "--backbone", "resnet8")
    assert outcome.exit_code == 0, outcome.output
    assert "Assumed: no, for: Does a mirrored image keep its label?" in outcome.output
    assert "20 images: train 12, validation 4, test 4" in outcome.output
    assert f"nas-attn search '{tmp_path}/first study'" in outcome.output
    assert not read_study_file(tmp_path / "first study").recipe.horizontal_flip


def test_questions_come_on_a_terminal(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["nas-attn", "init", str(tmp_path / "study")])
    monkeypatch.setattr(sys, "stdin", Typed(f"{photos}\nresnet8(width=4)\nperhaps\nyes\n"))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert "Please select one of the available options" in capsys.readouterr().out
    file = read_study_file(tmp_path / "study")
    assert file.recipe.horizontal_flip
    assert "arguments = { width = 4 }" in (tmp_path / "study" / "space.toml").read_text()


def test_images_that_are_not_named_are_missed_without_a_terminal(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["nas-attn", "init", str(tmp_path / "study")])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "error: init: --images is missing; a folder of images" in capsys.readouterr().err


def test_a_plan_is_shown_without_a_training(run, make_study):
    folder = make_study()
    outcome = run("plan", folder, "--trials", 2)
    assert outcome.exit_code == 0, outcome.output
    assert "step final: up to 2 networks, 1 epoch of 1,079 images: " in outcome.output
    assert not (folder / "study.db").exists()


def test_a_plan_is_a_table_for_programs(run, make_study):
    folder = make_study()
    found = json.loads(run("plan", folder, "--trials", 2, "--json").stdout)
    (step,) = found["steps"]
    assert (step["name"], step["networks"], step["epochs"], step["images"]) == ("final", 2, 1, 1079)
    assert found["parts"] == [1079, 359, 359]
    assert found["seconds"] > step["seconds"] > 0
