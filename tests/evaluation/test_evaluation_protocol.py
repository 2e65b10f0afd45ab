"""What a step does to an architecture: how its network begins, and what is kept of it."""

from dataclasses import replace

import pytest
import torch

from nas_attn.data import load_data
from nas_attn.evaluation import TrainingProtocol, read_weights, weights_file
from nas_attn.evaluation.protocol import write_weights
from nas_attn.results import evaluation
from nas_attn.settings import Backbone, Digits, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.tasks import ImageTask
from nas_attn.training import train

SE = parse("stage2.block0.branch=se(reduction=4)")


@pytest.fixture
def protocol(tmp_path):
    recipe = Recipe(epochs=1, batch_size=256)
    data = load_data(Digits(), tmp_path)
    return TrainingProtocol(Backbone(name="resnet8"), ImageTask(data), recipe, "scratch", keeps=tmp_path / "weights")


def row(architecture, seed=3):
    return evaluation(key=architecture.key, architecture=str(architecture), params=1, macs=1, flops=1, seed=seed)


def equal(first, second):
    return all(torch.equal(first.state_dict()[name], tensor) for name, tensor in second.state_dict().items())


def test_the_weights_that_are_kept_are_the_trained_ones(protocol):
    network = protocol.build(SE, 3)
    train(network, protocol.task.data, protocol.recipe, 3)
    protocol.train(row(SE))
    assert equal(read_weights(protocol.build(SE, 3), weights_file(protocol.keeps, SE.key, 3)), network)


def test_weights_are_kept_for_each_seed(protocol):
    protocol.train(row(SE, 0))
    protocol.train(row(SE, 1))
    assert len(list(protocol.keeps.iterdir())) == 2


def test_weights_of_another_network_are_refused(protocol):
    protocol.train(row(SE))
    with pytest.raises(InputError, match="holds no weights of this network"):
        read_weights(protocol.build(Architecture(), 3), weights_file(protocol.keeps, SE.key, 3))


def test_networks_of_a_seed_begin_with_the_same_backbone(protocol):
    plain, attended = protocol.build(Architecture(), 1), protocol.build(SE, 1)
    shared = plain.state_dict()
    assert all(torch.equal(attended.state_dict()[name], tensor) for name, tensor in shared.items())
    assert not equal(protocol.build(Architecture(), 2), plain)


def test_a_network_that_inherits_begins_as_what_was_trained_whatever_its_seed(protocol, tmp_path):
    base = protocol.build(Architecture(), 0)
    write_weights(base, tmp_path / "base.safetensors")
    backbone = Backbone(name="resnet8", weights=str(tmp_path / "base.safetensors"))
    inheriting = replace(protocol, backbone=backbone, start="inherit")
    images = torch.randn(4, 1, 8, 8)
    for seed in (0, 1):
        assert inheriting.build(SE, seed).eval()(images).equal(base.eval()(images))


def test_a_network_that_inherits_all_has_all(protocol):
    trained = replace(protocol, start="inherit", backbone=Backbone(name="resnet8")).build(SE, 5)
    inheriting = replace(protocol, start="inherit", inherited=lambda _: trained.state_dict())
    assert equal(inheriting.build(SE, 0), trained)


def test_a_training_that_fails_says_why(protocol):
    wild = replace(protocol, recipe=Recipe(epochs=1, batch_size=256, learning_rate=1e30))
    failed = wild.train(row(SE))
    assert failed.state == "failed"
    assert "loss became" in failed.reason
    assert not protocol.keeps.exists()
