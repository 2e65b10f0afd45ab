"""A training function of the user's own is called with a network, and gives what judges it."""

import pytest
import torch
from train_digits import DRAWN

from nas_attn.assembly import identity_started
from nas_attn.settings import Backbone, OwnFunction, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.tasks import FunctionTask, Training
from nas_attn.training import Diverged

SE = parse("stage1.block0.branch=se(reduction=4)")
RESNET = Backbone(name="resnet8")


def task_of(name="train", **said):
    monitor = {"recall": {"better": "max", "unit": "%"}}
    return FunctionTask(OwnFunction(function=f"train_digits:{name}", monitor=monitor, **said), (1, 8, 8), 10)


def trained(task, architecture, seed=0):
    network = task.build(architecture, RESNET, seed)
    return task.train(network, Training(Recipe(epochs=1), seed)), network


def test_it_trains_the_network_in_place_and_what_it_gives_judges():
    task = task_of(arguments={"rows": 100})
    score, network = trained(task, SE)
    assert 0.05 < score.validation["recall"] < 1
    assert set(score.validation) == {"recall"}
    pairs = zip(task.build(SE, RESNET, 0).parameters(), network.parameters(), strict=True)
    assert not any(torch.equal(before, after) for before, after in pairs)
    assert not network.training


def test_its_draws_derive_from_the_seed_and_what_is_outside_goes_on_as_it_was():
    DRAWN.clear()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    scores = [trained(task_of(), Architecture(), seed)[0].validation for seed in (0, 1, 0)]
    assert torch.equal(torch.rand(3), expected)
    assert DRAWN[0] == DRAWN[2] != DRAWN[1]
    assert scores[0] == scores[2]


def test_an_attention_that_starts_as_the_identity_trains_on_the_same_draws():
    DRAWN.clear()
    for architecture in (Architecture(), SE, identity_started(SE)):
        trained(task_of(), architecture)
    assert len(set(DRAWN)) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("words", r"train_digits:words: gives str; allowed: a mapping such as \{'map_50': 0.31\}"),
        ("narrow", r"task\.function: train_digits:narrow has to take \(network, seed, \*, epochs, device\)"),
        ("trains", "has no 'trains'; did you mean 'train'"),
    ],
)
def test_another_function_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        trained(task_of(name), Architecture())


def test_a_number_that_is_none_is_a_failed_training():
    with pytest.raises(Diverged, match="train_digits:diverging: recall became nan"):
        trained(task_of("diverging"), Architecture())
