"""Averaged weights are those of torch, they are what is validated, and they stay in the network."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nas_attn.data import training_batches
from nas_attn.settings import Recipe
from nas_attn.training import score, train, training_device
from nas_attn.training.averaging import averaging
from nas_attn.training.optimisation import make_optimizer

RECIPE = Recipe(epochs=2, batch_size=256, ema_decay=0.9)
ON_CPU = pytest.mark.skipif(training_device().type != "cpu", reason="an accelerator may add in another order")


@ON_CPU
def test_a_loop_with_torchs_average_comes_to_the_same_weights_bit_by_bit(digits, small_network):
    trained, network = small_network(), small_network()
    result = train(trained, digits, RECIPE, seed=0)
    batches = [one for epoch in range(2) for one in training_batches(digits.train, RECIPE, 0, epoch)]
    optimizer, schedule = make_optimizer(network, RECIPE, len(batches))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    mean, std = 255 * torch.tensor(digits.mean), 255 * torch.tensor(digits.std)
    for number, (images, labels) in enumerate(batches, start=1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network((images - mean) / std), labels).backward()
        optimizer.step()
        if number < len(batches):
            schedule.step()
        averaged.update_parameters(network)
    found, expected = trained.state_dict(), averaged.module.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value.is_floating_point():
            assert torch.equal(found[name], value), name
        else:
            assert torch.equal(found[name], network.state_dict()[name]), name
    assert not torch.equal(found["0.weight"], network.state_dict()["0.weight"])
    assert score(trained, digits.validation, digits, 64) == pytest.approx(result.validation, rel=1e-5)


class Indexed(nn.Module):
    """A network with an index, a switch and a phase that never change."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.register_buffer("index", torch.randperm(64, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("switch", torch.tensor([True, False]))
        self.register_buffer("phase", torch.polar(torch.ones(3), torch.arange(3.0)))

    def forward(self, images):
        return self.layers(images.flatten(1)[:, self.index])


def test_an_index_stays_what_it_is(digits):
    network = Indexed()
    before = {name: value.clone() for name, value in network.named_buffers()}
    train(network, digits, Recipe(epochs=1, batch_size=64, ema_decay=0.999), seed=0)
    for name, value in network.named_buffers():
        torch.testing.assert_close(value, before[name], rtol=1e-6, atol=0)


def test_no_image_is_copied_for_it(digits):
    near = digits.near(torch.device("cpu"))
    assert copy.deepcopy(near) is near
    assert copy.deepcopy({"data": near})["data"].train.images.data_ptr() == near.train.images.data_ptr()


def test_without_a_decay_nothing_is_averaged():
    assert averaging(Recipe(), torch.device("cpu")) == []


def test_each_validation_is_of_the_average_and_training_goes_on_from_the_weights(digits, small_network, tmp_path):
    last, listened = small_network(), small_network()
    train(last, digits, RECIPE, seed=0)
    logger = {"class": "csv"}
    train(listened, digits, RECIPE, seed=0, trainer={"logger": logger, "default_root_dir": str(tmp_path)})
    for name, value in last.state_dict().items():
        torch.testing.assert_close(listened.state_dict()[name], value)
