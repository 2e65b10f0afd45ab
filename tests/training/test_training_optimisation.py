import math

import pytest
import torch
from torch import nn

from nas_attn.settings import Recipe
from nas_attn.training.optimisation import make_optimizer, parameter_groups


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def test_only_weights_of_two_or_more_dimensions_decay(network):
    decays, stays = parameter_groups(network, 0.1)
    assert decays["weight_decay"] == 0.1
    assert stays["weight_decay"] == 0.0
    assert [tuple(parameter.shape) for parameter in decays["params"]] == [(4, 1, 3, 3), (2, 16)]
    assert [tuple(parameter.shape) for parameter in stays["params"]] == [(4,), (4,), (4,), (2,)]


def test_what_is_frozen_is_in_no_group(network):
    network[0].requires_grad_(False)
    network[1].requires_grad_(False)
    network[3].bias.requires_grad_(False)
    (group,) = parameter_groups(network, 0.1)
    assert [parameter is network[3].weight for parameter in group["params"]] == [True]


def test_each_optimiser_takes_the_momentum_of_the_recipe_through_the_cycle(network):
    for momentum, nesterov in ((0.8, True), (0.0, False)):
        sgd, schedule = make_optimizer(network, Recipe(momentum=momentum), iterations=10)
        for _ in range(9):
            sgd.step()
            schedule.step()
        assert [(group["momentum"], group["nesterov"]) for group in sgd.param_groups] == [(momentum, nesterov)] * 2
    adamw, _ = make_optimizer(network, Recipe(optimizer="adamw", momentum=0.7), iterations=10)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["betas"] == (0.7, 0.999)


@pytest.mark.parametrize("iterations", [1, 2, 3, 4, 10, 100])
def test_the_rate_rises_to_that_of_the_recipe_and_falls_to_nearly_nothing(network, iterations):
    optimizer, schedule = make_optimizer(network, Recipe(learning_rate=0.5), iterations)
    rates = []
    for iteration in range(iterations):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if iteration < iterations - 1:
            schedule.step()
    assert all(0 < rate <= 0.5 * (1 + 1e-9) for rate in rates)
    assert math.isfinite(sum(rates))
    if iterations >= 10:
        assert max(rates) > 0.49
        assert rates[-1] < 1e-3
