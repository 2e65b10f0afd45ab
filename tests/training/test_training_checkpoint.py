"""A training that was interrupted goes on from its file, and comes to the end that it would have come to."""

import errno
import logging
import os
import signal
import sys

import processes
import pytest
import torch

from nas_attn.results import read_curve
from nas_attn.settings import Recipe
from nas_attn.space import InputError
from nas_attn.training import checkpoint as checkpoints
from nas_attn.training import drop_checkpoint, train, training_device

RECIPE = Recipe(epochs=4, batch_size=128, horizontal_flip=True, crop_padding=1, label_smoothing=0.1)


@pytest.fixture(autouse=True)
def _kept_at_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoints, "KEEP_EVERY_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept.ckpt"


def stop_after(epochs):
    def stop(done, of):
        if done == epochs:
            raise KeyboardInterrupt

    return stop


def outcome(network, result):
    known = (result.validation["accuracy"], result.validation["loss"], result.train_loss, result.learning_curve)
    assert len(read_curve(result.learning_curve)["epoch"]) >= 3, "those before an interruption too"
    return *known, network.state_dict()


def assert_same_end(one, other):
    assert one[:-1] == other[:-1]
    assert one[-1].keys() == other[-1].keys()
    assert all(torch.equal(one[-1][name], other[-1][name]) for name in one[-1])


@pytest.fixture
def run(digits, small_network, path):
    """Trains the small network, with dropout, and gives what came of it."""

    def run(on_epoch=None, seed=3, checkpoint=path, recipe=RECIPE, network=None, **others):
        network = network or small_network(dropout=0.5)
        result = train(network, digits, recipe, seed, on_epoch, checkpoint=checkpoint, **others)
        if checkpoint is not None:
            drop_checkpoint(checkpoint)
        return outcome(network, result)

    return run


ON_CPU = pytest.mark.skipif(training_device().type != "cpu", reason="an accelerator may add in another order")


@ON_CPU
@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.model_copy(update={"optimizer": "adamw", "learning_rate": 0.01})])
@pytest.mark.parametrize("epochs", [1, 3])
def test_an_interrupted_training_comes_to_the_same_end_bit_by_bit(run, path, epochs, recipe):
    whole = run(checkpoint=None, recipe=recipe)
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(epochs), recipe=recipe)
    assert path.exists()
    reported = []
    assert_same_end(run(lambda done, of: reported.append((done, of)), recipe=recipe), whole)
    assert reported == [(done, 4) for done in range(epochs + 1, 5)]
    assert list(path.parent.iterdir()) == []


SCHEDULED = {
    "constant": {},
    "MultiStepLR": {"milestones": [1, 2]},
    "CosineAnnealingWarmRestarts": {"T_0": 1},
    "CyclicLR": {"base_lr": 0.01},
}
FURTHER = {
    "average": {"ema_decay": 0.9},
    "mixed": {"mixup": 0.2, "cutmix": 1.0},
    "transformed": {"transforms": ("RandAugment", {"name": "RandomErasing", "value": "random"})},
    "warmed up": {"schedule": "CosineAnnealingLR", "warmup_epochs": 1.5, "optimizer": "NAdam", "learning_rate": 0.01},
    "all": {
        "schedule": "StepLR",
        "schedule_arguments": {"step_size": 1},
        "warmup_epochs": 1,
        "ema_decay": 0.8,
        "transforms": ("TrivialAugmentWide",),
        "cutmix": 1.0,
        "loss": "bce",
        "class_weights": "balanced",
    },
    **{name: {"schedule": name, "schedule_arguments": said} for name, said in SCHEDULED.items()},
}


@ON_CPU
@pytest.mark.parametrize("name", FURTHER)
def test_whatever_the_recipe_names_an_interrupted_training_comes_to_the_same_end_bit_by_bit(run, path, name):
    recipe = Recipe(**{"epochs": 3, "batch_size": 512, **FURTHER[name]})
    whole = run(checkpoint=None, recipe=recipe)
    assert_same_end(run(checkpoint=None, recipe=recipe), whole)
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2), recipe=recipe)
    assert path.exists()
    reported = []
    assert_same_end(run(lambda done, of: reported.append(done), recipe=recipe), whole)
    assert reported == [3]


@ON_CPU
def test_a_training_may_be_interrupted_again_and_again(run):
    whole = run(checkpoint=None)
    for epochs in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            run(stop_after(epochs))
    assert_same_end(run(), whole)


@ON_CPU
def test_an_interruption_within_an_epoch_costs_that_epoch_only(run, small_network):
    whole = run(checkpoint=None)
    network, passes = small_network(dropout=0.5), []

    def count(*_):
        passes.append(1)
        if len(passes) == 14:  # nine steps an epoch
            raise KeyboardInterrupt

    handle = network.register_forward_hook(count)
    with pytest.raises(KeyboardInterrupt):
        run(network=network)
    handle.remove()
    reported = []
    assert_same_end(run(lambda done, of: reported.append(done)), whole)
    assert reported == [2, 3, 4]


