"""FLOPs against counts by hand."""

import pytest
import torch
import torch.nn.functional as F
from applied import Function
from fvcore.nn.flop_count import _DEFAULT_SUPPORTED_OPS
from fvcore.nn.jit_analysis import _IGNORED_OPS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_attn.cost import Cost, count
from nas_attn.cost.operators import FREE, RULES
from nas_attn.cost.products import PRODUCTS

CHANNELS, HEIGHT, WIDTH = 4, 6, 8
PIXELS = HEIGHT * WIDTH
ELEMENTS = CHANNELS * PIXELS


def elements(function):
    cost = count(Function(function), (CHANNELS, HEIGHT, WIDTH))
    assert cost.macs == 0
    return cost.flops


ONE_FOR_EACH_ELEMENT_THAT_COMES_OUT = {
    "relu": (F.relu, ELEMENTS),
    "relu in place": (lambda x: F.relu(x.clone(), inplace=True), ELEMENTS),
    "relu6": (F.relu6, ELEMENTS),
    "hardswish": (F.hardswish, ELEMENTS),
    "hardtanh in place": (lambda x: F.hardtanh(x.clone(), inplace=True), ELEMENTS),
    "gelu": (F.gelu, ELEMENTS),
    "silu": (F.silu, ELEMENTS),
    "softmax": (lambda x: x.softmax(1), ELEMENTS),
    "clamp": (lambda x: x.clamp(min=0), ELEMENTS),
    "broadcast product": (lambda x: x[:, :1] * x, ELEMENTS),
    "outwards broadcast sum": (lambda x: x[:, :, :, :1] + x[:, :, :1], ELEMENTS),
    "larger of two": (lambda x: torch.max(x, x[:, :1]), ELEMENTS),
    "addition in place to a part": (lambda x: x.clone()[:, :2].add_(1), 2 * PIXELS),
    "comparison and choice": (lambda x: torch.where(x > 0, x, 0), 2 * ELEMENTS),
    "glu": (lambda x: F.glu(x, 1), ELEMENTS // 2),
    "layer norm": (lambda x: F.layer_norm(x, x.shape[1:]), ELEMENTS),
    "group norm": (lambda x: F.group_norm(x, 2), ELEMENTS),
    "instance norm": (F.instance_norm, ELEMENTS),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), 4 * ELEMENTS),
    "bilinear": (lambda x: F.interpolate(x, size=(3, 4), mode="bilinear"), ELEMENTS // 4),
    "softsign": (F.softsign, 3 * ELEMENTS),
}
ONE_FOR_EACH_ELEMENT_THAT_GOES_IN = {
    "mean": (lambda x: x.mean((2, 3)), ELEMENTS),
    "sum": (lambda x: x.sum(), ELEMENTS),
    "amax": (lambda x: x.amax(1, keepdim=True), ELEMENTS),
    "max": (lambda x: x.max(), ELEMENTS),
    "max over channels": (lambda x: x.max(1)[0], ELEMENTS),
    "deviation": (lambda x: x.std((2, 3)), ELEMENTS),
    "norm": (lambda x: x.norm(dim=1), ELEMENTS),
    "average pooling": (lambda x: F.avg_pool2d(x, 3, 1, 1), ELEMENTS),
    "maximum pooling": (lambda x: F.max_pool2d(x, 2), ELEMENTS),
    "global average pooling": (lambda x: F.adaptive_avg_pool2d(x, 1), ELEMENTS),
    "global maximum pooling": (lambda x: F.adaptive_max_pool2d(x, 1), ELEMENTS),
    "largest three": (lambda x: x.topk(3, dim=1)[0], ELEMENTS),
}
NOTHING = {
    "reshape": lambda x: x.reshape(x.size(0), -1, max(x.shape[2], 2)),
    "view by sizes": lambda x: x.view(x.shape[0], x.shape[1] // 2, 2, x.shape[2] * x.shape[3]),
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "flatten and unflatten": lambda x: x.flatten(2).unflatten(1, (2, 2)),
    "cat": lambda x: torch.cat((x, x), 1),
    "stack": lambda x: torch.stack((x, x)),
    "split": lambda x: x.chunk(2, 1)[1],
    "slice": lambda x: x[:, :, ::2, ::2],
    "index": lambda x: x[:, [0, 2]],
    "pad": lambda x: F.pad(x, (1, 1)),
    "reflection": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "expand": lambda x: x[:, :1].expand_as(x),
    "repeat": lambda x: x.repeat(1, 2, 1, 1),
    "roll": lambda x: x.roll(1, 2),
    "flip": lambda x: x.flip(3),
    "shuffle of pixels": lambda x: F.pixel_shuffle(x, 2),
    "shuffle of channels": lambda x: F.channel_shuffle(x, 2),
    "patches": lambda x: F.unfold(x, 3, padding=1),
    "clone": lambda x: x.clone(),
    "constant": lambda x: torch.cat((torch.arange(WIDTH), torch.zeros(3), torch.full((2,), 3.0))),
    "conversion": lambda x: x.double().to(torch.float32),
    "assignment": lambda x: x.clone().index_fill_(1, torch.tensor([0]), 0.0),
    "dropout": lambda x: F.dropout(x, 0.5, training=False),
    "dropout of channels": lambda x: F.dropout2d(x, 0.5, training=False),
    "nothing": lambda x: x,
}
COSTS = ONE_FOR_EACH_ELEMENT_THAT_COMES_OUT | ONE_FOR_EACH_ELEMENT_THAT_GOES_IN


@pytest.mark.parametrize("name", COSTS)
def test_an_operator_costs_its_elements(name):
    function, expected = COSTS[name]
    assert elements(function) == expected


@pytest.mark.parametrize("name", NOTHING)
def test_moving_and_shaping_data_costs_nothing(name):
    assert elements(NOTHING[name]) == 0


def test_computing_with_sizes_costs_nothing():
    assert elements(lambda x: x * (x.shape[1] // 2) ** -0.5) == ELEMENTS
    assert elements(lambda x: x / x.numel()) == ELEMENTS


BY_SIZES = {
    "a pooling": (lambda x: F.avg_pool2d(x, x.size(3)), lambda x: F.avg_pool2d(x, 8)),
    "an adaptive pooling": (lambda x: F.adaptive_avg_pool2d(x, x.shape[-1]), lambda x: F.adaptive_avg_pool2d(x, 8)),
    "patches": (lambda x: F.unfold(x, x.shape[-1] // 2), lambda x: F.unfold(x, 4)),
    "a roll": (lambda x: x.roll(x.shape[2] // 2, 2) + 1, lambda x: x.roll(4, 2) + 1),
    "a mean by hand": (lambda x: x.sum((2, 3)) / (x.numel() // 4), lambda x: x.sum((2, 3)) / 64),
    "all sizes": (lambda x: F.layer_norm(x, x.shape[1:]), lambda x: F.layer_norm(x, (4, 8, 8))),
}


@pytest.mark.parametrize("name", BY_SIZES)
def test_an_argument_that_is_computed_from_sizes_costs_what_its_number_costs(name):
    by_sizes, by_numbers = BY_SIZES[name]
    assert torch.equal(by_sizes(torch.ones(1, 4, 8, 8)), by_numbers(torch.ones(1, 4, 8, 8)))
    assert count(Function(by_sizes), (4, 8, 8)) == count(Function(by_numbers), (4, 8, 8))


def test_dropout_that_is_told_to_train_costs_its_elements():
    assert elements(lambda x: F.dropout(x, 0.5)) == ELEMENTS


def test_batch_normalisation_costs_one_for_each_element_with_and_without_statistics():
    assert count(nn.BatchNorm2d(4), (4, 6, 8)).flops == ELEMENTS
    assert count(nn.BatchNorm2d(4, track_running_stats=False), (4, 6, 8)).flops == ELEMENTS


def test_nothing_that_fvcore_ignores_or_counts_in_its_own_way_is_left_to_it():
    theirs = _IGNORED_OPS | set(_DEFAULT_SUPPORTED_OPS)
    assert theirs - FREE - set(RULES) - set(PRODUCTS) == set()


def test_no_operator_stands_in_two_tables():
    assert FREE & set(RULES) == FREE & set(PRODUCTS) == set(PRODUCTS) & set(RULES) == set()


class Excitation(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.squeeze, self.excite = nn.Linear(channels, width), nn.Linear(width, channels)

    def forward(self, x):
        weights = self.excite(F.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * weights[:, :, None, None]


def test_squeeze_and_excitation_costs_what_a_hand_counts():
    cost = count(Excitation(4, 2), (CHANNELS, HEIGHT, WIDTH))
    macs = 4 * 2 + 2 * 4
    mean, relu, sigmoid, weighing = ELEMENTS, 2, 4, ELEMENTS
    assert cost == Cost(params=4 * 2 + 2 + 2 * 4 + 4, macs=macs, flops=2 * macs + mean + relu + sigmoid + weighing)


class ChannelsAndPositions(nn.Module):
    """As CBAM is made, with pooling layers."""

    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(4, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 4, 1, bias=False))
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x):
        x = x * (self.mlp(F.adaptive_avg_pool2d(x, 1)) + self.mlp(F.adaptive_max_pool2d(x, 1))).sigmoid()
        planes = torch.cat((x.max(1, keepdim=True)[0], x.mean(1, keepdim=True)), 1)
        return x * self.conv(planes).sigmoid()


def test_attention_over_channels_and_positions_costs_what_a_hand_counts():
    cost = count(ChannelsAndPositions(), (CHANNELS, HEIGHT, WIDTH))
    macs = 2 * (4 * 2 + 2 * 4) + PIXELS * 2 * 49
    channels = 2 * ELEMENTS + 2 * 2 + 4 + 4 + ELEMENTS
    positions = 2 * ELEMENTS + PIXELS + ELEMENTS
    assert cost == Cost(params=4 * 2 + 2 * 4 + 2 * 49, macs=macs, flops=2 * macs + channels + positions)


class AllPositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2d(4, 2, 1) for _ in range(3))
        self.expand = nn.Conv2d(2, 4, 1)

    def forward(self, x):
        batch, _, height, width = x.shape
        theta, phi, g = (conv(x).view(batch, 2, height * width) for conv in (self.theta, self.phi, self.g))
        gathered = (theta.transpose(1, 2) @ phi).softmax(-1) @ g.transpose(1, 2)
        return x + self.expand(gathered.transpose(1, 2).reshape(batch, 2, height, width))


def test_attention_among_all_positions_costs_what_a_hand_counts():
    cost = count(AllPositions(), (CHANNELS, HEIGHT, WIDTH))
    macs = 4 * PIXELS * 4 * 2 + 2 * PIXELS * PIXELS * 2
    assert cost == Cost(params=3 * (4 * 2 + 2) + 2 * 4 + 4, macs=macs, flops=2 * macs + PIXELS**2 + ELEMENTS)


class SmallResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv1, self.norm1 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.shortcut = nn.Conv2d(8, 16, 1, stride=2, bias=False)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        branch = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return self.head(F.relu(branch + self.shortcut(x)).mean((2, 3)))


def test_a_residual_network_costs_what_a_hand_counts():
    cost = count(SmallResNet(), (3, 32, 32))
    macs = 1024 * 8 * 27 + 256 * 16 * 72 + 256 * 16 * 144 + 256 * 16 * 8 + 160
    stem, block = 2 * 1024 * 8, 256 * 16
    others = stem + 2 * block + block + block + block + block
    assert cost.params == 216 + 16 + 1152 + 32 + 2304 + 32 + 128 + 170
    assert cost.macs == macs
    assert cost.flops == 2 * macs + others


LAYERS = [
    lambda: nn.Conv2d(4, 4, 3, padding=1),
    lambda: nn.Conv2d(4, 4, 3, padding="same", groups=2),
    lambda: nn.ConvTranspose2d(4, 4, 3, padding=1),
    lambda: nn.BatchNorm2d(4),
    lambda: nn.ReLU(),
    lambda: nn.Hardswish(),
    lambda: nn.Softmax(1),
    lambda: nn.MaxPool2d(3, 1, 1),
    lambda: nn.Dropout(0.5),
    lambda: nn.Linear(8, 8),
    lambda: Excitation(4, 2),
    lambda: AllPositions(),
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=5))
def test_a_network_costs_the_sum_of_its_layers(makers):
    layers = [make() for make in makers]
    costs = [count(layer, (CHANNELS, HEIGHT, WIDTH)) for layer in layers]
    whole = count(nn.Sequential(*layers), (CHANNELS, HEIGHT, WIDTH))
    assert whole.params == sum(cost.params for cost in costs)
    assert whole.macs == sum(cost.macs for cost in costs)
    assert whole.flops == sum(cost.flops for cost in costs)
