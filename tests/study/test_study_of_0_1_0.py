"""A study of version 0.1.0, searched, concluded and audited by it: every command goes on with it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pandas as pd
import pytest
import torch

import nas_attn
from nas_attn.audit import read_rankings
from nas_attn.chain import Watch, open_space
from nas_attn.cost import Readings
from nas_attn.evaluation import Timing, pretraining, timing
from nas_attn.launch import open_study
from nas_attn.report.write import report_study
from nas_attn.results import read_csv, write_csv
from nas_attn.settings import BUILT_IN, MEASURES, LatencyTarget, Measure
from nas_attn.space import Architecture, InputError
from nas_attn.study import StudyFolder

ARCHIVE = Path(__file__).parent.parent / "old_studies" / "digits-0.1.0.tar.gz"
PLAIN = "h40bedbf9c"
ACCURACY = {
    "h40bedbf9c": 0.8393686413764954,
    "m5709ed559": 0.8087279597918192,
    "c89b52b8d7": 0.7172701954841614,
    "n061f1e412": 0.6434540152549744,
    "n95005a0de": 0.640668511390686,
    "f8fab99bf5": 0.7353760600090027,
}
"""What 0.1.0 wrote into rows.csv, the means over seeds."""
SUPERNET = "supernet-85db9bea7961.safetensors"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The study, on the host and with the torch by which it was searched."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setattr(pretraining, "version", lambda _package: "2.15.0")
    monkeypatch.setattr(timing, "version", lambda _package: "2.15.0")
    monkeypatch.setattr(timing, "host", lambda _device: "e93b2da92b")
    return tmp_path / "digits-0.1.0"


@pytest.fixture
def trained():
    """The trainings that are begun: step, key and seed; or what is trained for all networks."""
    return []


@pytest.fixture
def watch(trained):
    return Watch(
        on_epoch=lambda row, done, _epochs: trained.append((row.step, row.key, row.seed)) if done == 1 else None,
        on_pretrained=lambda what, _done, _epochs: trained.append(what),
    )


def test_its_front_and_its_rows_are_those_that_were_written(folder):
    study = open_study(folder)
    assert [*study.front().index] == [PLAIN]
    assert dict(study.table()["accuracy"]) == ACCURACY
    assert [(row.step, row.key, row.seed) for row in study.folder.full_rows()].count(("final", PLAIN, 2)) == 1


def test_its_table_in_a_file_is_read(folder):
    rows, table = read_csv(folder / "rows.csv"), open_study(folder).table()
    assert dict(rows["accuracy"]) == ACCURACY
    known = pd.read_csv(folder / "rows.csv", index_col="key").columns
    pd.testing.assert_frame_equal(rows[known], table[known])


def test_its_page_shows_its_networks_and_its_audit(folder):
    page = report_study(folder)[0].read_text()
    assert all(key in page for key in ACCURACY)
    assert "synflow" in page


def test_its_audit_is_read_and_written_again_in_the_format_of_today(folder, watch, trained):
    earlier = read_rankings(folder / "audit.json")
    assert [ranking.name for ranking in earlier] == ["supernet", "scratch", "synflow", "jacob_cov", "gradnorm"]
    assert earlier[0].scores[PLAIN] == -1.5881853103637695
    open_study(folder).audit(4, 1, watch=watch)
    assert not trained
    again = read_rankings(folder / "audit.json")
    assert json.loads((folder / "audit.json").read_text())["format_version"] == 2
    assert [ranking.scores for ranking in again[:2]] == [ranking.scores for ranking in earlier[:2]]
    assert again[0].shared_seconds == earlier[0].shared_seconds == 0.24043245500070043


def test_a_conclusion_is_drawn_from_its_rows(folder):
    found = open_study(folder).verdict(train=False)
    assert any(PLAIN in sentence for sentence in found.sentences)
    assert dict(pd.read_csv(folder / "verdict.csv", index_col="key")["seeds"])[PLAIN] == 3


def test_a_search_that_is_over_trains_nothing_more(folder, watch, trained):
    database = open_study(folder).table()
    assert open_study(folder).run(watch=watch) == "3 of 3 networks are trained"
    assert not trained
    pd.testing.assert_frame_equal(open_study(folder).table(), database)


def test_a_search_goes_on_that_said_what_there_is_no_other_way_to_do_now(folder, watch, trained):
    file = folder / "study.toml"
    file.write_text(file.read_text().replace("seeds = 2 }", 'seeds = 2, chosen_by = "promotion" }'))
    assert open_study(folder).run(watch=watch) == "3 of 3 networks are trained"
    assert not trained
    file.write_text(file.read_text().replace("promotion", "sampler"))
    with pytest.raises(InputError, match=r"study.toml:5: chain.2.chosen_by: unknown name"):
        open_study(folder)


def test_a_search_goes_on_and_trains_only_what_has_no_row(folder, watch, trained):
    said = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(said.replace("networks = 6", "networks = 8").replace("seeds = 2", "seeds = 3"))
    before = {(row.step, row.key, row.seed) for row in open_study(folder).folder.all_rows()}
    open_study(folder).run(16, watch=watch)
    after = {(row.step, row.key, row.seed) for row in open_study(folder).folder.all_rows()}
    assert before < after
    assert sorted(trained) == sorted(one for one in after - before if one[0] != "supernet")
    assert [step for step, *_ in trained] == ["scratch", "scratch", "scratch", "final"]
    assert len([one for one in after if one[0] == "supernet"]) == 16
    assert [path.name for path in (folder / "trained").iterdir()] == [SUPERNET]


def test_its_networks_leave_with_the_weights_that_it_trained(folder, tmp_path, forked_proofs):
    row, notes = open_study(folder).export(tmp_path / "out", "best")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (row.key, row["accuracy"]) == (PLAIN, ACCURACY[PLAIN])
    assert (config["format_version"], config["weights"]["accuracy"]) == (1, 0.8189415335655212)
    assert not [note for note in notes if "cannot be checked" in note]


def test_its_latencies_are_not_measured_again(folder):
    backbone, _ = open_space(open_study(folder).folder)
    known = Timing(backbone, (1, 8, 8), 10, LatencyTarget(), torch.device("cpu"), Readings(folder / "latency.jsonl"))
    assert known.known(Architecture()).median_ms == 0.236013
    later = Timing(backbone, (1, 8, 8), 10, LatencyTarget(batch=2), torch.device("cpu"), known.readings)
    assert later.known(Architecture()) is None


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ("learning_rate = 0.1", "learning_rate = 0.2", "recipe.learning_rate: was 0.1, is 0.2"),
        ("batch_size = 64", "cutout = 2", "recipe.cutout: was 0, is 2"),
        ("seed = 0", "seed = 1", "seed: was 0, is 1"),
        ('kind = "digits"', 'kind = "digits"\nsplit_seed = 1', "data.split_seed: was 0, is 1"),
    ],
)
def test_a_changed_question_is_refused_as_it_always_was(folder, was, now, message):
    said = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(said.replace(was, now))
    with pytest.raises(InputError) as error:
        open_study(folder).run()
    assert message in str(error.value)


ADDED = {
    ("recipe.py", "class Recipe(Settings):"): "sharpness: float = 0.0",
    ("data.py", "class Digits(_Split):"): "turned: int = 0",
    ("latency.py", "class LatencyTarget(Settings):"): "memory: str = 'pinned'",
    ("backbone.py", "class Backbone(Settings):"): "frozen: bool = False",
    ("chain.py", "class Step(Settings):"): "warm: tuple[int, ...] = (1, 2)",
}
GOES_ON = """
    import sys
    import torch
    from pathlib import Path
    from nas_attn.chain import Watch, open_space
    from nas_attn.cost import Readings
    from nas_attn.evaluation import Timing, pretraining, timing
    from nas_attn.launch import open_study
    from nas_attn.settings import LatencyTarget, Recipe
    from nas_attn.space import Architecture

    assert Recipe().sharpness == 0 and LatencyTarget().memory == "pinned"
    pretraining.version = timing.version = lambda package: "2.15.0"
    timing.host = lambda device: "e93b2da92b"
    study, trained = open_study(sys.argv[1]), []
    watch = Watch(on_epoch=lambda *_: trained.append(_), on_pretrained=lambda *_: trained.append(_))
    assert study.run(16, watch=watch) == "3 of 3 networks are trained"
    assert all(row.step == "scratch" for row, *_ in trained), trained
    study.audit(4, 1, watch=Watch(on_pretrained=lambda *_: trained.append("supernet")))
    assert "supernet" not in trained
    backbone, readings = open_space(study.folder)[0], Readings(study.folder.path / "latency.jsonl")
    for target, known in ((LatencyTarget(), True), (LatencyTarget(memory="paged"), False)):
        timed = Timing(backbone, (1, 8, 8), 10, target, torch.device("cpu"), readings).known(Architecture())
        assert (timed is not None) == known
