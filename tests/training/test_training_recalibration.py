"""Statistics of batch normalisation, renewed by some training images and then put back."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas_attn.training import Normalise, recalibration
from nas_attn.training.recalibration import _drawn

CPU = torch.device("cpu")


def test_statistics_and_momentum_are_put_back_and_the_random_state_is_left_alone(digits, small_network):
    network = small_network(dropout=0.5).train()
    network[1].momentum = 0.3
    network(torch.randn(4, 1, 8, 8))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    with recalibration(network, digits, 64, 32, 0, CPU) as scored:
        assert scored() == scored()
        assert not torch.equal(network[1].running_mean, before["1.running_mean"])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert (network[1].momentum, network[5].momentum) == (0.3, 0.1)
    assert not any(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_statistics_are_put_back_when_a_network_fails(digits, small_network):
    network = small_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def fail(*_):
        raise RuntimeError("made to fail")

    def score_and_fail():
        with recalibration(network, digits, 64, 32, 0, CPU) as scored:
            scored()
            network[9].register_forward_pre_hook(fail)
            scored()

    with pytest.raises(RuntimeError, match="made to fail"):
        score_and_fail()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_more_images_than_there_are_is_all_of_them(digits, small_network):
    losses = []
    for images in (len(digits.train), 10**6):
        with recalibration(small_network(), digits, images, 2000, 0, CPU) as scored:
            losses.append(scored())
    one, other = losses
    assert one == other
    network = small_network().train()
    with torch.no_grad():
        loss = F.cross_entropy(network(Normalise(digits)(digits.train.images)), digits.train.labels)
    assert one.train_loss == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize(("images", "batch_size", "sizes"), [(5, 2, [3, 2]), (512, 512, [512]), (513, 512, [257, 256])])
def test_batches_are_nearly_of_one_size_and_none_has_one_image(digits, images, batch_size, sizes):
    batches = _drawn(digits.train, images, batch_size, 0)
    assert [len(labels) for _, labels in batches] == sizes
    rows = torch.cat(batches.rows)
    assert len(rows.unique()) == images
    assert not torch.equal(rows, torch.cat(_drawn(digits.train, images, batch_size, 1).rows))


def test_a_normalisation_without_statistics_stays_without(digits):
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(144, 10)
    )
    with recalibration(network, digits, 64, 32, 0, CPU) as scored:
        assert scored().validation["loss"] > 0
    assert network[1].running_mean is None
