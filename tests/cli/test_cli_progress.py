"""Long work is never blind: what happens is said, as lines with the time of day, as bars, or as events."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from small_study import CHAIN, SPACE
from typer.testing import CliRunner

from nas_attn import cli
from nas_attn.cli.bars import Bars
from nas_attn.cli.progress import _Progress
from nas_attn.cli.reporting import Loudness, Reporter
from nas_attn.results import evaluation

STAMP = r"\d\d:\d\d:\d\d "


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A study of a chain: its search as events, then a verdict as lines, and what reads it; by command."""
    folder = tmp_path_factory.mktemp("watched") / "study"
    folder.mkdir()
    (folder / "study.toml").write_text(CHAIN)
    (folder / "space.toml").write_text(SPACE.replace("width = 8", "width = 2").replace("[4, 8]", "2"))
    commands = {
        "events": ("search", "--no-check", "--json"),
        "verdict": ("verdict", "--verbose"),
        "again": ("search", "--no-check"),
        "quiet": ("search", "--no-check", "--quiet"),
        "front": ("front", "--json"),
        "concluded": ("verdict", "--no-train", "--json"),
    }
    found = {}
    for name, (command, *options) in commands.items():
        outcome = CliRunner().invoke(cli.app, [command, str(folder), *options])
        assert outcome.exit_code == 0, (name, outcome.output, outcome.exception)
        found[name] = outcome.output
    return found


@pytest.fixture
def events(outputs):
    return [json.loads(line) for line in outputs["events"].splitlines()]


def test_each_event_is_an_object_in_a_line_with_its_time(events):
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", one["time"]) for one in events)
    names = [one["event"] for one in events]
    assert names[0] == "search"
    assert names[-1] == "end"
    assert names.index("plan") < names.index("step") < names.index("row")


def test_events_count_trainings_epochs_and_who_goes_on(events):
    rows = [one for one in events if one["event"] == "row"]
    assert {(one["step"], one["state"]) for one in rows} == {("inherit", "complete"), ("final", "complete")}
    assert [one["networks"] for one in rows if one["step"] == "final"][-1] == 2
    assert len([one for one in rows if one["step"] == "final"]) == 4
    assert all(0 <= one["accuracy"] <= 1 and one["train_seconds"] > 0 for one in rows)
    epochs = [(one["step"], one["done"], one["epochs"]) for one in events if one["event"] == "epoch"]
    assert epochs.count(("final", 2, 2)) == 4
    (screened, promoted) = [one for one in events if one["event"] == "promoted"]
    assert (screened["step"], screened["to"], promoted["step"], promoted["to"]) == (
        "supernet",
        "inherit",
        "inherit",
        "final",
    )
    assert len(promoted["keys"]) == 2
    trained = [one["key"] for one in rows if one["step"] == "final"]
    assert {*promoted["keys"]} == {*trained}


def test_the_accuracy_of_the_base_is_said(events):
    (base,) = [one for one in events if one["event"] == "base"]
    assert 0 < base["measures"]["accuracy"] <= 1
    assert base["message"].startswith("the plain backbone from which networks inherit: accuracy ")


def test_what_ranks_is_said_and_shown(events):
    steps = {one["step"]: one for one in events if one["event"] == "step"}
    ranked = {name: one["ranked_by"] for name, one in steps.items()}
    assert ranked == {"supernet": "loss", "inherit": "loss", "final": None}
    assert steps["inherit"]["message"].endswith(", ranked by loss")
    row = next(one for one in events if one["event"] == "row")
    assert f"{row['accuracy']:.2%}".replace("%", " %") in row["message"]
    assert f"{row['loss']:.4g}"[:5] in row["message"]


def test_lines_have_the_time_of_day_where_no_one_sees_them_come(outputs):
    *progress, last = outputs["again"].splitlines()
    assert progress
    assert all(re.match(STAMP, line) for line in progress)
    assert not re.match(STAMP, last)
    assert any("Nothing is left to be trained" in line for line in progress)


def test_quiet_says_only_what_came_of_it(outputs):
    (line,) = outputs["quiet"].splitlines()
    assert "2 of 2 networks are trained. See them with: nas-attn front" in line


def test_all_trainings_and_epochs_are_said_where_that_is_wanted(outputs):
    lines = [re.sub(STAMP, "", line) for line in outputs["verdict"].splitlines()]
    assert any(re.fullmatch(r"\w+ seed 3: epoch 1 of 2", line) for line in lines), lines
    assert any(re.search(r"\w+  seed 3 +\d", line) for line in lines)


