"""Forward passes, held against the papers' equations written once more with NumPy."""

from inspect import signature

import numpy as np
import pytest
import torch
from attention_cases import CASES, build, images, inputs, too_small
from torch import nn

from nas_attn.attention import NonLocal


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _norm(x, p, name):
    mean, var, gamma, beta = (
        p[f"{name}.{key}"][None, :, None, None] for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * gamma + beta


def _pointwise(x, p, name, groups=1):
    parts = zip(np.split(p[f"{name}.weight"][:, :, 0, 0], groups), np.split(x, groups, axis=1), strict=True)
    products = np.concatenate([np.einsum("oi,bihw->bohw", *part) for part in parts], axis=1)
    return products + np.asarray(p.get(f"{name}.bias", 0.0)).reshape(1, -1, 1, 1)


def _dense(x, p, name):
    return np.einsum("oi,bi->bo", p[f"{name}.weight"], x) + p.get(f"{name}.bias", 0.0)


def _around(planes, kernel):
    """A convolution of two planes, position by position."""
    _, height, width = planes.shape[1:]
    k = kernel.shape[-1]
    padded = np.pad(planes, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    scores = np.zeros((len(planes), 1, height, width))
    for i in range(height):
        for j in range(width):
            scores[:, 0, i, j] = np.sum(padded[:, :, i : i + k, j : j + k] * kernel, axis=(1, 2, 3))
    return scores


def _se(p, x, activation="relu", gate="sigmoid"):
    hidden = _dense(x.mean((2, 3)), p, "squeeze")
    hidden = hidden * _sigmoid(hidden) if activation == "silu" else np.maximum(hidden, 0)
    scores = _dense(hidden, p, "excite")
    weights = np.clip(scores + 3, 0, 6) / 6 if gate == "hard_sigmoid" else _sigmoid(scores)
    return np.einsum("bchw,bc->bchw", x, weights)


def _cbam(p, x):
    def score(pooled):
        return _dense(np.maximum(_dense(pooled, p, "mlp.0"), 0), p, "mlp.2")

    x = np.einsum("bchw,bc->bchw", x, _sigmoid(score(x.mean((2, 3))) + score(x.max((2, 3)))))
    planes = np.stack((x.max(1), x.mean(1)), axis=1)
    return x * _sigmoid(_norm(_around(planes, p["conv.weight"]), p, "norm"))


def _spatial(p, x):
    planes = np.stack((x.mean(1), x.max(1)), axis=1)
    return x * _sigmoid(_around(planes, p["conv.weight"]))


def _coordinate(p, x):
    def hidden(strip):
        y = _norm(_pointwise(strip, p, "squeeze.0"), p, "squeeze.1")
        return y * np.clip(y + 3, 0, 6) / 6

    by_row = _sigmoid(_pointwise(hidden(x.mean(3)[:, :, :, None]), p, "rows"))
    by_column = _sigmoid(_pointwise(hidden(x.mean(2)[:, :, None, :]), p, "columns"))
    return x * by_row * by_column


def _halved(x):
    height, width = x.shape[2:]
    rows = [x[:, :, i : i + 2].max(2) for i in range(0, height, 2)]
    return np.stack([np.stack([row[:, :, j : j + 2].max(2) for j in range(0, width, 2)], 2) for row in rows], 2)


def _likeness(p, here, there, form, scale):
    """Of one position's theta (C) to every phi (C, U, V), normalised over them."""
    if form == "concatenation":
        both = np.concatenate((np.broadcast_to(here[:, None, None], there.shape), there))
        return np.maximum(np.einsum("c,cuv->uv", p["pair.weight"][0, :, 0, 0], both), 0) / there[0].size
    products = np.einsum("c,cuv->uv", here, there)
    if form == "dot_product":
        return products / there[0].size
    products = products / np.sqrt(len(here)) if scale else products
    return np.exp(products - products.max()) / np.exp(products - products.max()).sum()


def _non_local(p, x, subsample=False, form="embedded_gaussian", scale=False, pool_first=False):
    compared = _halved(x) if subsample and pool_first else x
    theta, phi = (y if form == "gaussian" else _pointwise(y, p, n) for y, n in ((x, "theta"), (compared, "phi")))
    g = _pointwise(compared, p, "g")
    y = np.zeros((len(x), g.shape[1], *x.shape[2:]))
    if subsample and not pool_first:
        phi, g = _halved(phi), _halved(g)
    for b, _, i, j in np.ndindex(len(x), 1, *x.shape[2:]):
        y[b, :, i, j] = np.einsum("uv,cuv->c", _likeness(p, theta[b, :, i, j], phi[b], form, scale), g[b])
    return x + _norm(_pointwise(y, p, "expand"), p, "norm")


def _efficient(p, x, heads=1, groups=1):
    """With the weights between all positions, which the paper proves to be there and the module never builds."""
    maps = (_pointwise(x, p, name, groups) for name in ("keys", "queries", "values"))
    keys, queries, values = (y.reshape(len(x), heads, y.shape[1] // heads, -1) for y in maps)
    keys, queries = np.exp(keys), np.exp(queries)
    keys, queries = keys / keys.sum(3, keepdims=True), queries / queries.sum(2, keepdims=True)
    weights = np.einsum("bhci,bhcj->bhij", queries, keys)
    np.testing.assert_allclose(weights.sum(3), 1, rtol=0, atol=1e-12)
    gathered = np.einsum("bhij,bhcj->bhci", weights, values)
    return x + _pointwise(gathered.reshape(len(x), -1, *x.shape[2:]), p, "expand", groups)


def _gate(p, x, signal):
    hidden = _norm(_pointwise(x, p, "from_features.0"), p, "from_features.1")
    hidden = np.maximum(hidden + _norm(_pointwise(signal, p, "from_signal.0"), p, "from_signal.1"), 0)
    return x * _sigmoid(_norm(_pointwise(hidden, p, "psi.0"), p, "psi.1"))


def _triplet(p, x):
    def weights(most, mean, name):
        return _sigmoid(_norm(_around(np.stack((most, mean), axis=1), p[f"{name}.0.weight"]), p, f"{name}.1"))[:, 0]

    channels_columns = weights(x.max(2), x.mean(2), "without_rows")
    rows_channels = weights(*(pool(axis=3).swapaxes(1, 2) for pool in (x.max, x.mean)), "without_columns")
    rows_columns = weights(x.max(1), x.mean(1), "without_channels")
    return (
        np.einsum("bchw,bcw->bchw", x, channels_columns)
        + np.einsum("bchw,bhc->bchw", x, rows_channels)
        + np.einsum("bchw,bhw->bchw", x, rows_columns)
    ) / 3


def _ese(p, x):
    scores = _dense(x.mean((2, 3)), p, "excite")
    return np.einsum("bchw,bc->bchw", x, np.minimum(np.maximum(scores + 3, 0), 6) / 6)


def _each_by_itself(x, p):
    mean, var = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * p["norm.weight"][:, None, None] + p["norm.bias"][:, None, None]


def _filtered(x, p, name):
    """A 3 x 3 convolution, tap by tap."""
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = (
        np.einsum("oi,bihw->bohw", p[f"{name}.weight"][:, :, i, j], padded[:, :, i : i + height, j : j + width])
        for i, j in np.ndindex(3, 3)
    )
    return sum(taps) + p[f"{name}.bias"][:, None, None]


def _multi_scale(p, x, groups=8):
    def softmaxed(scale):
        powers = np.exp(scale.mean((2, 3)))
        return powers / powers.sum(1, keepdims=True)

    weighed = np.empty_like(x)
    size = x.shape[1] // np.gcd(groups, x.shape[1])
    for first in range(0, x.shape[1], size):
        part = x[:, first : first + size]
        rows = _sigmoid(_pointwise(part.mean(3)[:, :, :, None], p, "of_sides"))
        columns = _sigmoid(_pointwise(part.mean(2)[:, :, None, :], p, "of_sides"))
        one, other = _each_by_itself(part * rows * columns, p), _filtered(part, p, "around")
        scores = np.einsum("bc,bchw->bhw", softmaxed(one), other) + np.einsum("bc,bchw->bhw", softmaxed(other), one)
        weighed[:, first : first + size] = part * _sigmoid(scores)[:, None]
    return weighed


def _shuffle(p, x, groups=64):
    channels = x.shape[1]
    half = channels // 2 // np.gcd(groups, channels // 2)
    halves = []
    for first in range(0, channels, 2 * half):
        one, other = x[:, first : first + half], x[:, first + half : first + 2 * half]
        means = one.mean((2, 3), keepdims=True)
        halves.append(one * _sigmoid(p["channel_weight"] * means + p["channel_bias"]))
        halves.append(other * _sigmoid(p["position_weight"] * _each_by_itself(other, p) + p["position_bias"]))
    weighed, shuffled = np.concatenate(halves, axis=1), np.empty_like(x)
    shuffled[:, 0::2], shuffled[:, 1::2] = weighed[:, : channels // 2], weighed[:, channels // 2 :]
    return shuffled


def _gather_excite(p, x, variant="minus", extent=0):
    if not extent:
        return x * _sigmoid(x.mean((2, 3), keepdims=True))
    gathered = _depthwise(p, x, extent) if variant != "minus" else _neighbourhoods(x, extent)
    if variant == "plus":
        gathered = _pointwise(np.maximum(_pointwise(gathered, p, "excite.0"), 0), p, "excite.2")
    height, width = x.shape[2:]
    rows, columns = (np.arange(n) * m // n for n, m in zip((height, width), gathered.shape[2:], strict=True))
    return x * _sigmoid(gathered[:, :, rows][:, :, :, columns])


def _neighbourhoods(x, extent):
    """Means over what is there of the pixels nearer than the extent to every `extent`-th."""
    means = [
        [
            x[:, :, max(0, i - extent + 1) : i + extent, max(0, j - extent + 1) : j + extent].mean((2, 3))
            for j in columns
        ]
        for columns in (range(0, x.shape[3], extent),)
        for i in range(0, x.shape[2], extent)
    ]
    return np.stack([np.stack(row, 2) for row in means], 2)


def _depthwise(p, x, extent):
    for step in range(extent.bit_length() - 1):
        x = np.maximum(x, 0) if step else x
        kernel = p[f"gather.{3 * step}.weight"][:, 0]
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        height, width = x.shape[2:]
        taps = (
            padded[:, :, i : i + height : 2, j : j + width : 2] * kernel[:, i, j, None, None]
            for i, j in np.ndindex(3, 3)
        )
        x = _norm(sum(taps), p, f"gather.{3 * step + 1}")
    return x


def _efficient_local(p, x, kernel_size=7, group_width=1, norm_groups=16):
    channels = x.shape[1]
    width, parts = np.gcd(group_width, channels), np.gcd(norm_groups, channels)

    def weights(strip):
        padded = np.pad(strip, ((0, 0), (0, 0), (kernel_size // 2,) * 2))
        scores = np.empty_like(strip)
        for c, n in np.ndindex(channels, strip.shape[2]):
            seen = padded[:, c // width * width : (c // width + 1) * width, n : n + kernel_size]
            scores[:, c, n] = np.sum(seen * p["conv.weight"][c], axis=(1, 2))
        grouped = scores.reshape(len(x), parts, -1)
        grouped = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + 1e-5)
        return _sigmoid(grouped.reshape(scores.shape) * p["norm.weight"][:, None] + p["norm.bias"][:, None])

    return np.einsum("bchw,bch,bcw->bchw", x, weights(x.mean(3)), weights(x.mean(2)))


def _strip(p, x):
    def scores(strip, name):
        padded = np.pad(strip, ((0, 0), (0, 0), (1, 1)))
        kernel = p[f"{name}.0.weight"].reshape(x.shape[1], x.shape[1], 3)
        taps = (np.einsum("oi,bin->bon", kernel[:, :, k], padded[:, :, k : k + strip.shape[2]]) for k in range(3))
        return _norm(sum(taps)[:, :, :, None], p, f"{name}.1")

    both = scores(x.mean(3), "rows") + scores(x.mean(2), "columns").swapaxes(2, 3)
    return x * _sigmoid(_pointwise(np.maximum(both, 0), p, "fuse"))


def _selective_kernel(p, x, branches=2, groups=32):
    channels, (height, width) = x.shape[1], x.shape[2:]
    size = channels // np.gcd(groups, channels)
    seen = np.zeros((branches, *x.shape))
    for n, c, i, j in np.ndindex(branches, channels, 3, 3):
        reach = n + 1
        padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
        first = c // size * size
        rows, columns = slice(i * reach, i * reach + height), slice(j * reach, j * reach + width)
        kernel = p[f"branches.{n}.0.weight"][c, :, i, j]
        seen[n, :, c] += np.einsum("i,bihw->bhw", kernel, padded[:, first : first + size, rows, columns])
    seen = np.stack([np.maximum(_norm(one, p, f"branches.{n}.1"), 0) for n, one in enumerate(seen)])
    pooled = _pointwise(seen.sum(0).mean((2, 3), keepdims=True), p, "squeeze.0")
    scores = _pointwise(np.maximum(_norm(pooled, p, "squeeze.1"), 0), p, "select")
    powers = np.exp(scores.reshape(len(x), branches, channels))
    return np.einsum("nbchw,bnc->bchw", seen, powers / powers.sum(1, keepdims=True))


EQUATIONS = {
    "se": _se,
    "cbam": _cbam,
    "coordinate": _coordinate,
    "non_local": _non_local,
    "efficient": _efficient,
    "gate": _gate,
    "spatial": _spatial,
    "triplet": _triplet,
    "ese": _ese,
    "multi_scale": _multi_scale,
    "shuffle": _shuffle,
    "gather_excite": _gather_excite,
    "efficient_local": _efficient_local,
    "strip": _strip,
    "selective_kernel": _selective_kernel,
}


@pytest.mark.parametrize(("kind", "options"), [case for case in CASES if case[0] in EQUATIONS])
@pytest.mark.parametrize("shape", [(2, 12, 5, 4), (1, 3, 1, 1), (1, 12, 1, 7)])
def test_the_forward_pass_is_the_papers_equation(kind, options, shape):
    shape = (shape[0], shape[1] + too_small(kind, shape), *shape[2:])
    attention = build(kind, shape[1], **options)
    maps = inputs(attention, *shape)
    p = {name: value.numpy() for name, value in attention.state_dict().items()}
    shown = {name: value for name, value in options.items() if name in signature(EQUATIONS[kind]).parameters}
    expected = EQUATIONS[kind](p, *(features.numpy() for features in maps), **shown)
    np.testing.assert_allclose(attention(*maps).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("subsample", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_a_non_local_block_starts_as_the_identity(subsample, training):
    block = NonLocal(16, subsample=subsample).train(training)
    features = images(2, 16, 5, 7).float()
    assert torch.equal(block(features), features)


@pytest.mark.parametrize("subsample", [False, True])
def test_the_weights_of_each_position_sum_to_one(subsample):
    # where g is the same everywhere, its weighed sum is g itself if, and only if, the weights sum to one
    block = build("non_local", 8, subsample=subsample)
    nn.init.zeros_(block.g.weight)
    features = images(2, 8, 5, 3)
    constant = block.g.bias[None, :, None, None].expand(2, -1, 5, 3)
    expected = features + block.norm(block.expand(constant))
    torch.testing.assert_close(block(features), expected, rtol=0, atol=1e-12)


def test_sub_sampling_changes_what_a_position_sees():
    whole, halved = build("non_local", 8), build("non_local", 8, subsample=True)
    halved.load_state_dict(whole.state_dict())
    features = images(1, 8, 4, 4)
    assert (whole(features) - halved(features)).abs().max() > 1e-3


def test_triplet_attention_treats_channels_rows_and_columns_alike():
    # with one symmetric kernel for all three planes, no dimension is told from another
    attention = build("triplet", 5, kernel_size=3)
    shared = attention.without_channels.state_dict()
    shared["0.weight"] += shared["0.weight"].transpose(2, 3).clone()
    for branch in (attention.without_rows, attention.without_columns, attention.without_channels):
        branch.load_state_dict(shared)
    features = images(2, 5, 6, 4)
    for one, other in ((1, 2), (1, 3), (2, 3)):
        turned = attention(features.transpose(one, other)).transpose(one, other)
        torch.testing.assert_close(turned, attention(features), rtol=0, atol=1e-12)


def test_a_hard_sigmoid_closes_a_channel_at_minus_three_and_opens_it_at_three():
    attention = build("ese", 4)
    nn.init.zeros_(attention.excite.weight)
    attention.excite.bias.data.copy_(torch.tensor([-3.5, -3.0, 0.0, 3.0]))
    weights = (attention(images(2, 4, 3, 5)) / images(2, 4, 3, 5))[:, :, 0, 0]
    torch.testing.assert_close(weights, torch.tensor([[0, 0, 0.5, 1.0]] * 2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_gate_listens_to_its_gating_signal():
    gate = build("gate", 8)
    features, signal = inputs(gate, 1, 8, 4, 4)
    assert (gate(features, signal) - gate(features, -signal)).abs().max() > 1e-3


@pytest.mark.parametrize("extent", [0, 2, 4, 8])
def test_gather_excite_without_parameters_gives_what_timm_gives(extent):
    layers = pytest.importorskip("timm.layers")
    features = torch.randn(2, 16, 13, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = layers.GatherExcite(16, extent=extent, use_mlp=False)(features)
    assert torch.equal(build("gather_excite", 16, extent=extent)(features), expected)
