"""ECA, global context, SimAM, scSE and BAM: the papers' equations once more with NumPy, and what follows from them."""

import math

import numpy as np
import pytest
import torch
from attention_cases import CASES, build, images
from test_attention_forward import EQUATIONS as OTHERS
from torch.export import Dim, export

from nas_attn.attention import ATTENTIONS, BAM, EfficientChannelAttention, GlobalContext, SimAM


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _relu(x):
    return np.where(x > 0, x, 0)


def _dense(x, p, name):
    return np.einsum("oi,bi->bo", p[f"{name}.weight"], x) + p[f"{name}.bias"]


def _norm(x, p, name):
    mean, var, gamma, beta = (
        p[f"{name}.{key}"].reshape(1, -1, *(1,) * (x.ndim - 2))
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * gamma + beta


def _convolution(x, p, name, step=1):
    """Tap by tap: the map, moved by a multiple of `step`, times the tap's matrix."""
    kernel = p[f"{name}.weight"]
    reach = kernel.shape[-1] // 2 * step
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    total = np.zeros((len(x), len(kernel), height, width)) + p[f"{name}.bias"][:, None, None]
    for i, j in np.ndindex(kernel.shape[2:]):
        moved = padded[:, :, i * step : i * step + height, j * step : j * step + width]
        total += np.einsum("oi,bihw->bohw", kernel[:, :, i, j], moved)
    return total


def _eca(p, x, kernel_size=None):
    kernel = p["conv.weight"][0, 0]
    half, channels = len(kernel) // 2, x.shape[1]
    means = x.mean((2, 3))
    weighed = np.empty_like(x)
    for c in range(channels):
        near = [d for d in range(-half, half + 1) if 0 <= c + d < channels]
        score = sum(kernel[half + d] * means[:, c + d] for d in near)
        weighed[:, c] = x[:, c] * _sigmoid(score)[:, None, None]
    return weighed


def _global_context(p, x, reduction=16, fusion="add"):
    scores = np.einsum("c,bchw->bhw", p["mask.weight"][0, :, 0, 0], x) + p["mask.bias"]
    likeness = np.exp(scores)
    weights = likeness / likeness.sum((1, 2), keepdims=True)
    hidden = _dense(np.einsum("bhw,bchw->bc", weights, x), p, "squeeze.0")
    spread = np.sqrt(hidden.var(1, keepdims=True) + 1e-5)
    normal = (hidden - hidden.mean(1, keepdims=True)) / spread * p["squeeze.1.weight"] + p["squeeze.1.bias"]
    context = _dense(_relu(normal), p, "expand")[:, :, None, None]
    return x + context if fusion == "add" else x * _sigmoid(context)


def _simam(p, x, e_lambda=1e-4):
    """The paper's way: the energy of each value, and the sigmoid of its inverse."""
    mean = x.mean((2, 3), keepdims=True)
    variance = x.var((2, 3), ddof=1, keepdims=True)
    energy = 4 * (variance + e_lambda) / ((x - mean) ** 2 + 2 * variance + 2 * e_lambda)
    return x * _sigmoid(1 / energy)


def _scse(p, x, reduction=2, combination="max"):
    by_channel = x * _sigmoid(_dense(_relu(_dense(x.mean((2, 3)), p, "mlp.0")), p, "mlp.2"))[:, :, None, None]
    by_position = x * _sigmoid(_convolution(x, p, "conv"))
    if combination == "add":
        return by_channel + by_position
    return np.where(by_channel > by_position, by_channel, by_position)


def _bam(p, x, reduction=16, dilation=4):
    channels = _dense(_relu(_norm(_dense(x.mean((2, 3)), p, "by_channel.0"), p, "by_channel.1")), p, "by_channel.3")
    hidden = _relu(_norm(_convolution(x, p, "by_position.0"), p, "by_position.1"))
    for layer in (3, 6):
        convolved = _convolution(hidden, p, f"by_position.{layer}", step=dilation)
        hidden = _relu(_norm(convolved, p, f"by_position.{layer + 1}"))
    positions = _convolution(hidden, p, "by_position.9")
    return x * (1 + _sigmoid(np.einsum("bc,bhw->bchw", channels, positions[:, 0])))


EQUATIONS = {"eca": _eca, "global_context": _global_context, "simam": _simam, "scse": _scse, "bam": _bam}
OWN_CASES = [*((kind, options) for kind, options in CASES if kind in EQUATIONS), ("bam", {})]


def test_every_kind_has_its_equation_once():
    assert sorted([*OTHERS, *EQUATIONS]) == sorted(ATTENTIONS)


def _state(attention):
    return {name: value.numpy().copy() for name, value in attention.state_dict().items()}


@pytest.mark.parametrize(("kind", "options"), OWN_CASES)
@pytest.mark.parametrize("shape", [(2, 12, 5, 4), (1, 3, 1, 2), (1, 12, 1, 7), (2, 20, 11, 9), (1, 5, 1, 1)])
def test_the_forward_pass_is_the_papers_equation(kind, options, shape):
    if kind == "simam" and shape[2:] == (1, 1):
        shape = (1, 5, 2, 1)
    attention = build(kind, shape[1], **options)
    features = images(*shape)
    expected = EQUATIONS[kind](_state(attention), features.numpy(), **options)
    np.testing.assert_allclose(attention(features).detach().numpy(), expected, rtol=0, atol=1e-12)


def _slopes(loss, values, step=1e-6):
    """The central differences of a loss by each element of an array, which is moved and put back."""
    slopes = np.empty_like(values)
    for place in np.ndindex(values.shape):
        kept = values[place]
        values[place] = kept + step
        above = loss()
        values[place] = kept - step
        slopes[place] = (above - loss()) / (2 * step)
        values[place] = kept
    return slopes


@pytest.mark.parametrize(("kind", "options"), OWN_CASES)
def test_gradients_are_the_slopes_of_the_papers_equation(kind, options):
    attention = build(kind, 6, **options)
    features, seen = images(2, 6, 3, 4).requires_grad_(), images(2, 6, 3, 4, seed=5)
    (attention(features) * seen).sum().backward()
    p, x = _state(attention), features.detach().numpy().copy()

    def loss():
        return np.sum(EQUATIONS[kind](p, x, **options) * seen.numpy())

    np.testing.assert_allclose(features.grad.numpy(), _slopes(loss, x), rtol=0, atol=1e-7)
    for name, parameter in attention.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), _slopes(loss, p[name]), rtol=0, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("channels", "neighbours"), [(1, 1), (8, 3), (16, 3), (32, 3), (64, 3), (128, 5), (1024, 5), (2048, 7)]
)
def test_the_channels_that_eca_sees_follow_from_their_number(channels, neighbours):
    assert EfficientChannelAttention(channels).conv.weight.numel() == neighbours