def test_a_front_is_a_table_of_numbers(outputs):
    found = json.loads(outputs["front"])
    assert {"key", "architecture", "accuracy", "flops", "latency_ms"} <= found["rows"][0].keys()
    assert found["knee"] in [row["key"] for row in found["rows"]]


def test_a_verdict_ends_with_its_finding_and_a_row_a_network(outputs):
    end = json.loads(outputs["concluded"].splitlines()[-1])
    assert end["finding"] in ("pays", "pays no more than width", "pays nothing", "not known yet")
    assert "none" in [row["architecture"] for row in end["table"]]
    assert Path(end["files"][0]).name == "verdict.csv"


def test_bars_foresee_the_end_from_what_was_trained():
    """Two trainings of 2 s of six leave 8 s of the step; the next one was planned at half the pace of this one."""
    bars = Bars(Console(file=io.StringIO(), force_terminal=True), True)
    here = SimpleNamespace(name="a", networks=3, seeds=2, extra_trainings=0, trainings=6, seconds=6.0)
    later = SimpleNamespace(name="b", trainings=4, seconds=10.0)
    bars.plan(SimpleNamespace(steps=[here, later], seconds=16.0))
    bars.begin(here)
    for _ in range(2):
        bars.trained(here, SimpleNamespace(train_seconds=2.0))
    whole, step, _ = bars.progress.tasks
    assert (step.completed, step.total, step.fields["note"]) == (2, 6, "2.0 s a training, 8 seconds left")
    assert (whole.completed, whole.total, whole.fields["note"]) == (2, 10, "28 seconds left")


def test_a_network_shows_its_rate(monkeypatch):
    bars = Bars(Console(file=io.StringIO(), force_terminal=True), True)
    clock = iter([100.0, 103.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    bars.advance("one", "one", 1, 5)
    bars.advance("one", "one", 2, 5)
    assert bars.progress.tasks[-1].fields["note"] == "3 s each, 9 seconds left"


@pytest.mark.parametrize(
    ("loudness", "shown"),
    [(Loudness(), "usual\n"), (Loudness(quiet=True), ""), (Loudness(verbose=True), "usual\ndetail\n")],
)
def test_how_much_is_said(loudness, shown):
    reporter = Reporter(loudness)
    reporter.screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, highlight=False)
    reporter.say("one", "usual")
    reporter.say("two", "detail", detail=True)
    assert reporter.screen.file.getvalue() == shown


class _Said:
    """A reporter that keeps what is said."""

    def __init__(self):
        self.loudness, self.live, self.lines = Loudness(), False, []
        self.screen = Console(file=io.StringIO())

    def say(self, event, line="", **_):
        self.lines.append((event, line if event == "more" else " ".join(line.split()[:2])))


def said_of(rows, seeds=2):
    """What is said of trainings, given as (key, seed, networks that are trained then)."""
    file = SimpleNamespace(
        leading=SimpleNamespace(name="accuracy"), steps=(SimpleNamespace(name="final", score="loss"),)
    )
    file.seed = 1
    said = _Said()
    progress = _Progress(said, SimpleNamespace(file=file))
    progress.on_step(SimpleNamespace(name="final", score="loss", networks=3, seeds=seeds, extra_trainings=2))
    for key, seed, trained in rows:
        costs = {"params": 1, "macs": 1, "flops": 1, "latency_ms": 1.0, "accuracy": 0.5, "loss": 1.0}
        row = evaluation(key=key, architecture=key, seed=seed, state="complete", **costs)
        progress.on_row(row, trained)
    progress.on_end()
    return [line for event, line in said.lines if event == "network"], [
        line for event, line in said.lines if event == "more"
    ]


def test_a_network_is_said_once_it_has_all_its_seeds():
    rows = [("a", 1, 0), ("a", 2, 1), ("b", 1, 1), ("b", 2, 2), ("a", 3, 2), ("a", 4, 2)]
    assert said_of(rows) == (["1/3 a", "2/3 b"], ["2 more trainings, of a 2"])


def test_a_search_that_goes_on_says_no_network_before_its_time():
    assert said_of([("c", 1, 5), ("c", 2, 6)])[0] == ["6/6 c"]
    assert said_of([("c", 2, 6), ("d", 1, 6), ("d", 2, 7)])[0] == ["6/6 c", "7/7 d"]


def test_a_network_that_gets_further_seeds_in_jobs_is_said_once():
    assert said_of([("a", 2, 0), ("b", 1, 0), ("a", 1, 1), ("b", 2, 2)]) == (["1/3 a", "2/3 b"], [])
