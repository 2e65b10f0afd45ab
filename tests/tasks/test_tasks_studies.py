"""Studies of a task of the user's own, from the first command to the exported network."""

import json
import shutil

import pytest
import torch
from lit_squares import LitSquares, SquaresData
from safetensors.torch import load_file
from torchmetrics.functional import jaccard_index
from typer.testing import CliRunner

import nas_attn
from nas_attn.cli import app
from nas_attn.cost import count
from nas_attn.settings import MEASURES
from nas_attn.space import parse

MODULE = """
space = "space.toml"
[task]
module = "lit_squares:LitSquares"
monitor = { iou = { better = "max", logged = "val/iou", unit = "%", title = "IoU" }, loss = "min" }
[data]
kind = "module"
module = "lit_squares:SquaresData"
[recipe]
epochs = 2
[latency]
calls = 50
[search]
trials = 3
"""
SPACE = 'slots = ["stage1", "stage3"]\n[kinds]\nse = { reduction = [2] }\ncoordinate = {}\n'
FUNCTION = """
space = "space.toml"
objectives = ["recall", "flops"]
[task]
function = "train_digits:train"
arguments = { rows = 100 }
monitor = { recall = { better = "max", unit = "%", title = "Recall" } }
[recipe]
epochs = 1
[latency]
calls = 50
[search]
trials = 2
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A study of segmentation, searched and judged with two seeds."""
    folder = tmp_path_factory.mktemp("squares")
    (folder / "study.toml").write_text(MODULE)
    (folder / "space.toml").write_text(SPACE)
    nas_attn.open_study(folder).run()
    nas_attn.open_study(folder).verdict(seeds=2)
    return folder


def test_rows_have_what_is_monitored_and_prices_of_the_part_alone(searched):
    study = nas_attn.open_study(searched)
    rows = study.folder.all_rows()
    assert {row.state for row in rows} == {"complete"}
    assert {row.seed for row in rows} >= {0, 1}
    for row in rows:
        assert 0 <= row["iou"] <= 1
        assert row["loss"] > 0
        assert "accuracy" not in row.measures
    key = study.folder.pick("best").key
    network = study.network(key)
    assert type(network).__name__ == "UNet"
    assert count(network, (3, 16, 16)).flops == study.table().loc[key, "flops"]
    assert "accuracy" not in study.table().columns
    assert MEASURES["iou"].head == "IoU (%)"


def test_the_kept_weights_are_of_the_whole_module_and_its_part_gives_what_was_judged(searched):
    study = nas_attn.open_study(searched)
    row = study.folder.seed_rows("final")[0]
    data = SquaresData()
    data.setup()
    batches = list(data.val_dataloader())
    assert row.seed == 0
    network = study.network(row.key)
    scores = torch.cat([network(batch["image"])["out"].detach() for batch in batches])
    masks = torch.cat([batch["mask"] for batch in batches])
    found = jaccard_index(scores, masks, task="multiclass", num_classes=2)
    assert float(found) == pytest.approx(row["iou"], abs=1e-6)