@ON_CPU
def test_variants_go_on_with_the_step_that_comes_next(run):
    def variants(steps):
        def one(step):
            steps.append(step)
            torch.rand(step % 3)
            return range(1 + step % 2)

        return one

    all_steps, first, rest = [], [], []
    whole = run(checkpoint=None, variants=variants(all_steps))
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2), variants=variants(first))
    assert_same_end(run(variants=variants(rest)), whole)
    assert all_steps == first + rest == list(range(4 * 9))


def test_time_before_an_interruption_counts(run, path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    state = torch.load(path, weights_only=True)
    state["callbacks"]["nas_attn.training"]["seconds"] += 1000
    torch.save(state, path)
    seconds = []
    monkeypatch.setattr(sys.modules[__name__], "outcome", lambda network, result: seconds.append(result.train_seconds))
    run()
    assert 1000 < seconds[0] < 1100


def test_nothing_is_kept_before_it_is_time_to(run, path, monkeypatch):
    monkeypatch.setattr(checkpoints, "KEEP_EVERY_SECONDS", 1000.0)
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(3))
    assert not path.exists()


def test_a_training_whose_kept_numbers_were_damaged_begins_anew(run, path, caplog):
    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)
    assert_same_end(run(), whole)
    assert "begins anew: its contents are not those that were written" in caplog.text


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def replace_by_another_file(path):
    torch.save({"weights": torch.zeros(3)}, path)


@ON_CPU
@pytest.mark.parametrize("damage", [truncate, empty, replace_by_another_file])
def test_a_damaged_file_is_not_trusted(run, path, caplog, damage):
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    damage(path)
    reported = []
    with caplog.at_level(logging.WARNING):
        assert_same_end(run(lambda done, of: reported.append(done)), run(checkpoint=None))
    assert reported == [1, 2, 3, 4]
    assert f"{path}: cannot be read, so training begins anew" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"recipe": RECIPE.model_copy(update={"learning_rate": 0.2})},
        {"recipe": RECIPE.model_copy(update={"epochs": 6})},
        {"recipe": RECIPE.model_copy(update={"ema_decay": 0.9})},
        {"recipe": RECIPE.model_copy(update={"loss": "bce"})},
        {"trainer": {"gradient_clip_val": 0.5}},
        {"network": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))},
    ],
)
def test_the_file_of_another_training_is_not_gone_on_with(run, caplog, path, other):
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    reported = []
    with caplog.at_level(logging.WARNING):
        run(lambda done, of: reported.append(done), **other)
    assert reported[0] == 1
    assert f"{path}: is of another training" in caplog.text


def test_the_same_shapes_with_other_initial_weights_are_another_training(run, caplog, small_network):
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    network, reported = small_network(dropout=0.5), []
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] += 1e-3
    run(lambda done, of: reported.append(done), network=network)
    assert reported[0] == 1


def test_a_full_disk_is_reported_and_what_was_kept_before_stays(run, path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(stop_after(2))
    kept = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"kept.ckpt: cannot be written: No space left on device$"):
            run()
    assert path.read_bytes() == kept
    assert list(path.parent.iterdir()) == [path]
    reported = []
    run(lambda done, of: reported.append(done))
    assert reported == [3, 4]


PROGRAM = """
import hashlib, os, resource, signal, sys
from pathlib import Path
import torch
from torch import nn
from nas_attn.settings import Digits, Recipe
from nas_attn.data import load_data
from nas_attn.training import checkpoint, train

checkpoint.KEEP_EVERY_SECONDS = 0.0
task = sys.argv[1]
if task == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))

def on_epoch(done, of):
    if task == "kill" and done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    print(done, flush=True)

recipe = Recipe(epochs=4, batch_size=64, crop_padding=1)
try:
    path = None if task == "whole" else Path("kept.ckpt")
    result = train(network, load_data(Digits(), Path.cwd()), recipe, 0, on_epoch, checkpoint=path)
except ValueError as error:
    sys.exit(str(error))
if path is not None:
    checkpoint.drop_checkpoint(path)
digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values()))
print(result.validation["accuracy"], result.validation["loss"], result.train_loss, digest.hexdigest())
"""


@pytest.fixture
def program(tmp_path):
    return lambda task: processes.program(PROGRAM, task, cwd=tmp_path)


@ON_CPU
def test_a_killed_process_goes_on_when_it_is_started_again(program, tmp_path):
    killed = program("kill")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "1\n")
    resumed, whole = program("resume"), program("whole")
    assert resumed.returncode == whole.returncode == 0, resumed.stderr
    assert whole.stdout.splitlines()[:4] == ["1", "2", "3", "4"]
    assert resumed.stdout.splitlines() == ["3", "4", whole.stdout.splitlines()[4]]
    assert list(tmp_path.iterdir()) == []
    assert resumed.stderr == whole.stderr == ""


def test_a_process_that_may_not_write_so_much_says_so(program, tmp_path):
    stopped = program("full")
    assert stopped.returncode == 1
    assert stopped.stderr == f"kept.ckpt: cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert list(tmp_path.iterdir()) == []
