"""One training that is killed, too large, or never ends: it goes on, once more in parts, or is a row that says why."""

import gc
import hashlib
import re
import signal
import sys
import time
import weakref
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import processes
import pytest
import torch
from small_protocol import keeping, row
from test_evaluation_jobs import Fake

from nas_attn.evaluation import Workers, weights_file, workers
from nas_attn.settings import DataModule, OwnModule, Recipe
from nas_attn.space import InputError, parse
from nas_attn.study import StudyFolder
from nas_attn.tasks import ImageTask, ModuleTask
from nas_attn.training import train, training_device

SE = "stage1.block0.branch=se(reduction=4)"
TOO_LARGE, FAR_TOO_LARGE, SLEEPS = (
    f"stage1.block0.branch=faulty:{name}" for name in ("TooLarge", "FarTooLarge", "Sleeps")
)
HERE = Path(__file__).parents[1]
ON_CPU = pytest.mark.skipif(training_device().type != "cpu", reason="an accelerator may add in another order")


@pytest.fixture(autouse=True)
def _networks_of_users(monkeypatch):
    for folder in ("case_networks", "tasks"):
        monkeypatch.syspath_prepend(HERE / folder)


@pytest.fixture
def protocol(tmp_path):
    recipe = Recipe(epochs=2, batch_size=256)
    more = {name: tmp_path / name for name in ("outcomes", "failures", "running")}
    return replace(keeping(tmp_path), recipe=recipe, **more)


KILLED = """
    import os, signal, sys
    from dataclasses import replace
    from pathlib import Path
    from small_protocol import keeping, row
    from nas_attn.evaluation import TrainingProtocol
    from nas_attn.results import written_row
    from nas_attn.settings import Backbone, DataModule, OwnModule, Recipe
    from nas_attn.space import parse
    from nas_attn.tasks import ModuleTask
    from nas_attn.training import checkpoint

    checkpoint.KEEP_EVERY_SECONDS = 0.0
    here, whose, kills, spelt = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "kill", sys.argv[4]
    protocol = keeping(here)
    if whose == "module":
        task = ModuleTask(OwnModule(module="lit_squares:LitSquares", monitor={"iou": "max", "loss": "min"}),
                          DataModule(module="lit_squares:SquaresData"))
        protocol = replace(protocol, task=task, backbone=task.backbone)
    recipe = Recipe(epochs=3, batch_size=256, crop_padding=1)
    protocol = replace(protocol, recipe=recipe, outcomes=here / "outcomes", running=here / "running")

    def on_epoch(done, of):
        if kills and done == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        print(done, flush=True)

    found = written_row(protocol.train(row(spelt), on_epoch))
    print(*(value for name, value in found.items() if name != "train_seconds"))
"""


@ON_CPU
@pytest.mark.parametrize(
    ("whose", "spelt", "parts"),
    [
        ("ours", SE, ""),
        ("ours", TOO_LARGE, "-in2"),
        ("module", "stage1.block0.block=se(reduction=2)", ""),
    ],
    ids=["whole", "in parts", "module"],
)
def test_the_row_of_a_training_that_was_killed_is_that_of_an_undisturbed_one(tmp_path, whose, spelt, parts):
    here, other = tmp_path / "here", tmp_path / "other"
    killed = processes.program(KILLED, here, whose, "kill", spelt)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "1\n"), killed.stderr
    checkpoint, *_ = sorted((here / "running").iterdir(), key=lambda one: one.suffix)
    assert checkpoint.name == f"final-{row(spelt).key}-seed0{parts}.ckpt"
    resumed, whole = (processes.program(KILLED, folder, whose, "goes on", spelt) for folder in (here, other))
    *epochs, undisturbed = whole.stdout.splitlines()
    assert epochs == ["1", "2", "3"], whole.stderr
    assert resumed.stdout.splitlines() == ["3", undisturbed]
    assert " complete " in whole.stdout
    assert list((here / "running").iterdir()) == list((other / "running").iterdir()) == []
    kept = [sorted((one / "kept").iterdir()) for one in (here, other)]
    assert [hashlib.sha256(one.read_bytes()).hexdigest() for (one,) in kept] == [
        hashlib.sha256(kept[0][0].read_bytes()).hexdigest()
    ] * 2


