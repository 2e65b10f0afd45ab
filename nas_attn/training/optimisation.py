"""Optimiser and learning-rate schedule of a recipe."""

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from nas_attn.settings import Recipe

_ADAM_SECOND_BETA = 0.999


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups with weight decay and without: biases, scales and all else of fewer than two dimensions."""
    decaying, others = list[nn.Parameter](), list[nn.Parameter]()
    for parameter in network.parameters():
        if parameter.requires_grad:
            (decaying if parameter.ndim >= 2 else others).append(parameter)
    groups = ((decaying, weight_decay), (others, 0.0))
    return [{"params": parameters, "weight_decay": decay} for parameters, decay in groups if parameters]


def make_optimizer(network: nn.Module, recipe: Recipe, iterations: int) -> tuple[Optimizer, OneCycleLR]:
    """The recipe's optimiser, and one cycle of the learning rate, which ends near 0 after `iterations`.

    Smith and Topin, "Super-Convergence" (https://arxiv.org/abs/1708.07120), but with constant momentum.
    """
    groups = parameter_groups(network, recipe.weight_decay)
    optimizer: Optimizer
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        optimizer = SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov)
    else:
        optimizer = AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, _ADAM_SECOND_BETA))
    return optimizer, OneCycleLR(optimizer, recipe.learning_rate, total_steps=iterations, cycle_momentum=False)
