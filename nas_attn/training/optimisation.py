"""Optimiser and learning-rate schedule of a recipe."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, ExponentialLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR

from nas_attn.settings import Recipe, chosen
from nas_attn.space import InputError, reported

_ADAM_SECOND_BETA = 0.999
_FIRST_SHARE = 0.01
"""Of the learning rate, where a warm-up begins."""
_WHOLE = ("T_max", "total_iters", "total_steps")
"""Arguments of schedules that say how long they last."""
_LENGTHS = (*_WHOLE, "T_0", "step_size", "step_size_up", "step_size_down", "milestones")


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups with weight decay and without: biases, scales and all else of fewer than two dimensions."""
    decaying, others = list[nn.Parameter](), list[nn.Parameter]()
    for parameter in network.parameters():
        if parameter.requires_grad:
            (decaying if parameter.ndim >= 2 else others).append(parameter)
    groups = ((decaying, weight_decay), (others, 0.0))
    return [{"params": parameters, "weight_decay": decay} for parameters, decay in groups if parameters]


def make_optimizer(network: nn.Module, recipe: Recipe, iterations: int) -> tuple[Optimizer, LRScheduler]:
    """The recipe's optimiser, and its schedule, which takes a step after each of so many iterations.

    Lengths that the recipe says of a schedule are in epochs, counted from the end of a warm-up, and become iterations:
    `StepLR` and `MultiStepLR` change the rate at the ends of epochs. Without `T_max`, `total_iters` or `total_steps` a
    schedule that takes one lasts until the end of training. The gamma of `ExponentialLR` is of an epoch, and each of
    its iterations takes its share.

    Raises `InputError` where there is no such class, or it refuses its arguments.
    """
    optimizer = _optimizer(network, recipe)
    warmup = min(round(recipe.warmup_epochs * iterations / recipe.epochs), iterations - 1)
    if not warmup:
        return optimizer, _schedule(optimizer, recipe, iterations, iterations)
    rising = LinearLR(optimizer, _FIRST_SHARE, total_iters=warmup)
    falling = _schedule(optimizer, recipe, iterations, iterations - warmup)
    return optimizer, SequentialLR(optimizer, [rising, falling], [warmup])


def _optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    usual: dict[str, tuple[Any, dict[str, Any]]] = {
        "sgd": (SGD, {"momentum": recipe.momentum, "nesterov": recipe.momentum > 0}),
        "adamw": (AdamW, {"betas": (recipe.momentum, _ADAM_SECOND_BETA)}),
    }
    name = recipe.optimizer
    kind, arguments = usual[name] if name in usual else (chosen("recipe.optimizer", name, "torch.optim", Optimizer), {})
    if recipe.weight_decay and "weight_decay" not in inspect.signature(kind).parameters:
        raise InputError(f"recipe.weight_decay: found {recipe.weight_decay:g}, but {name} has none; say 0")
    groups = parameter_groups(network, recipe.weight_decay)
    with reported(f"recipe.optimizer: {name}"):
        made: Optimizer = kind(groups, lr=recipe.learning_rate, **{**arguments, **recipe.optimizer_arguments})
        return made


def _schedule(optimizer: Optimizer, recipe: Recipe, iterations: int, left: int) -> LRScheduler:
    """A schedule of the iterations that a warm-up has left.

    One cycle is of Smith and Topin, "Super-Convergence" (https://arxiv.org/abs/1708.07120), with constant momentum.
    """
    name, per_epoch = recipe.schedule, iterations / recipe.epochs
    if name == "constant":
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
    of_one_cycle = name == "one_cycle"
    kind = OneCycleLR if of_one_cycle else chosen("recipe.schedule", name, "torch.optim.lr_scheduler", LRScheduler)
    parameters = inspect.signature(kind).parameters
    filled: dict[str, Any] = dict.fromkeys(_WHOLE, left) | {"max_lr": recipe.learning_rate}
    arguments = {known: value for known, value in filled.items() if known in parameters}
    arguments |= {"cycle_momentum": False} if of_one_cycle else {}
    with reported(f"recipe.schedule: {name}"):
        arguments |= _in_iterations(recipe.schedule_arguments, per_epoch)
        if kind is ExponentialLR and "gamma" in arguments:
            arguments["gamma"] **= 1 / per_epoch
        made: LRScheduler = kind(optimizer, **arguments)
        return made


def _in_iterations(arguments: Mapping[str, Any], per_epoch: float) -> dict[str, Any]:
    """The same arguments, lengths in iterations instead of epochs."""

    def counted(epochs: Any) -> Any:
        return [*map(counted, epochs)] if isinstance(epochs, list) else max(1, round(epochs * per_epoch))

    return {name: counted(value) if name in _LENGTHS else value for name, value in arguments.items()}
