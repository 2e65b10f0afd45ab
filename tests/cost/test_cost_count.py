import logging
import warnings

import pytest
import torch
from fvcore.nn.jit_handles import elementwise_flop_counter
from torch import nn

from nas_attn.cost import Cost, UncountedOperator, count
from nas_attn.space import InputError


class Inverse(nn.Module):
    def forward(self, images):
        return torch.i0(images.erfinv()).erfinv()


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images):
        return images * images.sigmoid()


class HandMade(nn.Module):
    def forward(self, images):
        return Swish.apply(images)


class Mixed(nn.Module):
    """Shared weights, a buffer, a tensor that is neither, and constants."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.again = nn.Conv2d(3, 3, 1, bias=False)
        self.again.weight = self.conv.weight
        self.norm = nn.BatchNorm2d(3)
        self.offset = torch.ones(3, 1, 1)

    def forward(self, images):
        features = self.again(self.conv(images)) + self.offset
        return self.norm(features * torch.linspace(0, 1, images.shape[-1]) * torch.tensor(2.0))


def test_an_operator_without_a_rule_is_named():
    with pytest.raises(UncountedOperator, match=r"aten::erfinv, aten::i0 costs; .*rules=\{'aten::erfinv'"):
        count(Inverse(), (1, 4, 4))
    assert issubclass(UncountedOperator, InputError)


def test_a_rule_makes_an_operator_count():
    each = elementwise_flop_counter(0, 1)
    cost = count(Inverse(), (1, 4, 4), rules={"aten::erfinv": each, "aten::i0": lambda inputs, outputs: 1000})
    assert cost == Cost(params=0, macs=0, flops=2 * 16 + 1000)


def test_a_rule_overrides_what_is_known():
    network = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    assert count(network, (1, 4, 4), rules={"aten::relu": lambda *_: 1, "aten::linear": lambda *_: 7}).flops == 8


def test_an_autograd_function_is_one_operator_that_needs_a_rule():
    with pytest.raises(UncountedOperator, match=r"prim::PythonOp\.Swish"):
        count(HandMade(), (1, 4, 4))
    assert count(HandMade(), (1, 4, 4), rules={"prim::PythonOp.Swish": lambda *_: 48}).flops == 48


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_scripted_function_is_not_passed_over():
    class Scripted(nn.Module):
        def forward(self, images):
            return function(images)

    @torch.jit.script
    def function(images: torch.Tensor):
        return images.relu() if images.size(0) > 0 else images

    with pytest.raises(UncountedOperator, match="prim::CallFunction"):
        count(Scripted(), (1, 4, 4))


def test_shared_parameters_count_once_and_their_work_twice():
    cost = count(Mixed(), (3, 4, 5))
    assert cost.params == 9 + 6
    assert cost.macs == 2 * 20 * 9
    assert cost.flops == 2 * cost.macs + 4 * 60


def test_parameters_that_do_not_learn_count_alike():
    network = Mixed()
    cost = count(network, (3, 4, 5))
    assert count(network.requires_grad_(False), (3, 4, 5)) == cost


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_count_does_not_depend_on_the_mode_around_it(around):
    expected = count(Mixed(), (3, 4, 5))
    with around():
        assert count(Mixed(), (3, 4, 5)) == expected


def test_the_network_stays_as_it_is():
    network = Mixed().train()
    network.conv.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    count(network, (3, 4, 5))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert network.offset.device == network.conv.weight.device == torch.device("cpu")
    assert network.again.weight is network.conv.weight
    assert network.conv.weight.requires_grad
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_network_on_the_meta_device_costs_the_same():
    def make():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    with torch.device("meta"):
        network = make()
    assert count(network, (3, 4, 5)) == count(make(), (3, 4, 5))


def test_counting_says_nothing(caplog):
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        count(Mixed(), (3, 4, 5))
    assert caplog.records == told == []


class Looking(nn.Module):
    """Adds biases that are looked up by stored positions, as some networks do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("positions", torch.tensor([3, 0, 2]))
        self.biases = nn.Parameter(torch.zeros(4))

    def forward(self, images):
        return images + self.biases[self.positions]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_positions_that_are_stored_need_not_be_filled_in(device):
    # the storage of a copy without values is whatever lay there: make it lie out of bounds
    held = [torch.full((3,), 2**40) for _ in range(64)]
    del held
    assert count(Looking().to(device), (3, 4, 3)) == Cost(params=4, macs=0, flops=3 * 4 * 3)
