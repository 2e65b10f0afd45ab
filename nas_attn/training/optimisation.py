"""How weights move: the optimiser of a recipe, and its one cycle of the learning rate."""

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from nas_attn.settings import Recipe

_ADAM_SECOND_BETA = 0.999


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """What decays, and what does not: biases, scales and whatever else has fewer than two dimensions."""
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in learnt if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in learnt if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def make_optimizer(network: nn.Module, recipe: Recipe, steps: int) -> tuple[Optimizer, OneCycleLR]:
    """The recipe's optimiser, and a learning rate that rises to the recipe's and falls to nearly 0 within `steps`.

    The rate is of Smith and Topin, "Super-Convergence" (https://arxiv.org/abs/1708.07120); momentum stays.
    """
    groups = parameter_groups(network, recipe.weight_decay)
    optimizer: Optimizer
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        optimizer = SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov)
    else:
        optimizer = AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, _ADAM_SECOND_BETA))
    return optimizer, OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, cycle_momentum=False)
