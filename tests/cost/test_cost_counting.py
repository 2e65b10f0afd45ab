import pytest
import torch
import torch.nn.functional as F
from fvcore.nn.jit_analysis import _IGNORED_OPS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.cost import Cost, UncountedOperator, count
from nas_attn.cost.operators import FREE, PER_INPUT_ELEMENT, PER_OUTPUT_ELEMENT, PRODUCTS, counts


class Apply(nn.Module):
    """A function as a network; weights are given as they are."""

    def __init__(self, function, *weights):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(weights)

    def forward(self, images):
        return self.function(images, *self.weights)


def torch_macs(network, image):
    """The oracle: half of what torch counts while it runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.randn(1, *image))
    return counter.get_total_flops() / 2


PRODUCT_NETWORKS = {
    "convolution": nn.Conv2d(3, 8, 3, stride=2, padding=1),
    "same padding": nn.Conv2d(3, 8, 5, padding="same", bias=False),
    "grouped and dilated": nn.Conv2d(3, 9, 3, groups=3, dilation=2),
    "transposed": nn.ConvTranspose2d(3, 4, 3, stride=2),
    "one dimension": nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 5, 3)),
    "three dimensions": Apply(lambda x, w: F.conv3d(x[:, None], w), torch.randn(2, 1, 2, 2, 2)),
    "linear": nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 7, 5)),
    "linear over the last dimension": nn.Linear(7, 4, bias=False),
    "mm": Apply(lambda x, w: torch.mm(x[0, 0], w), torch.randn(7, 6)),
    "addmm": Apply(lambda x, w: torch.addmm(w[0], x[0, 0], w), torch.randn(7, 6)),
    "bmm": Apply(lambda x: torch.bmm(x[0], x[0].transpose(1, 2))),
    "baddbmm": Apply(lambda x: torch.baddbmm(x[0, :, :1, :1], x[0], x[0].transpose(1, 2))),
    "matmul with a broadcast batch": Apply(lambda x, w: w @ x, torch.randn(1, 2, 8)),
    "matmul with the smaller batch first": Apply(lambda x, w: torch.matmul(w, x), torch.randn(1, 1, 4, 8)),
    "einsum": Apply(lambda x: torch.einsum("bchw,bcHw->bchH", x, x)),
    "einsum of two dimensions": Apply(lambda x, w: torch.einsum("bchw,wv->bchv", x, w), torch.randn(7, 6)),
}


@pytest.mark.parametrize("name", PRODUCT_NETWORKS)
def test_macs_are_half_of_what_torch_counts(name):
    network = PRODUCT_NETWORKS[name]
    assert count(network, (3, 8, 7)).macs == torch_macs(network, (3, 8, 7)) > 0


def test_a_product_with_a_vector_is_counted():
    assert count(Apply(lambda x, w: x @ w, torch.randn(7)), (3, 8, 7)).macs == 3 * 8 * 7


def test_scaled_dot_product_attention_is_counted_where_torch_counts_nothing():
    network = Apply(lambda x: F.scaled_dot_product_attention(x, x[:, :, :5], x[:, :, :5]))
    scores = 3 * 8 * 5
    assert count(network, (3, 8, 7)) == Cost(0, 2 * scores * 7, 4 * scores * 7 + 2 * scores)


ELEMENTS = 3 * 8 * 6

OTHER_NETWORKS = {
    "relu": (F.relu, ELEMENTS),
    "relu in place": (lambda x: torch.relu_(x * 1), 2 * ELEMENTS),
    "sigmoid and product": (lambda x: x * x.sigmoid(), 2 * ELEMENTS),
    "product of a row and a column": (lambda x: x[:, :, :1] * x[:, :, :, :1], ELEMENTS),
    "h-swish": (F.hardswish, ELEMENTS),
    "relu6": (F.relu6, ELEMENTS),
    "gelu": (F.gelu, ELEMENTS),
    "softmax": (lambda x: x.softmax(-1), ELEMENTS),
    "clamp": (lambda x: x.clamp(0, 1), ELEMENTS),
    "mean": (lambda x: x.mean((2, 3)), ELEMENTS),
    "sum over channels": (lambda x: x.sum(1), ELEMENTS),
    "amax": (lambda x: x.amax((2, 3)), ELEMENTS),
    "max with indices": (lambda x: x.max(1)[0], ELEMENTS),
    "average pool": (lambda x: F.avg_pool2d(x, 2), ELEMENTS),
    "max pool": (lambda x: F.max_pool2d(x, 3, 2, 1), ELEMENTS),
    "adaptive average pool": (lambda x: F.adaptive_avg_pool2d(x, 1), ELEMENTS),
    "adaptive max pool": (lambda x: F.adaptive_max_pool2d(x, 2), ELEMENTS),
    "interpolation": (lambda x: F.interpolate(x, scale_factor=2.0), 4 * ELEMENTS),
    "bilinear interpolation": (
        lambda x: F.interpolate(x, size=(16, 12), mode="bilinear", align_corners=False),
        4 * ELEMENTS,
    ),
    "layer normalisation": (lambda x: F.layer_norm(x, x.shape[1:]), ELEMENTS),
    "group normalisation": (lambda x: F.group_norm(x, 3), ELEMENTS),
    "views and copies": (lambda x: torch.cat((x, x), 1).flatten(2).transpose(1, 2).reshape(-1).clone()[:7], 0),
    "padding": (lambda x: F.pad(x, (1, 1, 1, 1)), 0),
    "dropout, which does nothing here": (lambda x: F.dropout(x, 0.5, training=False), 0),
    "arithmetic on sizes": (lambda x: x.reshape(x.shape[0], x.shape[1] * x.shape[2] // 2, -1), 0),
}


@pytest.mark.parametrize("name", OTHER_NETWORKS)
def test_every_other_operator_costs_its_elements(name):
    function, elements = OTHER_NETWORKS[name]
    assert count(Apply(function), (3, 8, 6)) == Cost(params=0, macs=0, flops=elements)


def test_batch_normalisation_costs_one_for_each_element_even_while_training():
    network = nn.BatchNorm2d(3).train()
    assert count(network, (3, 8, 6)) == Cost(params=6, macs=0, flops=ELEMENTS)
    assert network.training


def test_a_residual_block_is_counted_as_by_hand():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, features):
            return F.relu(features + self.norm(self.conv(features)))

    macs = 4 * 4 * 9 * 5 * 6
    assert count(Block(), (4, 5, 6)) == Cost(params=4 * 4 * 9 + 8, macs=macs, flops=2 * macs + 3 * (4 * 5 * 6))


LAYERS = (
    lambda: nn.Conv2d(4, 4, 3, padding=1),
    lambda: nn.BatchNorm2d(4),
    lambda: nn.Hardswish(),
    lambda: nn.AvgPool2d(3, 1, 1),
    lambda: Apply(lambda x: x * x.mean((2, 3), keepdim=True).sigmoid()),
    lambda: Apply(lambda x: (x.flatten(2) @ x.flatten(2).transpose(1, 2)).softmax(-1) @ x.flatten(2)),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=5))
def test_costs_add_up(makers):
    layers = [make() for make in makers]
    layers = [
        nn.Sequential(layer, nn.Unflatten(-1, (5, 6))) if make is LAYERS[-1] else layer
        for make, layer in zip(makers, layers, strict=True)
    ]
    whole, parts = count(nn.Sequential(*layers), (4, 5, 6)), [count(layer, (4, 5, 6)) for layer in layers]
    for measure in ("params", "macs", "flops"):
        assert getattr(whole, measure) == sum(getattr(part, measure) for part in parts)


def test_a_shared_parameter_is_one_parameter_and_two_products():
    layer = nn.Linear(6, 6, bias=False)
    assert count(nn.Sequential(layer, layer), (3, 8, 6)) == Cost(36, 2 * 36 * 24, 4 * 36 * 24)


def test_an_operator_without_a_price_is_an_error_that_names_it():
    network = Apply(lambda x: torch.erfinv(x.abs()).lgamma())
    with pytest.raises(UncountedOperator, match=r"aten::erfinv, aten::lgamma") as error:
        count(network, (3, 8, 6))
    assert "rules={'aten::erfinv': rule}" in str(error.value)


def test_a_rule_gives_an_operator_its_price():
    rules = {"aten::erfinv": lambda _inputs, _outputs: 10}
    assert count(Apply(torch.erfinv), (3, 8, 6), rules).flops == 10


def test_nothing_that_fvcore_ignores_is_ignored_silently():
    priced = counts({})
    assert {name for name in _IGNORED_OPS if name not in priced} == set()
    named = [*PRODUCTS, *PER_OUTPUT_ELEMENT, *PER_INPUT_ELEMENT, *FREE]
    assert len(named) == len(set(named))


def test_the_network_stays_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, (3, 8, 8))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_network_on_the_meta_device_is_counted_the_same():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    assert count(network, (3, 8, 8)) == count(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (3, 8, 8)
    )


def test_counting_is_quiet(capfd):
    count(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Identity())), (3, 8, 8))
    assert capfd.readouterr() == ("", "")
