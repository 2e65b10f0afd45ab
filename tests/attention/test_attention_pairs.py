"""Attentions between all pairs of positions: the forms of the non-local block, and efficient attention with heads."""

import numpy as np
import pytest
import torch
from attention_cases import build, images
from test_attention_forward import EQUATIONS
from torch import nn
from torch.export import Dim, export
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.attention import EfficientAttention, NonLocal

FORMS = ["embedded_gaussian", "gaussian", "dot_product", "concatenation"]
SPLITS = [
    {"heads": 2},
    {"groups": 4},
    {"heads": 3, "groups": 2, "reduction": 2},
    {"heads": 12, "groups": 12, "reduction": 1},
]


@pytest.mark.parametrize("options", [{"heads": 3}, {"groups": 3}, *SPLITS[2:]])
@pytest.mark.parametrize("shape", [(2, 12, 5, 4), (1, 12, 1, 1), (1, 12, 1, 7), (1, 24, 3, 2)])
def test_heads_and_groups_give_the_papers_equation_head_by_head(options, shape):
    attention = build("efficient", shape[1], **options)
    features = images(*shape)
    p = {name: value.numpy() for name, value in attention.state_dict().items()}
    shown = {name: value for name, value in options.items() if name != "reduction"}
    expected = EQUATIONS["efficient"](p, features.numpy(), **shown)
    np.testing.assert_allclose(attention(features).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [{"heads": 2, "groups": 2}, {"heads": 8, "groups": 4, "reduction": 1}])
def test_heads_and_groups_leave_for_any_batch_height_and_width(options):
    attention = build("efficient", 8, **options)
    sides = {0: Dim("batch", min=1), 2: Dim("height", min=1), 3: Dim("width", min=1)}
    exported = export(attention, (images(3, 8, 8, 6),), dynamic_shapes=(sides,)).module()
    for shape in [(1, 8, 5, 9), (4, 8, 7, 7), (2, 8, 6, 3), (1, 8, 1, 1)]:
        torch.testing.assert_close(exported(images(*shape)), attention(images(*shape)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        *(("heads", value, "an integer of at least 1") for value in (0, -1, 2.0, True, "2", None)),
        *(("groups", value, "an integer of at least 1") for value in (0, -1, 2.0, True, "2", None)),
        ("heads", 3, "a divisor of the 16 channels of the keys"),
        ("heads", 32, "a divisor of the 16 channels of the keys"),
        ("groups", 3, "a divisor of the 64 channels of the features"),
        ("groups", 32, "a divisor of the 16 channels of the keys"),
    ],
)
def test_heads_and_groups_that_do_not_divide_the_channels_are_told(option, value, fault):
    with pytest.raises(ValueError, match="allowed") as told:
        EfficientAttention(64, **{option: value})
    assert str(told.value) == f"{option}: found {value!r}; allowed: {fault}"


@pytest.mark.parametrize("options", SPLITS)
def test_the_weights_of_each_position_sum_to_one_in_every_head(options):
    # where the values are the same everywhere, their weighed sum is the value itself
    options = {"reduction": 2, **options, "groups": options.get("groups", 1)}
    attention = build("efficient", 48, **options)
    nn.init.zeros_(attention.values.weight)
    features = images(2, 48, 5, 3)
    constant = attention.values.bias[None, :, None, None].expand(2, -1, 5, 3)
    torch.testing.assert_close(attention(features), features + attention.expand(constant), rtol=0, atol=1e-12)


def test_heads_of_one_channel_add_the_same_to_every_position():
    attention = build("efficient", 8, heads=2)
    features = images(2, 8, 5, 3)
    added = attention(features) - features
    assert (added - added.mean((2, 3), keepdim=True)).abs().max() < 1e-12
    assert added.abs().max() > 1e-3


def test_a_bias_of_the_keys_changes_nothing():
    attention = build("efficient", 16)
    before = attention(images(2, 16, 5, 3))
    nn.init.constant_(attention.keys.bias, 3.0)
    torch.testing.assert_close(attention(images(2, 16, 5, 3)), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["embedded_gaussian", "gaussian"])
@pytest.mark.parametrize("scale", [False, True])
def test_the_weights_of_each_position_sum_to_one_under_every_softmax(form, scale):
    block = build("non_local", 8, form=form, scale=scale)
    nn.init.zeros_(block.g.weight)
    features = images(2, 8, 5, 3)
    constant = block.g.bias[None, :, None, None].expand(2, -1, 5, 3)
    torch.testing.assert_close(block(features), features + block.norm(block.expand(constant)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("training", [False, True])
def test_every_form_starts_as_the_identity(form, training):
    block = NonLocal(16, form=form, subsample=True).train(training)
    features = images(2, 16, 5, 7).float()
    assert torch.equal(block(features), features)


def test_an_embedding_that_changes_nothing_is_the_gaussian_form():
    for scale in (False, True):
        plain, embedded = (
            build("non_local", 6, reduction=1, form=f"{kind}gaussian", scale=scale) for kind in ("", "embedded_")
        )
        for layer in (embedded.theta, embedded.phi):
            nn.init.dirac_(layer.weight)
            nn.init.zeros_(layer.bias)
        embedded.load_state_dict(plain.state_dict(), strict=False)
        features = images(2, 6, 5, 3)
        torch.testing.assert_close(embedded(features), plain(features), rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_bright_image_leaves_every_form_finite(form):
    block = build("non_local", 8, form=form).float()
    assert block(1e4 * images(1, 8, 6, 6).float()).isfinite().all()


@pytest.mark.parametrize(
    ("make", "growth"),
    [
        (lambda: EfficientAttention(16), "linear"),
        (lambda: EfficientAttention(16, heads=2), "linear"),
        (lambda: NonLocal(16, form="dot_product"), "linear"),
        (lambda: NonLocal(16, form="dot_product", subsample=True), "linear"),
        (lambda: NonLocal(16), "quadratic"),
        (lambda: NonLocal(16, form="gaussian"), "quadratic"),
        (lambda: NonLocal(16, form="concatenation"), "quadratic"),
    ],
)
def test_cost_grows_with_the_positions_or_with_their_square(make, growth):
    def operations(side):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            make().eval()(torch.zeros(1, 16, side, side))
        return counter.get_total_flops()

    small, middle, large = operations(8), operations(16), operations(24)
    # 64, 256 and 576 positions: on a line, or above it
    assert ((large - middle) * (256 - 64) == (middle - small) * (576 - 256)) == (growth == "linear")


@pytest.mark.parametrize("form", ["dot_product", "concatenation"])
def test_a_scale_without_a_softmax_is_told(form):
    with pytest.raises(ValueError, match="softmax") as told:
        NonLocal(16, form=form, scale=True)
    assert str(told.value) == f"scale: found True; allowed: false where the form is {form}, which has no softmax"
    NonLocal(16, form=form, scale=False)


@pytest.mark.parametrize("form", ["gauss", "", None, 1, True])
def test_an_unknown_form_is_told(form):
    with pytest.raises(ValueError, match="allowed") as told:
        NonLocal(16, form=form)
    assert str(told.value) == f"form: found {form!r}; allowed: {', '.join(FORMS)}"