def command(*said):
    """What a command prints."""
    result = CliRunner().invoke(app, [str(one) for one in said], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_tables_page_and_verdict_speak_of_it_in_its_own_words(searched):
    shown = command("front", searched)
    assert "iou" in shown
    assert "accuracy" not in shown
    command("report", searched)
    page = (searched / "report.html").read_text()
    assert "IoU (%)" in page
    assert "ccuracy" not in page
    verdict = command("verdict", searched, "--no-train")
    assert "points of IoU" in verdict


def test_it_leaves_as_a_network_that_gives_what_it_gave(searched, tmp_path, forked_proofs):
    study = nas_attn.open_study(searched)
    row, notes = study.export(tmp_path / "out", "best")
    assert not [note for note in notes if "model.pt2" in note or "model.py" in note]
    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(program(images)["out"], study.network(row.key)(images)["out"], atol=1e-5)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["metrics"]["iou"] == pytest.approx(row["iou"])
    assert "accuracy" not in config["metrics"]
    whole = LitSquares()
    whole.net = study.network(row.key)
    whole.load_state_dict(load_file(tmp_path / "out" / "module.safetensors"))
    images, masks = (torch.cat(part) for part in zip(*map(dict.values, SquaresData().test_dataloader()), strict=True))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(whole.eval()(images), masks)
    assert config["weights"]["test_loss"] == pytest.approx(float(loss), rel=1e-4)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| loss, test part, which no search has seen, these weights |" in card
    assert "in which this network is `net`" in card
    assert "| IoU, validation part" in card
    assert "classes" not in card


def test_it_is_trained_for_good_on_its_own_train_part_and_judged_by_its_test_step(searched, tmp_path):
    study = nas_attn.open_study(shutil.copytree(searched, tmp_path / "study"))
    key = study.folder.pick("best").key
    found, remarks = study.train(key, 1)
    assert remarks[0].startswith("the images are divided by code of your own: its train part trains")
    row, before = found.chosen, next(one for one in study.folder.seed_rows("final") if (one.key, one.seed) == (key, 0))
    assert (row["iou"], row["loss"]) == (before["iou"], before["loss"])  # the same training, bit for bit
    assert "iou" not in found.own.measures  # its test step logs the loss alone
    whole = LitSquares()
    whole.net = study.network(key)
    whole.load_state_dict(load_file(study.folder.path / "retrained" / f"{key}-seed0.safetensors"))
    images, masks = (torch.cat(part) for part in zip(*map(dict.values, SquaresData().test_dataloader()), strict=True))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(whole.eval()(images), masks)
    assert found.own["loss"] == pytest.approx(float(loss), rel=1e-4)


def test_a_search_that_was_stopped_goes_on_with_the_same_rows(tmp_path):
    for name, trials in (("whole", [3]), ("stopped", [1, 3])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "space.toml").write_text(SPACE)
        (folder / "study.toml").write_text(MODULE)
        for number in trials:
            nas_attn.open_study(folder).run(number)
    tables = [nas_attn.open_study(tmp_path / name).table() for name in ("whole", "stopped")]
    columns = ["architecture", "iou", "loss", "flops"]
    assert tables[0][columns].equals(tables[1][columns])


def test_other_code_of_the_training_is_another_question(tmp_path, monkeypatch, make_study):
    monkeypatch.setattr("nas_attn.evaluation.question.code_digest", lambda name: "one")
    folder = make_study(FUNCTION, 'backbone = "resnet8"\nimage = [1, 8, 8]\n[kinds]\nse = {}\n')
    nas_attn.open_study(folder).run()
    monkeypatch.setattr("nas_attn.evaluation.question.code_digest", lambda name: "other")
    with pytest.raises(nas_attn.InputError, match=r"task\.code: was one, is other"):
        nas_attn.open_study(folder).run()
    table = nas_attn.open_study(folder).table()
    assert list(table["recall"].between(0, 1)) == [True, True]
    assert all(parse(spelt).key == key for key, spelt in table["architecture"].items())


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ('module = "lit_squares:LitSquares"', "task.monitor: is missing"),
        (
            'module = "LitSquares"\nmonitor = { a = "max" }',
            "task.module: found 'LitSquares'; allowed: package.module:name",
        ),
        (
            'function = "train_digits:train"\nmonitor = {}',
            "task.monitor: ",
        ),
        ('module = "a:B"\nmonitor = { a = "up" }', "4: task.monitor.a: found 'up'; allowed: "),
        ('module = "a:B"\nmonitor = { "val/a" = "max" }', r"val_a = \{ logged = 'val/a', better = 'max' \}"),
        ('module = "a:B"\nmonitor = { flops = "min" }', "found 'flops', which is counted here; call it otherwise"),
        ('modul = "a:B"', "task.modul: unknown name; did you mean 'module'"),
    ],
)
def test_a_task_that_cannot_be_is_refused_where_it_stands(make_study, study, message):
    folder = make_study(f'space = "space.toml"\n[task]\n{study}\n')
    with pytest.raises(nas_attn.InputError, match=message):
        nas_attn.open_study(folder)


def test_the_check_exports_the_network_of_the_module_and_finds_nothing_wrong(make_study, forked_proofs):
    folder = make_study(MODULE, SPACE)
    found = nas_attn.open_study(folder).check().findings
    assert [str(one) for one in found if one.state in ("warning", "fault")] == []
    assert [one for one in found if "a fresh process without nas_attn has its outputs" in str(one)]


def test_the_check_says_what_the_module_does_not_log(make_study, forked_proofs):
    said = MODULE.replace('logged = "val/iou"', 'logged = "val/map"')
    folder = make_study(said, SPACE)
    found = [str(one) for one in nas_attn.open_study(folder).check().faults]
    assert any("'val/map' is not among what it logs in validation; allowed: " in one for one in found), found


def test_the_check_does_not_say_that_a_function_trained_what_it_did_not(make_study, forked_proofs):
    folder = make_study(FUNCTION, 'backbone = "resnet8"\nimage = [1, 8, 8]\n[kinds]\nse = {}\n')
    found = [f"{one.state} {one}" for one in nas_attn.open_study(folder).check().findings]
    assert not [line for line in found if line.startswith(("fault", "warning")) or "learns" in line or "nan" in line]
    assert [line for line in found if "its training is the task's, and is not tried" in line]


def test_the_space_of_a_study_is_shown_with_the_network_of_its_task(make_study):
    folder = make_study(MODULE, SPACE)
    shown = command("sites", folder)
    assert "stage1.block0.block" in shown
    assert "down1.2" in shown
    assert "16 x 16" in shown
    assert "cheapest" in command("space", folder)
    with pytest.raises(nas_attn.InputError, match=r"space\.toml:1: backbone: is missing"):
        nas_attn.load_space(folder / "space.toml")
