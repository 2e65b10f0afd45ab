"""The gate with a gating signal of another shape, held against its equation and the arithmetic of its layers."""

import numpy as np
import pytest
import torch
from attention_cases import build, images
from test_attention_forward import EQUATIONS
from torch import nn
from torch.export import Dim, export

from nas_attn.attention import AttentionGate, IdentityStart
from nas_attn.cost import Cost, count

SIGNALS = [(2, 8, 5, 4), (2, 3, 5, 4), (2, 12, 10, 8), (2, 5, 3, 2), (2, 8, 1, 1), (2, 4, 5, 9), (2, 4, 2, 4)]


def _resampled(x, axis, size):
    """Linear between the centres of the pixels, and constant beyond the first and the last."""
    given = x.shape[axis]
    places = np.clip((np.arange(size) + 0.5) * given / size - 0.5, 0, given - 1)
    lower = np.floor(places).astype(int)
    upper = np.minimum(lower + 1, given - 1)
    share = (places - lower).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return x.take(lower, axis) * (1 - share) + x.take(upper, axis) * share


def _gate(p, x, signal):
    """The convolution and the normalisation act on each position alone, so they may as well follow the resampling."""
    return EQUATIONS["gate"](p, x, _resampled(_resampled(signal, 2, x.shape[2]), 3, x.shape[3]))


def _state(attention):
    return {name: value.numpy().copy() for name, value in attention.state_dict().items()}


@pytest.mark.parametrize("shape", SIGNALS)
def test_a_signal_of_any_shape_is_the_papers_equation(shape):
    gate = build("gate", 8, signal_channels=shape[1])
    features, signal = images(2, 8, 5, 4), images(*shape, seed=2)
    expected = _gate(_state(gate), features.numpy(), signal.numpy())
    np.testing.assert_allclose(gate(features, signal).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3, 4, 6), (1, 3, 2, 1), (1, 3, 3, 4)])
def test_the_gradients_of_a_signal_are_the_slopes_of_the_papers_equation(shape):
    gate = build("gate", 4, signal_channels=3)
    features, signal = images(1, 4, 2, 3), images(*shape, seed=2).requires_grad_()
    (gate(features, signal) * images(1, 4, 2, 3, seed=5)).sum().backward()
    p, moved = _state(gate), signal.detach().numpy().copy()

    def loss():
        return np.sum(_gate(p, features.numpy(), moved) * images(1, 4, 2, 3, seed=5).numpy())

    slopes = np.empty_like(moved)
    for place in np.ndindex(shape):
        kept, sums = moved[place], []
        for step in (1e-6, -1e-6):
            moved[place] = kept + step
            sums.append(loss())
        moved[place] = kept
        slopes[place] = (sums[0] - sums[1]) / 2e-6
    np.testing.assert_allclose(signal.grad.numpy(), slopes, rtol=0, atol=1e-8)


@pytest.mark.parametrize("channels", [8, 64, 256])
@pytest.mark.parametrize("signal_channels", [1, 8, 128, 512])
@pytest.mark.parametrize("reduction", [1, 2, 300])
def test_parameters_follow_the_formula_with_the_channels_of_the_signal(channels, signal_channels, reduction):
    n = max(1, channels // reduction)
    gate = AttentionGate(channels, signal_channels, reduction=reduction)
    expected = (channels + signal_channels) * n + 7 * n + 3
    assert sum(parameter.numel() for parameter in gate.parameters()) == expected


def test_without_a_number_the_signal_has_as_many_channels_as_the_features():
    plain, told = build("gate", 8), build("gate", 8, signal_channels=8)
    assert plain.state_dict().keys() == told.state_dict().keys()
    assert all(torch.equal(value, told.state_dict()[name]) for name, value in plain.state_dict().items())


def test_an_exported_gate_takes_a_signal_twice_as_large_for_any_batch_height_and_width():
    gate = build("gate", 8, signal_channels=12)
    batch, height, width = Dim("batch", min=1), Dim("height", min=1), Dim("width", min=1)
    sides = ({0: batch, 2: height, 3: width}, {0: batch, 2: 2 * height, 3: 2 * width})
    exported = export(gate, (images(3, 8, 8, 6), images(3, 12, 16, 12)), dynamic_shapes=sides).module()
    for n, h, w in [(1, 5, 9), (4, 7, 7), (2, 1, 1)]:
        maps = images(n, 8, h, w), images(n, 12, 2 * h, 2 * w, seed=2)
        torch.testing.assert_close(exported(*maps), gate(*maps), rtol=0, atol=1e-12)


class _Strided(nn.Module):
    """A gate after a convolution of stride 2, which listens to what the convolution was given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False)
        self.gate = AttentionGate(8, 6)

    def forward(self, signal):
        return self.gate(self.conv(signal), signal)


def test_a_gate_after_a_stride_is_exported_with_the_network_for_odd_sides_too():
    network = _Strided().double().eval()
    sides = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    exported = export(network, (images(2, 6, 9, 8),), dynamic_shapes=(sides,)).module()
    for shape in [(1, 6, 12, 13), (4, 6, 3, 40), (3, 6, 9, 8)]:
        torch.testing.assert_close(exported(images(*shape)), network(images(*shape)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(12, 8), (9, 7)])
def test_the_price_of_a_resampled_signal_is_counted(height, width):
    here, there, n = -(-height // 2) * -(-width // 2), height * width, 4
    macs = 9 * 6 * 8 * here + 8 * n * here + 6 * n * there + n * here
    # two normalisations of n channels, the resampled signal, the sum and its ReLU; then psi's, and the product
    elementwise = n * here + n * there + 3 * n * here + 2 * here + 8 * here
    params = 9 * 6 * 8 + (8 + 6) * n + 7 * n + 3
    assert count(_Strided(), (6, height, width)) == Cost(params, macs, 2 * macs + elementwise)


def test_identity_start_hands_a_signal_of_another_shape_on():
    attention = IdentityStart(build("gate", 8, signal_channels=3)).double()
    features, signal = images(2, 8, 5, 4), images(2, 3, 10, 8, seed=2)
    assert torch.equal(attention(features, signal), features)
    nn.init.ones_(attention.gamma)
    torch.testing.assert_close(attention(features, signal), attention.attention(features, signal))
