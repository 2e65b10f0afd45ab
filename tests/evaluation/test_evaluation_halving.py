"""What is trained once for all networks and needs too much memory is trained with batches in halves, and says so."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_protocol import keeping

from nas_attn.assembly import load_space
from nas_attn.attention.simam import SimAM
from nas_attn.evaluation import PretrainedStore
from nas_attn.settings import Backbone, Recipe
from nas_attn.space import Architecture
from nas_attn.tasks import ImageTask, Training
from nas_attn.training import OutOfMemory

RECIPE = Recipe(epochs=2, batch_size=256)
SPACE = """
backbone = { name = "resnet8" }
image = [1, 8, 8]
classes = 10
[kinds.simam]
"""


@pytest.fixture
def store(tmp_path):
    return PretrainedStore(tmp_path / "trained", Backbone(name="resnet8"), keeping(tmp_path).task, {}, 0, said)


def said(*_):
    pass


@pytest.fixture
def tight(monkeypatch):
    """There is memory for batches in parts alone; of each training, in how many parts and from which checkpoint."""
    tried, usual = [], ImageTask.train

    def train(task, network, how):
        tried.append((how.parts, how.checkpoint.name))
        if how.parts == 1:
            for weight in network.parameters():
                weight.data.zero_()  # it was under way
            raise OutOfMemory("out of memory: 20 GiB")
        return usual(task, network, how)

    monkeypatch.setattr(ImageTask, "train", train)
    return tried


def test_a_base_that_is_too_large_is_trained_in_halves_from_where_it_began(store, tight, caplog):
    found = store.base(RECIPE)
    assert [parts for parts, _ in tight] == [1, 2]
    assert "the base: out of memory: 20 GiB; batches of 256 images need more memory than there is" in caplog.text
    assert "in 2 parts, whose gradients are added up" in caplog.text
    expected = store.task.build(Architecture(), store.backbone, 0)
    score = store.task.train(expected, Training(RECIPE, 0, {}, None, parts=2, checkpoint=Path("none")))
    assert found.validation == score.validation
    kept = load_file(found.path)
    assert all(torch.equal(kept[name], tensor) for name, tensor in expected.state_dict().items())
    assert [path.name for path in store.folder.iterdir()] == [found.path.name]


def test_a_base_that_was_stopped_in_halves_goes_on_in_halves(store, tight, monkeypatch):
    def stop(_what, done, _epochs):
        if done == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        replace(store, on_epoch=stop).base(RECIPE)
    done = []
    replace(store, on_epoch=lambda *said: done.append(said)).base(RECIPE)
    assert [parts for parts, _ in tight] == [1, 2, 2]
    assert tight[1] == tight[2]
    assert tight[1][1].endswith("-in2.ckpt")
    assert done[-1] == ("base", 2, 2)


def test_a_base_for_which_halves_are_too_large_too_is_reported(store, monkeypatch):
    def train(*_):
        raise OutOfMemory("out of memory: 20 GiB")

    monkeypatch.setattr(ImageTask, "train", train)
    with pytest.raises(OutOfMemory, match=r"out of memory: 20 GiB \(with each batch in 2 parts too\)"):
        store.base(RECIPE)


def test_a_supernet_learns_in_halves_with_an_attention_for_which_whole_batches_are_too_large(
    store, tmp_path, monkeypatch, caplog
):
    (tmp_path / "space.toml").write_text(SPACE)
    _, space = load_space(tmp_path / "space.toml")
    learnt, usual = [], SimAM.forward

    def forward(attention, x):
        if attention.training and len(x) > 150:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        learnt.append(attention.training)
        return usual(attention, x)

    monkeypatch.setattr(SimAM, "forward", forward)
    _, found = store.supernet(space, RECIPE, lambda _: True, {}, [])
    assert "the supernet learns without" not in caplog.text
    assert "the supernet: out of memory: CUDA out of memory" in caplog.text
    assert sum(learnt) > 10
    assert 0.1 < found.validation["accuracy"] <= 1