def test_the_channels_that_eca_sees_are_the_papers_formula_at_any_number():
    for channels in range(1, 300):
        whole = int(abs(math.log2(channels) / 2 + 1 / 2))
        expected = whole if whole % 2 else whole + 1
        assert EfficientChannelAttention(channels).conv.weight.shape == (1, 1, expected)


def test_a_channel_of_eca_sees_its_neighbours_alone():
    attention = build("eca", 9, kernel_size=5)

    def weights(features):
        features = features[None, :, None, None]
        return (attention(features) / features).flatten()

    seen = torch.autograd.functional.jacobian(weights, images(9).abs() + 1).abs() > 1e-9
    distance = (torch.arange(9)[:, None] - torch.arange(9)).abs()
    assert torch.equal(seen, distance <= 2)


@pytest.mark.parametrize("training", [False, True])
def test_an_added_context_starts_as_the_identity(training):
    features = images(2, 16, 5, 7).float()
    assert torch.equal(GlobalContext(16).train(training)(features), features)


def test_a_scaling_context_starts_by_halving():
    features = images(2, 16, 5, 7).float()
    assert torch.equal(GlobalContext(16, fusion="scale")(features), features / 2)


def test_every_position_gets_the_same_context():
    features = images(2, 8, 5, 3)
    added = build("global_context", 8)(features) - features
    torch.testing.assert_close(added, added[:, :, :1, :1].expand_as(added), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_weights_of_the_positions_sum_to_one(size):
    # then, and only then, the context of a map that is the same everywhere is what stands everywhere
    block = build("global_context", 8)
    features = size * images(2, 8, 1, 1).expand(-1, -1, 5, 3)
    context = block.expand(block.squeeze(features[:, :, 0, 0]))
    torch.testing.assert_close(block(features), features + context[:, :, None, None], rtol=1e-12, atol=1e-12)


def test_sharp_attention_to_a_position_stays_finite():
    assert build("global_context", 8)(1e5 * images(2, 8, 5, 3)).isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 16, 32])
