"""The main job, from a study's folder to an exported network."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from processes import command
from small_study import SPACE, STUDY
from thoroughness import thorough

import nas_attn
from nas_attn.chain import Watch
from nas_attn.data import load_data
from nas_attn.results import read_csv
from nas_attn.space import InputError
from nas_attn.training import score

ROOT = Path(__file__).parent.parent
CIFAR10 = ROOT.parent / "shared" / "data" / "cifar10"


def of_a_new_interpreter(*arguments):
    """What a command of `nas-attn` prints in an interpreter of its own."""
    command = [sys.executable, "-c", "from nas_attn.cli import main; main()", *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def test_the_readmes_python_runs_as_written(make_study, tmp_path, monkeypatch):
    """On the small study, so that it takes seconds."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert any("open_study" in block for block in blocks)
    folder = make_study(name="digits")
    (tmp_path / "studies").mkdir()
    folder.rename(tmp_path / "studies" / "digits")
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(block.replace("trials=24", "trials=3"), names)
    assert isinstance(names["network"], torch.nn.Module)
    assert len(names["table"]) == 3
    assert set(names["front"].index) <= set(names["table"].index)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A study that has trained six networks; no test may change it."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "study.toml").write_text(STUDY.replace("trials = 3", "trials = 6"))
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    return study


def test_a_network_comes_back_with_its_trained_weights(searched):
    row = searched.folder.pick("best")
    data = load_data(searched.folder.file.data, searched.folder.path)
    network = searched.network(row.key)
    accuracy, loss = score(network, data.validation, data, 128).values()
    assert accuracy == pytest.approx(row["accuracy"])
    assert loss == pytest.approx(row["loss"], rel=1e-4)
    assert str(searched.architecture(row.key)) == row.architecture
    assert not network.training


def test_the_table_has_the_agreed_columns(searched):
    table = searched.table()
    assert table.index.name == "key"
    agreed = "architecture accuracy loss params macs flops latency_ms latency_iqr_ms seed state reason device versions"
    assert set(agreed.split()) <= set(table.columns)
    assert table["accuracy"].between(0.05, 1).all()
    assert (table["latency_ms"] > 0).all()
    assert list(table["role"].iloc[:3]) == ["baseline"] * 3


def test_a_repeated_study_gives_the_same_rows(searched, make_study):
    again = nas_attn.open_study(make_study(study=STUDY.replace("trials = 3", "trials = 4")))
    again.run()
    measured = ["latency_ms", "latency_ms_low", "latency_ms_high", "latency_iqr_ms", "latency_calls", "train_seconds"]
    table = again.table().drop(columns=measured)
    pd.testing.assert_frame_equal(table.iloc[:3], searched.table().drop(columns=measured).iloc[:3], check_exact=True)


