"""A study hands out a network: which of its trainings that is, and what stops an export."""

import json
import resource
import shutil
import signal
import statistics
import subprocess
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import processes
import pytest
from safetensors.torch import load_file
from small_study import SPACE, STUDY
from test_export import winner
from test_export_folder import snapshot
from thoroughness import thorough

import nas_attn
from nas_attn.data import load_data
from nas_attn.export import export
from nas_attn.space import InputError
from nas_attn.training import score

SEEDS = STUDY.replace('space = "space.toml"', 'space = "space.toml"\nseed = 4\nchain = [{proxy = "final", seeds = 3}]')


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study that has trained one network with three seeds; no test may change it."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(SEEDS.replace("trials = 3", "trials = 1"))
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    return study


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    """Its network, and what the command said."""
    out = tmp_path_factory.mktemp("exported") / "out"
    return out, processes.command("export", study.folder.path, out)


def test_the_card_of_a_mean_over_seeds_says_what_these_weights_do(study, exported):
    out, said = exported
    config, card = json.loads((out / "config.json").read_text()), (out / "README.md").read_text()
    network = study.network(config["key"])
    network.load_state_dict(load_file(out / "model.safetensors"))
    data = load_data(study.folder.file.data, study.folder.path)
    accuracy, loss = score(network, data.validation, data, 128).values()
    tested = score(network, data.test, data, 128)["accuracy"]
    rows = study.folder.all_rows()
    mean, deviation = (find([row["accuracy"] for row in rows]) for find in (statistics.mean, statistics.stdev))
    losses = [row["loss"] for row in rows]

    assert [row.seed for row in rows] == [4, 5, 6]
    assert abs(mean - accuracy) > 1e-3  # else this would tell nothing
    assert config["weights"]["seed"] == 4
    assert config["weights"]["accuracy"] == pytest.approx(accuracy)
    assert config["weights"]["loss"] == pytest.approx(loss, rel=1e-4)
    assert config["weights"]["test_accuracy"] == pytest.approx(tested)
    assert (config["metrics"]["accuracy"], config["metrics"]["accuracy_std"]) == pytest.approx((mean, deviation))
    assert config["metrics"]["seeds"] == 3

    for line in (
        f"| accuracy, validation part, these weights | {100 * accuracy:.2f} %, seed 4 |",
        f"| accuracy, validation part, mean of 3 training runs | {100 * mean:.2f} %, "
        f"standard deviation {100 * deviation:.2f} points |",
        f"| accuracy, test part, which no search has seen, these weights | {100 * tested:.2f} %, 359 images |",
        f"| loss, validation part, these weights | {loss:#.4g} nats |",
        f"| loss, validation part, mean of 3 training runs | {statistics.mean(losses):#.4g} nats, "
        f"standard deviation {statistics.stdev(losses):.4f} nats |",
        "The weights here are those of seed 4, the first of the 3 seeds",
    ):
        assert f"\n{line}" in card
    assert "One training run" not in card
    assert f"accuracy {100 * mean:.2f} %, the mean of 3 seeds" in said
    assert (
        f"the weights are those of seed 4, the first of the 3 that were trained to the end, not the best: accuracy "
        f"{100 * accuracy:.2f} % and loss {loss:#.4g} nats" in said
    )


def test_the_card_draws_the_network(study, exported):
    out, _ = exported
    key, drawn = json.loads((out / "config.json").read_text())["key"], (out / "network.svg").read_text()
    places = [line.get("data-site") for line in ElementTree.fromstring(drawn).iter() if line.get("class") == "line"]
    standing = [placement.site for placement in study.architecture(key).placements]
    assert set(standing) <= set(places)
    assert drawn.count('class="chip') == len(standing)
    assert "](network.svg)" in (out / "README.md").read_text()


def test_the_card_of_one_training_says_so(tmp_path, forked_proofs):
    export(winner("none"), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "\n| accuracy, validation part, one training run | 75.00 %, seed 0 |\n" in card
    assert "\n| loss, validation part, one training run | 0.5000 nats |\n" in card
    assert "One training run says nothing about the differences between runs." in card
    assert "mean of" not in card


def test_a_folder_is_refused_before_the_data_are_read(study, tmp_path, monkeypatch):
    (tmp_path / "MANIFEST.sha256").write_text("mine")
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr("nas_attn.launch.winner.open_task", lambda *_: pytest.fail("data are read"))
    for out in (tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match="exists, and is no earlier export"):
            study.export(out)
    with pytest.raises(InputError, match="file/out: cannot be written: Not a directory"):
        study.export(tmp_path / "file" / "out")
    with pytest.raises(InputError, match="is no file that an export writes"):
        study.export(study.folder.path)


@pytest.fixture
def small_disk(exported, tmp_path):
    """A disk with room for one export and 50 kB."""
    disk, pages = tmp_path / "disk", sum(path.stat().st_size // 4096 + 1 for path in exported[0].iterdir())
    disk.mkdir()
    size = f"size={4 * pages + 50}k"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_an_export_onto_a_full_disk_is_reported_and_the_earlier_one_stays(study, exported, small_disk):
    out = Path(shutil.copytree(exported[0], small_disk / "out"))
    before = snapshot(small_disk)
    process = processes.start("export", study.folder.path, out)
    _, said = process.communicate()
    assert process.returncode == 2, said
    assert said == f"error: {out}/model.safetensors: cannot be written: No space left on device\n"
    assert snapshot(small_disk) == before


def test_a_program_for_which_there_is_no_space_is_reported(study, exported, tmp_path):
    weights, program = ((exported[0] / name).stat().st_size for name in ("model.safetensors", "model.pt2"))
    between = (weights + program) // 2
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (between, between))  # the weights fit
    process = processes.start("export", study.folder.path, tmp_path / "new" / "out", before=limit)
    _, said = process.communicate()
    assert process.returncode == 2, said
    assert said == f"error: {tmp_path}/new/out/model.pt2: cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sent", [signal.SIGKILL, *(pytest.param(one, marks=thorough) for one in (signal.SIGTERM, signal.SIGINT))]
)
@pytest.mark.usefixtures("forked_proofs")
def test_an_export_that_is_stopped_leaves_the_earlier_one_and_the_next_clears_the_rest(study, exported, tmp_path, sent):
    out = Path(shutil.copytree(exported[0], tmp_path / "out"))
    before = snapshot(tmp_path)
    process = processes.start("export", study.folder.path, out)
    while process.returncode is None and not [*tmp_path.glob(".out-*/*/model.safetensors")]:
        time.sleep(0.01)
    process.send_signal(sent)
    printed, said = process.communicate(timeout=60)
    if sent == signal.SIGKILL:
        assert snapshot(out) == snapshot(exported[0])
        assert len([*tmp_path.iterdir()]) == 2
        study.export(out)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        return
    assert process.returncode == 130, said
    assert said == ""
    assert f"Interrupted; nothing is left half-written. Again: nas-attn export {study.folder.path} {out}" in printed
    assert snapshot(tmp_path) == before