def test_a_context_of_few_channels_still_depends_on_the_features(channels):
    # a single hidden channel would be normalised to a constant, and two to a sign
    block = build("global_context", channels, reduction=64)
    first, second = images(1, channels, 4, 4, seed=1), images(1, channels, 4, 4, seed=2)
    contexts = [(block(features) - features)[0, :, 0, 0] for features in (first, first + 0.01 * second)]
    assert (contexts[0] - contexts[1]).abs().max() > 1e-6


@pytest.mark.parametrize("e_lambda", [1e-4, 0.1])
def test_weights_of_simam_lie_between_the_sigmoid_of_a_half_and_one(e_lambda):
    features = images(2, 8, 6, 7)
    weights = SimAM(8, e_lambda=e_lambda)(features) / features
    assert weights.min() >= _sigmoid(0.5) - 1e-12
    assert weights.max() < 1


def test_a_constant_map_has_the_least_weight_everywhere():
    features = torch.full((1, 2, 3, 3), 4.0, dtype=torch.float64)
    torch.testing.assert_close(SimAM(2)(features), features * _sigmoid(0.5), rtol=0, atol=1e-12)


def test_simam_has_nothing_to_learn_and_nothing_to_keep():
    assert not SimAM(8).state_dict()


def test_a_larger_lambda_brings_weights_together():
    features = images(1, 1, 5, 5)
    near, far = ((SimAM(1, e_lambda=value)(features) / features) for value in (10.0, 0.1))
    assert near.std() < far.std()


def test_a_map_of_one_position_has_no_variance_for_simam():
    with pytest.raises(ValueError, match="no variance") as told:
        SimAM(8)(images(2, 8, 1, 1))
    assert str(told.value) == "features: found a map of 1 x 1, which has no variance; allowed: two positions or more"


@pytest.mark.parametrize("least", [1, 2])
def test_an_exported_simam_takes_any_map_of_two_positions(least):
    attention = SimAM(8).double()
    sides = {0: Dim("batch", min=1), 2: Dim("height", min=least), 3: Dim("width", min=least)}
    exported = export(attention, (images(3, 8, 8, 6),), dynamic_shapes=(sides,)).module()
    for shape in [(1, 8, 2, 2), (4, 8, 9, 5), *([(2, 8, 1, 2), (1, 8, 7, 1)] if least == 1 else [])]:
        torch.testing.assert_close(exported(images(*shape)), attention(images(*shape)), rtol=0, atol=1e-12)
    if least == 1:
        assert exported(images(1, 8, 1, 1)).isnan().all()


def test_the_larger_of_two_negative_values_has_the_smaller_weight():
    attention = build("scse", 8)
    features = images(2, 8, 5, 4)
    by_channel = attention.mlp(features.mean((2, 3))).sigmoid()[:, :, None, None]
    by_position = attention.conv(features).sigmoid()
    smaller, larger = torch.minimum(by_channel, by_position), torch.maximum(by_channel, by_position)
    expected = torch.where(features < 0, smaller, larger)
    torch.testing.assert_close(attention(features) / features, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "options", "least", "most"), [("scse", {"combination": "add"}, 0, 2), ("bam", {}, 1, 2)]
)
def test_weights_that_are_a_sum_lie_in_its_range(kind, options, least, most):
    features = images(2, 16, 6, 5)
    weights = build(kind, 16, **options)(features) / features
    assert weights.min() > least
    assert weights.max() < most
    assert weights.max() > 1


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_bam_looks_as_far_as_its_dilation_says(dilation):
    attention = build("bam", 4, reduction=2, dilation=dilation)
    size = 4 * dilation + 5
    centre = size // 2
    features = images(1, 4, size, size).requires_grad_()
    attention.by_position(features)[0, 0, centre, centre].backward()
    seen = features.grad[0].abs().sum(0).nonzero()
    assert (seen - centre).abs().max() == 2 * dilation


@pytest.mark.parametrize("shape", [(1, 8, 1, 1), (1, 8, 6, 5)])
def test_bam_cannot_train_with_one_image(shape):
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BAM(8).train()(images(*shape).float())