def test_a_checkpoint_is_gone_when_its_training_has_failed(protocol, monkeypatch):
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    seen = []
    wild = replace(protocol, recipe=Recipe(epochs=9, batch_size=512, learning_rate=1e4))
    found = wild.train(row(SE), lambda done, of: seen.append(len([*protocol.running.iterdir()])))
    assert found.state == ("failed" if "became" in found.reason else "complete")
    assert not protocol.running.exists() or list(protocol.running.iterdir()) == []


def test_what_is_trained_is_lost_to_no_full_disk(protocol, monkeypatch):
    """The checkpoint stays until the weights are written."""
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    (protocol.keeps).write_text("a file, where a folder has to be")
    with pytest.raises(InputError, match="kept: cannot be written"):
        protocol.train(row(SE))
    assert len(list(protocol.running.iterdir())) == 1
    protocol.keeps.unlink()
    reported = []
    assert protocol.train(row(SE), lambda done, of: reported.append(done)).state == "complete"
    assert reported == [2]


@pytest.mark.parametrize("change", ["attention", "images"])
def test_a_training_that_has_become_another_begins_anew(protocol, monkeypatch, tmp_path, caplog, change):
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    module = tmp_path / "edited.py"
    module.write_text("from misbehaving import Good\n\nclass Edited(Good):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    spelt = row("stage1.block0.branch=edited:Edited")

    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protocol.train(spelt, stop)
    if change == "attention":
        module.write_text(module.read_text() + "\n    def misbehave(self, x):\n        x.mul_(0.5)\n")
    else:
        data = protocol.task.data
        images = data.train.images.clone()
        images[[0, 1]] = images[[1, 0]]  # by which no mean of a channel changes
        part = type(data.train)(images, data.train.labels)
        protocol = replace(protocol, task=ImageTask(replace(data, train=part)))
    reported = []
    assert protocol.train(spelt, lambda done, of: reported.append(done)).state == "complete"
    assert reported == [1, 2]
    assert "is of another training, so this one begins anew" in caplog.text
    del sys.modules["edited"]


def test_a_network_that_is_too_large_is_trained_in_halves_of_a_batch_and_its_row_says_so(protocol, caplog):
    found = protocol.train(row(TOO_LARGE))
    assert (found.state, found.reason, found.batch_parts) == ("complete", "", 2)
    assert f"{found.key}, seed 0: out of memory: CUDA out of memory. Tried to allocate 20.00 GiB.; batch" in caplog.text
    network = protocol.build(parse(TOO_LARGE), 0)
    expected = train(network, protocol.task.data, protocol.recipe, 0, parts=2)
    assert (found["accuracy"], found["loss"]) == (expected.validation["accuracy"], expected.validation["loss"])
    assert protocol.train(row(SE)).batch_parts == 1


def test_a_network_that_is_far_too_large_is_a_row_and_what_filled_the_memory_is_let_go(protocol, monkeypatch):
    alive, usual = [], protocol.task.build

    def building(*given):
        alive.append(weakref.ref(network := usual(*given)))
        return network

    monkeypatch.setattr(type(protocol.task), "build", lambda task, *given: building(*given))
    found = protocol.train(row(FAR_TOO_LARGE))
    assert found.state == "failed"
    assert found.reason.startswith("out of memory: [enforce fail at alloc_cpu.cpp")
    assert "DefaultCPUAllocator: can't allocate memory" in found.reason
    assert "(with each batch in 2 parts too); see failures/" in found.reason
    gc.collect()
    assert [one() for one in alive] == [None, None]
    assert protocol.train(row(SE)).state == "complete"


def test_a_process_lives_on_when_a_network_was_too_large(protocol, forked_workers):
    with Workers(protocol, 1) as pool:
        process = pool._all[0]._process.pid
        found = [future.result() for future in [pool.train(row(one)) for one in (FAR_TOO_LARGE, TOO_LARGE, SE)]]
        assert pool._all[0]._process.pid == process
    assert [(one.state, one.batch_parts) for one in found] == [("failed", 1), ("complete", 2), ("complete", 1)]


def test_batches_of_code_of_ones_own_stay_whole(protocol):
    monitor = {"iou": "max", "loss": "min"}
    source = DataModule(module="lit_squares:SquaresData")
    task = ModuleTask(OwnModule(module="lit_squares:LitSquares", monitor=monitor), source)
    own = replace(protocol, task=task, backbone=task.backbone)
    found = own.train(row("stage1.block0.block=faulty:FarTooLarge"))
    assert found.state == "failed"
    assert "(code of your own makes the batches, so they stay whole); see failures/" in found.reason
    diverging = replace(task, said=task.said.model_copy(update={"arguments": {"learning_rate": 1e30}}))
    found = replace(own, task=diverging).train(row("stage1.block0.block=se(reduction=2)"))
    assert found.state == "failed"
    where = r"epoch \d of 2, in iteration \d, at a learning rate of 1e\+30"
    assert re.search(where, found.reason), found.reason


class Endless(Fake):
    """Hangs after its first epoch, for a while or for ever."""

    limit_minutes = 0.01

    def __init__(self, log):
        self.log = log

    def forget(self, row):
        self.log.write_text(f"forgotten {row.key}")

    def train(self, row, on_epoch):
        on_epoch(1, 3)
        time.sleep(3600 if row.seed == 1 else 0)
        return row.but(state="complete")


def test_a_training_that_never_ends_is_ended_and_its_row_says_at_which_limit_and_how_far_it_came(
    tmp_path, forked_workers
):
    log = tmp_path / "log"
    with Workers(Endless(log), 2) as pool:
        found = [pool.train(row(SE, seed)).result() for seed in (0, 1, 2)]
        with pytest.raises(InputError, match=r"^the plain backbone cannot be trained: it took longer than"):
            pool.train(row("none", 1)).result()
        assert pool.train(row("none", 2)).result().state == "complete"
    assert [one.state for one in found] == ["complete", "failed", "complete"]
    assert found[1].reason == "it took longer than search.limit_minutes = 0.01; 1 of 3 epochs were done"
    assert log.read_text() == f"forgotten {row('none').key}"


def test_one_job_has_a_process_where_there_is_a_limit_alone(protocol, forked_workers):
    assert isinstance(workers(protocol, 1), nullcontext)
    with workers(replace(protocol, limit_minutes=0.2), 1) as pool:
        found = [pool.train(row(one)).result() for one in (SLEEPS, SE)]
    assert [one.state for one in found] == ["failed", "complete"]
    assert found[0].reason == "it took longer than search.limit_minutes = 0.2; no epoch was done"
    assert not protocol.running.exists() or list(protocol.running.iterdir()) == []


STUDY = """
    space = "space.toml"
    objectives = ["accuracy", "flops"]
    [data]
    kind = "digits"
    [recipe]
    epochs = 12
    batch_size = 128
    [search]
    trials = 1
"""


def keep_often():
    pytest.MonkeyPatch().setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)


@ON_CPU
def test_a_killed_search_goes_on_within_its_training(make_study):
    folder, other = make_study(STUDY), make_study(STUDY, name="other")
    process = processes.start("search", "--no-check", folder, before=keep_often)
    while not [*folder.glob("running/*.ckpt")]:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    epochs = torch.load(next(folder.glob("running/*.ckpt")), weights_only=True)["epoch"]
    assert epochs < 11
    for one in (folder, other):
        processes.command("search", "--no-check", one)
    rows = [StudyFolder.open(one).table().filter(regex="^(?!train_seconds|latency_)") for one in (folder, other)]
    assert rows[0].equals(rows[1])
    assert rows[0]["weights_sha256"].str.len().tolist() == [64]
    assert weights_file(folder / "weights", rows[0].index[0], 0).is_file()
    assert list((folder / "running").iterdir()) == []
