"""The start that is called the paper's, against the weights of the authors' code, and their order of pooling."""

import pytest
import torch
from attention_cases import images
from torch import nn

from nas_attn.attention import ATTENTIONS, CBAM, EfficientChannelAttention, GlobalContext, NonLocal, TripletAttention
from nas_attn.cost import count

FORMS = ("embedded_gaussian", "gaussian", "dot_product", "concatenation")


def made(kind, channels, **options):
    torch.manual_seed(0)
    return ATTENTIONS[kind](channels, **options)


def test_cbam_starts_with_the_same_weight_of_one_half_at_every_position():
    cbam = made("cbam", 64)
    assert not any(bias.any() for name, bias in cbam.named_parameters() if name.endswith("bias"))
    assert cbam.norm.weight.item() == 0
    features = images(2, 64, 5, 4).float()
    hidden = torch.relu(torch.stack((features.mean((2, 3)), features.amax((2, 3)))) @ cbam.mlp[0].weight.T)
    by_channel = torch.sigmoid((hidden @ cbam.mlp[2].weight.T).sum(0))
    expected = features * by_channel[:, :, None, None] / 2
    torch.testing.assert_close(cbam.eval()(features), expected)


@pytest.mark.parametrize("form", FORMS)
def test_the_convolutions_of_a_non_local_block_start_normal_with_a_deviation_of_a_hundredth(form):
    block = made("non_local", 256, form=form)
    convolutions = [block.g, block.expand, *([] if form == "gaussian" else [block.theta, block.phi])]
    for convolution in convolutions:
        assert not convolution.bias.any()
        assert abs(convolution.weight.std().item() - 0.01) < 3e-4
        assert convolution.weight.abs().max() > 0.03  # normal, not uniform
    assert not block.norm.weight.any()


def test_the_mask_of_global_context_starts_by_kaimings_normal_without_a_bias():
    masks = torch.cat([GlobalContext(512).mask.weight.flatten() for _ in range(20)])
    assert abs(masks.std().item() - (2 / 512) ** 0.5) < 2e-3
    assert not GlobalContext(512).mask.bias.any()


def test_triplets_branch_without_channels_starts_at_one_half_and_the_others_do_not():
    attention = made("triplet", 8)
    assert [branch[1].weight.item() for branch in attention.children()] == [1, 1, 0]
    kernels = torch.cat([TripletAttention(8).without_rows[0].weight.flatten() for _ in range(50)])
    assert abs(kernels.std().item() - (2 / 49) ** 0.5) < 5e-3  # one channel comes out, of 7 x 7 positions
    features = images(1, 8, 5, 4).float()
    weights = attention.eval().without_channels(torch.stack((features.amax(1), features.mean(1)), 1)).sigmoid()
    assert torch.equal(weights, torch.full_like(weights, 0.5))


def test_pooling_first_costs_what_the_authors_code_does():
    """At 1024 channels and 14 x 14 positions: theta and W at all, phi and g at a quarter of them."""
    whole, pooled, channels, width = 14 * 14, 7 * 7, 1024, 512
    between = 2 * whole * pooled * width
    with torch.device("meta"):
        first, after = (NonLocal(channels, subsample=True, pool_first=first) for first in (True, False))
    assert count(first, (channels, 14, 14)).macs == (2 * whole + 2 * pooled) * channels * width + between == 266_735_616
    assert count(after, (channels, 14, 14)).macs == 4 * whole * channels * width + between == 420_876_288


@pytest.mark.parametrize("subsample", [False, True])
def test_where_to_pool_makes_a_difference_only_where_there_is_something_to_pool(subsample):
    first, after = (NonLocal(8, subsample=subsample, pool_first=value).double().eval() for value in (True, False))
    nn.init.ones_(after.norm.weight)
    first.load_state_dict(after.state_dict())
    features = images(1, 8, 6, 6)
    assert torch.equal(first(features), after(features)) is not subsample


@pytest.mark.parametrize(
    ("channels", "size"), [(1, 1), (4, 1), (7, 1), (8, 3), (127, 3), (128, 5), (2047, 5), (2048, 7)]
)
def test_the_kernel_of_eca_is_as_its_docstring_says(channels, size):
    assert EfficientChannelAttention(channels).conv.kernel_size == (size,)


def test_cbam_differs_from_spatial_attention_by_the_order_of_the_planes_and_a_normalisation():
    cbam, spatial = made("cbam", 4).eval(), made("spatial", 4).eval()
    assert isinstance(cbam.norm, nn.BatchNorm2d)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in spatial.modules())
    nn.init.zeros_(cbam.mlp[0].weight)  # each channel weighs one half
    nn.init.ones_(cbam.norm.weight)
    cbam.norm.eps = 0.0
    spatial.conv.weight.data.copy_(cbam.conv.weight.flip(1))
    features = images(1, 4, 6, 5).float()
    torch.testing.assert_close(cbam(2 * features), spatial(features))


def test_every_kind_that_a_spelling_without_options_names_is_what_it_was():
    """New options keep by default what was built before them."""
    se, coordinate, block = made("se", 64), made("coordinate", 64), made("non_local", 64, subsample=True)
    assert isinstance(se.activation, nn.ReLU)
    assert isinstance(se.gate, nn.Sigmoid)
    assert coordinate.rows.bias is not None
    assert isinstance(block.pool_before, nn.Identity)
    assert isinstance(CBAM(64).mlp[1], nn.ReLU)


@pytest.mark.parametrize(("kind", "layers"), [("selective_kernel", 4), ("strip", 3)])
def test_convolutions_start_by_kaimings_normal_of_their_outputs_where_the_authors_code_does(kind, layers):
    torch.manual_seed(0)
    weights = [p for p in ATTENTIONS[kind](128).parameters() if p.dim() == 4]
    assert len(weights) == layers
    for weight in weights:
        deviation = (2 / (weight.shape[0] * weight[0, 0].numel())) ** 0.5
        assert weight.std().item() == pytest.approx(deviation, rel=0.06)


@pytest.mark.parametrize(
    ("kind", "options", "fault"),
    [
        ("gather_excite", {"variant": "theta"}, "extent: found 0; allowed with theta: 2, 4, 8"),
        ("gather_excite", {"extent": True}, "extent: found True; allowed with minus: 0, 2, 4, 8"),
        ("gather_excite", {"extent": 3}, "extent: found 3; allowed with minus: 0, 2, 4, 8"),
        ("gather_excite", {"variant": "plain"}, "variant: found 'plain'; allowed: minus, theta, plus"),
        ("efficient_local", {"kernel_size": 4}, "kernel_size: found 4; allowed: an odd integer of at least 1"),
        ("efficient_local", {"norm_groups": 0}, "norm_groups: found 0; allowed: an integer of at least 1"),
        ("selective_kernel", {"branches": 1}, "branches: found 1; allowed: an integer of at least 2"),
    ],
)
def test_options_that_cannot_be_are_refused_with_what_is_allowed(kind, options, fault):
    with pytest.raises(ValueError, match=f"^{fault}$"):
        ATTENTIONS[kind](8, **options)
