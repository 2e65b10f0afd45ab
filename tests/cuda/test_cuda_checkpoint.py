"""A training on one device that was interrupted, and goes on."""

import json
import os
import subprocess
import sys

import pytest
import torch
from coloured import SEVERAL, network
from torch import nn

from nas_attn.settings import Recipe
from nas_attn.training import checkpoint, train

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
SGD = Recipe(epochs=4, batch_size=64, horizontal_flip=True, crop_padding=2)
ADAMW = SGD.model_copy(update={"optimizer": "adamw", "learning_rate": 0.01})
READ = """
import json, sys, torch
assert not torch.cuda.is_available()
kept = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
print(json.dumps({name: value.double().sum().item() for name, value in kept["state_dict"].items()}))
"""


@pytest.fixture(autouse=True)
def _kept_at_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "KEEP_EVERY_SECONDS", 0.0)


def stop_after_two(done, epochs):
    if done == 2:
        raise RuntimeError("made to stop")


def run(data, recipe, trainer, path=None, on_epoch=None):
    trained = nn.Sequential(network(SEVERAL), nn.Dropout(0.2))
    result = train(trained, data, recipe, 3, on_epoch, checkpoint=path, trainer=trainer)
    return dict(result.validation), result.train_loss, trained.state_dict()


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("recipe", [SGD, ADAMW], ids=["sgd", "adamw"])
def test_it_goes_on_to_the_end_that_it_would_have_come_to(data, exact, tmp_path, recipe, precision):
    path, asked, epochs = tmp_path / "kept.ckpt", {**exact, "precision": precision}, []
    whole = run(data, recipe, asked)
    with pytest.raises(RuntimeError, match="made to stop"):
        run(data, recipe, asked, path, stop_after_two)
    resumed = run(data, recipe, asked, path, lambda done, _: epochs.append(done))
    assert epochs == [3, 4]
    assert resumed[:2] == whole[:2]
    assert [name for name, value in whole[2].items() if not torch.equal(value, resumed[2][name])] == []


def test_what_is_kept_can_be_read_where_there_is_no_gpu(data, exact, tmp_path):
    path = tmp_path / "kept.ckpt"
    with pytest.raises(RuntimeError, match="made to stop"):
        run(data, SGD, exact, path, stop_after_two)
    here = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    process = subprocess.run(
        [sys.executable, "-c", READ, path],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == {name: value.double().sum().item() for name, value in here.items()}