"""
ASKS_ANEW = """
    import sys
    from pathlib import Path
    from nas_attn.launch import open_study
    from nas_attn.space import InputError

    file = Path(sys.argv[1]) / "study.toml"
    usual = file.read_text()
    for was, now, message in (
        ("[recipe]", "[recipe]\\nsharpness = 0.5", "recipe.sharpness: was 0.0, is 0.5"),
        ("[data]", "[data]\\nturned = 90", "data.turned: was 0, is 90"),
        ('proxy = "scratch"', 'proxy = "scratch", warm = [3]', "step.warm: was [1, 2], is [3]"),
        ("[recipe]", "[latency]\\nmemory = 'paged'\\n[recipe]", "latency.memory: was pinned, is paged"),
    ):
        file.write_text(usual.replace(was, now))
        try:
            open_study(sys.argv[1]).run()
        except InputError as error:
            assert f"  {message}\\n" in str(error), error
        else:
            raise AssertionError(message)
"""


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """A version of the package in which each table has a setting more, with a default."""
    place = tmp_path_factory.mktemp("later")
    shutil.copytree(Path(nas_attn.__file__).parent, place / "nas_attn", ignore=shutil.ignore_patterns("__pycache__"))
    for (file, first), line in ADDED.items():
        path = place / "nas_attn" / "settings" / file
        head, found, rest = path.read_text().partition(f"{first}\n")
        assert found
        path.write_text(f"{head}{found}    {line}\n{rest}")
    return place


def run_later(place, code, folder):
    """Run a program with that version, on the study."""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder)]
    return subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True)


def test_a_setting_that_is_added_with_a_default_changes_no_question(folder, later):
    done = run_later(later, GOES_ON, folder)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "trained").iterdir()] == [SUPERNET]


def test_a_setting_that_is_added_and_used_changes_the_question(folder, later):
    done = run_later(later, ASKS_ANEW, folder)
    assert done.returncode == 0, done.stderr


def test_a_measure_that_is_added_later_is_not_known_of_its_rows_and_all_else_is(folder, tmp_path, monkeypatch):
    for table in (BUILT_IN, MEASURES):
        monkeypatch.setitem(table, "mean_iou", Measure("mean_iou", "Mean IoU", "%", "max", "learnt", largest=1.0))
        monkeypatch.setitem(table, "activations_mb", Measure("activations_mb", "Activations", "MB", source="counted"))
    for table in (StudyFolder.open(folder).table(), read_csv(folder / "rows.csv")):
        assert table[["mean_iou", "activations_mb"]].isna().all(axis=None)
        assert table["accuracy"].to_dict() == pytest.approx(ACCURACY)
        write_csv(table, tmp_path / "rows.csv")
        pd.testing.assert_frame_equal(read_csv(tmp_path / "rows.csv"), table)


def test_rows_of_a_newer_version_are_refused_with_that_reason(folder):
    path = folder / "rows.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},format_version", *(f"{line},99" for line in lines[1:])]))
    with pytest.raises(InputError, match="row 1: format_version: found 99; allowed: 1 to 4; a newer nas-attn reads it"):
        read_csv(path)
