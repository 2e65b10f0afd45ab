import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as lrs

from nas_attn.data import training_batches
from nas_attn.settings import Recipe
from nas_attn.space import InputError
from nas_attn.training import train, training_device
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


def rates(network, recipe, iterations):
    """The rate of each iteration."""
    optimizer, schedule = make_optimizer(network, recipe, iterations)
    found = []
    for _ in range(iterations):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(found) < iterations else None
    return found


def stepped(make, rate, iterations, every=1):
    """The rates of a schedule of torch that takes a step after so many iterations."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)
    schedule, found = make(optimizer), []
    for iteration in range(1, iterations + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if iteration % every == 0:
            schedule.step()
    return found


EPOCHS, PER_EPOCH = 6, 5
ALL = EPOCHS * PER_EPOCH
SCHEDULES = {
    "cosine": ("CosineAnnealingLR", {}, lambda on: lrs.CosineAnnealingLR(on, ALL), 1),
    "shorter cosine": ("CosineAnnealingLR", {"T_max": 3}, lambda on: lrs.CosineAnnealingLR(on, 15), 1),
    "linear": (
        "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.1},
        lambda on: lrs.LinearLR(on, 1.0, 0.1, total_iters=ALL),
        1,
    ),
    "polynomial": ("PolynomialLR", {"power": 0.9}, lambda on: lrs.PolynomialLR(on, ALL, 0.9), 1),
    "steps": ("StepLR", {"step_size": 2}, lambda on: lrs.StepLR(on, 2), PER_EPOCH),
    "milestones": ("MultiStepLR", {"milestones": [2, 5]}, lambda on: lrs.MultiStepLR(on, [2, 5]), PER_EPOCH),
    "restarts": (
        "CosineAnnealingWarmRestarts",
        {"T_0": 2, "T_mult": 2},
        lambda on: lrs.CosineAnnealingWarmRestarts(on, 10, 2),
        1,
    ),
    "own": ("torch.optim.lr_scheduler:PolynomialLR", {}, lambda on: lrs.PolynomialLR(on, ALL), 1),
    "constant": ("constant", {}, lambda on: lrs.LambdaLR(on, lambda _: 1.0), 1),
    "one cycle": (
        "one_cycle",
        {"pct_start": 0.2},
        lambda on: lrs.OneCycleLR(on, 0.3, total_steps=ALL + 1, pct_start=0.2, cycle_momentum=False),
        1,
    ),
}


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one cycle"])
def test_a_schedule_is_that_of_torch_with_lengths_in_epochs(network, name):
    schedule, arguments, make, every = SCHEDULES[name]
    recipe = Recipe(epochs=EPOCHS, learning_rate=0.3, schedule=schedule, schedule_arguments=arguments)
    assert rates(network, recipe, ALL) == stepped(make, 0.3, ALL, every)


def test_one_cycle_takes_its_arguments(network):
    recipe = Recipe(epochs=EPOCHS, learning_rate=0.3, schedule_arguments={"pct_start": 0.5})
    assert max(range(ALL), key=rates(network, recipe, ALL).__getitem__) == ALL // 2 - 1
    named = recipe.model_copy(update={"schedule": "OneCycleLR"})
    assert rates(network, named, ALL) == rates(network, recipe, ALL)


def test_exponential_decay_is_by_the_epoch_and_even_within_it(network):
    recipe = Recipe(epochs=EPOCHS, schedule="ExponentialLR", schedule_arguments={"gamma": 0.5})
    found = rates(network, recipe, ALL)
    assert found[::PER_EPOCH] == pytest.approx([0.1 * 0.5**epoch for epoch in range(EPOCHS)])
    assert found[1] / found[0] == pytest.approx(found[PER_EPOCH] / found[PER_EPOCH - 1])


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ("one cycle", "own")])
def test_a_warm_up_rises_from_a_hundredth_and_the_schedule_follows_it(network, name):
    schedule, arguments, *_ = SCHEDULES[name]
    left = ALL - 2 * PER_EPOCH
    recipe = Recipe(epochs=EPOCHS, learning_rate=0.3, schedule=schedule, schedule_arguments=arguments, warmup_epochs=2)
    found = rates(network, recipe, ALL)
    rising = [0.3 * (0.01 + 0.99 * number / (2 * PER_EPOCH)) for number in range(2 * PER_EPOCH)]
    assert found[: 2 * PER_EPOCH] == pytest.approx(rising)
    alone = recipe.model_copy(update={"warmup_epochs": 0.0, "epochs": EPOCHS - 2})
    assert found[2 * PER_EPOCH :] == pytest.approx(rates(network, alone, left))


def test_a_warm_up_leaves_an_iteration_to_the_schedule_however_few_there_are(network):
    for iterations in (1, 2, 3):
        recipe = Recipe(epochs=3, schedule="CosineAnnealingLR", warmup_epochs=2.9)
        assert len(rates(network, recipe, iterations)) == iterations


OPTIMISERS = {
    "RMSprop": {"momentum": 0.9, "alpha": 0.95},
    "Adam": {"eps": 1e-6, "amsgrad": True},
    "NAdam": {},
    "Adafactor": {},
    "SGD": {"momentum": 0.5},
    "torch.optim:Adagrad": {},
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_of_torch_gets_groups_rate_and_arguments(network, name):
    recipe = Recipe(optimizer=name, optimizer_arguments=OPTIMISERS[name], weight_decay=0.02)
    optimizer, _ = make_optimizer(network, recipe.model_copy(update={"schedule": "constant"}), 10)
    assert type(optimizer).__name__ == name.rpartition(":")[2]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.02, 0.0]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]
    for argument, value in OPTIMISERS[name].items():
        assert optimizer.param_groups[0][argument] == value


def test_arguments_of_the_usual_optimisers_win(network):
    recipe = Recipe(optimizer_arguments={"nesterov": False, "momentum": 0.3}, momentum=0.8)
    optimizer, _ = make_optimizer(network, recipe, 10)
    assert (optimizer.param_groups[0]["nesterov"], optimizer.param_groups[0]["momentum"]) == (False, 0.3)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            {"optimizer": "RMSprob"},
            r"recipe.optimizer: torch.optim has no 'RMSprob'; did you mean 'RMSprop'\?",
        ),
        ({"optimizer": "StepLR"}, r"recipe.optimizer: torch.optim has no 'StepLR'"),
        ({"optimizer": "Adam", "optimizer_arguments": {"beta": 1}}, "recipe.optimizer: Adam: TypeError: .*'beta'"),
        ({"optimizer": "Adam", "optimizer_arguments": {"eps": -1}}, "recipe.optimizer: Adam: ValueError: Invalid eps"),
        ({"optimizer": "Rprop"}, "recipe.weight_decay: found 0.0005, but Rprop has none; say 0"),
        (
            {"optimizer": "Muon"},
            "recipe.optimizer: (Muon: ValueError: Muon only supports 2D|torch.optim has no 'Muon')",
        ),
        ({"optimizer": "LBFGS", "weight_decay": 0}, "recipe.optimizer: LBFGS: ValueError: LBFGS doesn't support"),
        ({"schedule": "CosineLR"}, r"recipe.schedule: torch.optim.lr_scheduler has no 'CosineLR'"),
        ({"schedule": "StepLR"}, "recipe.schedule: StepLR: TypeError: .*missing .*'step_size'"),
        ({"schedule": "StepLR", "schedule_arguments": {"step_size": "a"}}, "recipe.schedule: StepLR: TypeError"),
        ({"schedule": "LambdaLR"}, "recipe.schedule: LambdaLR: TypeError: .*missing .*'lr_lambda'"),
    ],
)
def test_what_torch_has_not_or_refuses_is_an_input_error(network, said, fault):
    with pytest.raises(InputError, match=f"^{fault}"):
        make_optimizer(network, Recipe(**said), 10)


PLAIN = [
    (
        {"optimizer": "RMSprop", "optimizer_arguments": {"alpha": 0.9}, "schedule": "CosineAnnealingLR"},
        lambda groups: torch.optim.RMSprop(groups, lr=0.01, alpha=0.9),
        lambda on, batches: lrs.CosineAnnealingLR(on, 2 * batches),
        nn.CrossEntropyLoss(),
    ),
    (
        {"optimizer": "Adam", "schedule": "constant", "loss": "bce"},
        lambda groups: torch.optim.Adam(groups, lr=0.01),
        lambda on, batches: lrs.LambdaLR(on, lambda _: 1.0),
        lambda logits, labels: nn.BCEWithLogitsLoss()(logits, nn.functional.one_hot(labels, 10).float()),
    ),
    (
        {
            "schedule": "StepLR",
            "schedule_arguments": {"step_size": 1, "gamma": 0.5},
            "momentum": 0.0,
            "class_weights": tuple(range(1, 11)),
        },
        lambda groups: torch.optim.SGD(groups, lr=0.01),
        lambda on, batches: lrs.StepLR(on, batches, 0.5),
        nn.CrossEntropyLoss(torch.arange(1.0, 11)),
    ),
]


@pytest.mark.skipif(training_device().type != "cpu", reason="an accelerator may add in another order")
@pytest.mark.parametrize(("said", "optimised", "scheduled", "loss"), PLAIN)
def test_a_loop_written_plainly_comes_to_the_same_weights_bit_by_bit(
    digits, small_network, said, optimised, scheduled, loss
):
    recipe, trained, network = (
        Recipe(epochs=2, batch_size=256, learning_rate=0.01, **said),
        *(small_network() for _ in range(2)),
    )
    train(trained, digits, recipe, seed=0)
    batches = [list(training_batches(digits.train, recipe, 0, epoch)) for epoch in range(2)]
    weights = [one for one in network.parameters() if one.ndim > 1]
    others = [one for one in network.parameters() if one.ndim == 1]
    optimizer = optimised([{"params": weights, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}])
    schedule = scheduled(optimizer, len(batches[0]))
    mean, std = 255 * torch.tensor(digits.mean), 255 * torch.tensor(digits.std)
    for images, labels in batches[0] + batches[1]:
        optimizer.zero_grad()
        loss(network((images - mean) / std), labels).backward()
        optimizer.step()
        schedule.step()
    found = trained.state_dict()
    assert all(torch.equal(found[name], one) for name, one in network.state_dict().items())
