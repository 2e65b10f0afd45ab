"""Fourier transforms, distances, sampling between pixels, and what a module says itself: against counts by hand."""

import math

import pytest
import torch
from applied import Function
from torch import nn

from nas_attn.cost import Cost, count
from nas_attn.space import InputError

CHANNELS, HEIGHT, WIDTH = 4, 6, 8
SHAPE = (CHANNELS, HEIGHT, WIDTH)
PIXELS = HEIGHT * WIDTH


def flops(function):
    return count(Function(function), SHAPE).flops


def radix(*sizes, batch=1):
    """5 n log2(n) of a complex transform."""
    points = math.prod(sizes)
    return 5 * batch * points * math.log2(points)


TRANSFORMS = {
    "two dimensions, complex": (lambda x: torch.fft.fft2(x), radix(6, 8, batch=4)),
    "two dimensions, real": (lambda x: torch.fft.rfft2(x, norm="ortho"), radix(6, 8, batch=4) / 2),
    "and back to real": (
        lambda x: torch.fft.irfft2(torch.view_as_complex(_halves(x)), s=(6, 8)),
        radix(6, 8, batch=4) / 2,
    ),
    "and back by the sizes of the map": (
        lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:]),
        2 * radix(6, 8, batch=4) / 2,
    ),
    "one dimension": (lambda x: torch.fft.fft(x, dim=2), radix(6, batch=4 * 8)),
    "one dimension, real": (lambda x: torch.fft.rfft(x), radix(8, batch=4 * 6) / 2),
    "padded to another length": (lambda x: torch.fft.rfft(x, n=16), radix(16, batch=4 * 6) / 2),
    "channels and positions": (lambda x: torch.fft.fftn(x, dim=(1, 2, 3)), radix(4, 6, 8)),
    "all dimensions": (lambda x: torch.fft.fftn(x), radix(1, 4, 6, 8)),
    "shifted": (lambda x: torch.fft.fftshift(torch.fft.fft2(x)), radix(6, 8, batch=4)),
}


def _halves(x):
    return torch.stack((x, x), -1)[..., :5, :].contiguous()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_fourier_transform_costs_its_textbook_count(name):
    function, expected = TRANSFORMS[name]
    assert abs(flops(function) - expected) <= 1


def test_distances_cost_difference_square_and_sum_for_each_dimension_of_each_pair():
    assert flops(lambda x: torch.cdist(x.flatten(2), x.flatten(2))) == 3 * CHANNELS * CHANNELS * PIXELS
    assert flops(lambda x: torch.cdist(x[0, 0], x[0, 1, :2], p=1.0)) == 3 * 6 * 2 * WIDTH
    assert flops(lambda x: nn.functional.pairwise_distance(x, x)) == 3 * CHANNELS * PIXELS


def test_sampling_between_pixels_costs_what_comes_out():
    grid = torch.zeros(1, 3, 5, 2)
    assert flops(lambda x: nn.functional.grid_sample(x, grid, align_corners=False)) == CHANNELS * 3 * 5


@pytest.mark.parametrize(("stride", "groups", "masked"), [(1, 1, False), (1, 1, True), (2, 1, False), (1, 2, True)])
def test_a_deformed_convolution_costs_its_products_and_its_samples(stride, groups, masked):
    torchvision = pytest.importorskip("torchvision")
    weight = torch.zeros(6, CHANNELS // groups, 3, 3)
    out = -(-HEIGHT // stride) * (-(-WIDTH // stride))

    def deform(x):
        mask = torch.ones(1, 9, *(-(-side // stride) for side in (HEIGHT, WIDTH))) if masked else None
        offset = torch.zeros(1, 18, *(-(-side // stride) for side in (HEIGHT, WIDTH)))
        return torchvision.ops.deform_conv2d(x, offset, weight, stride=stride, padding=1, mask=mask)

    cost = count(Function(deform), SHAPE)
    ordinary = count(Function(lambda x: nn.functional.conv2d(x, weight, None, stride, 1, 1, groups)), SHAPE)
    assert cost.macs == ordinary.macs == out * 6 * CHANNELS // groups * 9
    assert cost.flops == 2 * cost.macs + out * CHANNELS * 9 * (1 + masked)


def test_a_bilinear_form_costs_its_two_products():
    weight = torch.zeros(3, WIDTH, WIDTH)
    cost = count(Function(lambda x: nn.functional.bilinear(x, x, weight)), SHAPE)
    assert cost == Cost(0, CHANNELS * HEIGHT * 3 * (WIDTH * WIDTH + WIDTH), 2 * CHANNELS * HEIGHT * 3 * (64 + 8))


class Declared(nn.Module):
    """Has an operator without a price, and says what it costs."""

    def __init__(self, answer=None):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(CHANNELS))
        self.answer = answer

    def forward(self, x):
        orthogonal, _ = torch.linalg.qr(self.weight)
        return x * (orthogonal @ x.flatten(2)).view_as(x).sigmoid()

    def macs(self, shape):
        channels, height, width = shape
        return channels**2 * height * width if self.answer is None else self.answer


def test_a_module_says_itself_what_it_costs_and_nothing_inside_it_is_counted():
    own = CHANNELS**2 * PIXELS
    assert count(Declared(), SHAPE) == Cost(CHANNELS**2, own, 2 * own)
    rest = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.ReLU())
    alone = count(rest, SHAPE)
    whole = count(nn.Sequential(*rest, Declared(), Declared()), SHAPE)
    assert whole == Cost(alone.params + 2 * CHANNELS**2, alone.macs + 2 * own, alone.flops + 4 * own)


def test_an_operator_without_a_price_names_the_method_that_gives_one():
    class Silent(Declared):
        macs = None

    with pytest.raises(InputError, match=r"aten::linalg_qr costs; give the attention a method macs\(self, shape\)"):
        count(Silent(), SHAPE)


@pytest.mark.parametrize("answer", [-1, 2.5, "many", True, [3]])
def test_a_module_that_says_no_number_is_told(answer):
    with pytest.raises(InputError, match=r"Declared.macs gives .*; allowed: an integer of at least 0"):
        count(Declared(answer), SHAPE)