@pytest.mark.usefixtures("forked_proofs")
def test_a_predicted_study_measures_its_front_and_says_how_good_it_was(make_study, tmp_path, monkeypatch):
    monkeypatch.setattr("nas_attn.evaluation.timing.TIMINGS", 6)
    latency = '[latency]\nsource = "predicted"\ncalls = 50\nname = "desk"\n'
    study = nas_attn.open_study(make_study(study=STUDY.replace("[latency]\ncalls = 50\n", latency)))
    told = []
    study.run(6, watch=Watch(on_timed=lambda done, total: told.append((done, total))))
    assert told == [(number, 6) for number in range(1, 7)]
    table = study.table()
    assert set(study.front()["latency_source"]) == {"measured"}
    assert (table["latency_ms_low"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["latency_ms_high"]).all()
    assert set(table["latency_target"]) == {"desk"}
    shown = command("front", study.folder.path)
    assert "How well latencies were predicted: " in shown
    assert "of 6 within 10 %" in shown
    study.export(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "95 % interval" in card
    assert "of 6 within 10 %" in card


def test_an_unknown_key_is_told(searched):
    with pytest.raises(InputError, match="pick: found 'nonsense'"):
        searched.network("nonsense")


def test_damaged_and_missing_weights_are_told(make_study):
    study = nas_attn.open_study(make_study(study=STUDY.replace("trials = 3", "trials = 1")))
    study.run()
    (weights,) = (study.folder.path / "weights").iterdir()
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="holds no weights of this network"):
        study.network("best")
    weights.unlink()
    with pytest.raises(InputError, match="are missing"):
        study.network("best")


def test_a_changed_recipe_is_refused_with_what_changed(make_study):
    folder = make_study(study=STUDY.replace("trials = 3", "trials = 1"))
    nas_attn.open_study(folder).run()
    (folder / "study.toml").write_text(STUDY.replace("epochs = 1", "epochs = 2"))
    (folder / "space.toml").write_text(SPACE.replace("[4, 8]", "[4, 16]"))
    with pytest.raises(InputError) as error:
        nas_attn.open_study(folder).run()
    assert "recipe.epochs: was 1, is 2" in str(error.value)
    assert "space.stage1.se.reduction: was [4, 8], is [4, 16]" in str(error.value)


def test_an_export_is_not_tested_on_images_that_were_trained_on(make_study, tmp_path):
    folder = make_study(study=STUDY.replace("trials = 3", "trials = 1"))
    nas_attn.open_study(folder).run()
    (folder / "study.toml").write_text(STUDY.replace('"digits"', '"digits"\nsplit_seed = 1'))
    with pytest.raises(InputError, match=r"data\.split_seed: was 0, is 1"):
        nas_attn.open_study(folder).export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_diverging_recipe_becomes_reasons_and_the_search_goes_on(make_study):
    study = nas_attn.open_study(make_study(study=STUDY.replace("epochs = 1", "epochs = 1\nlearning_rate = 1e12")))
    said = study.run()
    table = study.table()
    assert set(table["state"]) == {"failed"}
    failed = f"3 of them failed, the first for this reason: {table['reason'].iloc[0]}"
    assert said == f"3 of 3 networks are trained; {failed}"
    assert table["reason"].str.contains("nan").all()
    assert study.front().empty


def test_every_step_works_from_the_command_line(make_study, tmp_path):
    folder = make_study()
    searched = of_a_new_interpreter("search", folder)
    assert f"{folder}: checked: no fault" in searched
    assert "3 of 3 networks are trained" in searched
    again = command("search", folder)  # nothing is left to do, not even to check
    assert f"{folder}: checked before, and unchanged: no fault" in again
    assert "3 of 3 networks are trained" in again
    shown = command("front", folder, "--csv", tmp_path / "front.csv")
    assert set(read_csv(tmp_path / "front.csv").index) == set(nas_attn.open_study(folder).front().index)
    assert all(key in shown for key in nas_attn.open_study(folder).front().index)
    written = command("report", folder, "--csv", tmp_path / "rows.csv", "--picture", tmp_path / "front.png")
    assert str(folder / "report.html") in written
    assert len(read_csv(tmp_path / "rows.csv")) == 3
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    study = nas_attn.open_study(folder)
    assert repr(study) == f"Study({str(folder)!r})"
    assert {*study.front().index} <= {*re.findall(r"<th>(\w{10})</th>", study._repr_html_())}
    assert study.plot().to_dict()["datasets"]["networks"][0]["key"] in study.table().index
    assert study.drawing("best").lines[1][1] == "8 x 8 x 8", "as the study has kept it"
    assert study.drawing("best").outline.plain[2] == study.table().loc["h40bedbf9c", "flops"]
    assert "accuracy" in command("export", folder, tmp_path / "out", "--pick", "best")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["key"] == nas_attn.open_study(folder).folder.pick("best").key
    assert 0 < config["metrics"]["test_accuracy"] <= 1
    assert "storage" not in config["study"]["search"]  # its URL may hold a password
    assert "resnet8" in command("space", folder / "space.toml")


def test_images_of_the_users_own_run_to_the_export(make_study, make_images, tmp_path, forked_proofs):
    text = STUDY.replace('kind = "digits"', 'kind = "folder"\npath = "photos"').replace("epochs = 1", "epochs = 20")
    folder = make_study(study=text.replace("batch_size = 128", "batch_size = 8").replace("trials = 3", "trials = 2"))
    make_images(folder / "photos", count=20)
    study = nas_attn.open_study(folder)
    study.run()
    assert study.table()["accuracy"].max() > 0.8
    study.export(tmp_path / "out", "best")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["class_names"] == ["bright", "dark"]


@thorough
@pytest.mark.skipif(not CIFAR10.is_dir(), reason="needs the CIFAR-10 Parquet files")
def test_cifar10_runs_to_the_export(make_study, tmp_path, forked_proofs):
    source = f'kind = "parquet"\npath = "{CIFAR10}/train-00000-of-00001.parquet"\nlimit = 300'
    text = STUDY.replace('kind = "digits"', source).replace("trials = 3", "trials = 2")
    study = nas_attn.open_study(make_study(study=text))
    study.run()
    assert (study.table()["state"] == "complete").all()
    study.export(tmp_path / "out")
    assert "airplane" in json.loads((tmp_path / "out" / "config.json").read_text())["class_names"]
