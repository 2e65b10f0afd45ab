"""Sites in chains of convolutions, and in networks that write their additions out: after which module they stand."""

import chain_nets
import pytest
import torch
from placing import LIBRARIES, attention_at, build, installed, on_meta, params
from torch import nn

from nas_attn.backbones import plan
from nas_attn.settings import Backbone


def planned(name, **arguments):
    source = name.partition(":")[0]
    if source in LIBRARIES and not installed(source):
        pytest.skip(f"{source} is not there")
    return plan(Backbone(name=name, arguments=arguments), in_channels=3, classes=10)


def at(name, position="block", **arguments):
    """The modules of a position, each with its channels."""
    sites = [site for site, _ in planned(f"chain_nets:{name}", **arguments).places if site.position == position]
    return [f"{site.module} {site.channels}" for site in sites]


@pytest.mark.parametrize("norm", chain_nets.NORMS)
def test_attention_stands_after_the_activation_whatever_normalises(norm):
    assert at("normed", norm=norm) == ["2 8", "5 16", "8 16"]
    assert at("normed", "stage", norm=norm) == ["2 8", "8 16"]


@pytest.mark.parametrize("activation", chain_nets.ACTIVATIONS)
def test_attention_stands_after_the_activation_whichever_it_is(activation):
    assert at("normed", activation=activation) == ["2 8", "5 16", "8 16"]
    assert at("plain", activation=activation) == ["1 8", "3 16", "5 16"]


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("activated_first", ["2 8", "5 16"]),
        ("pooled", ["2 8", "6 16", "9 16", "12 16"]),
        ("wider_and_narrower", ["2 16", "5 8", "8 8"]),
        ("units", ["0 8", "1 16", "2 16"]),
        ("preactivated", ["0.conv 8", "1.conv 16", "2.conv 16"]),
        ("preactivated_pairs", ["0 8", "1 16", "2 16"]),
        ("preactivated_to_the_end", ["0.conv 8", "1.conv 16"]),
        ("activated_outside", ["1 8", "3 16", "5 16"]),
        ("separable", ["2 8", "5 16", "8 16"]),
        ("nested", ["0.1 8", "1.1 16", "2.1 16"]),
        ("reparametrised", ["1 8", "3 16", "5 16"]),
    ],
)
def test_attention_stands_at_the_end_of_each_unit_and_before_its_pooling(name, modules):
    assert at(name) == modules


@pytest.mark.parametrize(
    ("named", "modules"),
    [
        ("torchvision.ops.misc:Conv2dNormActivation", ["0.2 8", "1.2 16", "2.2 16"]),
        ("timm.layers:ConvNormAct", ["0.bn.act 8", "1.bn.act 16", "2.bn.act 16"]),
        ("timm.layers:BatchNormAct2d", ["1.act 8", "3.act 16", "5.act 16"]),
        ("timm.layers:FrozenBatchNormAct2d", ["1.act 8", "3.act 16", "5.act 16"]),
        ("timm.layers:FilterResponseNormTlu2d", ["1 8", "3 16", "5 16"]),
        ("timm.layers:EvoNorm2dB0", ["1 8", "3 16", "5 16"]),
    ],
)
def test_attention_stands_after_what_libraries_join_to_a_convolution(named, modules):
    if not installed(named.partition(".")[0]):
        pytest.skip("its library is not there")
    assert at("from_library", named=named) == modules


def test_attention_behind_a_functional_activation_stands_before_what_takes_its_map():
    assert at("Functional") == ["<conv2 8", "norm2 16", "<pool 16"]
    assert at("Reusing") == ["<down 8", "<conv3 16", "<pool 16"]


def test_attention_that_has_to_stand_before_an_activation_is_told():
    told = "attention comes before an activation that no module gives"
    assert planned("chain_nets:Functional").remarks == (f"After norm2: {told}",)
    assert planned("chain_nets:Keeping").remarks == (f"After norm1: {told}",)
    assert planned("chain_nets:Reusing").remarks == planned("chain_nets:normed").remarks == ()


def torchvisions_vgg(name):
    """The last module before each pooling and each convolution but the first, as the network itself lists them."""
    layers = on_meta(name).features
    following = [*layers[1:], nn.MaxPool2d(2)]
    return [
        number
        for number, (layer, after) in enumerate(zip(layers, following, strict=True))
        if isinstance(after, nn.Conv2d | nn.MaxPool2d) and not isinstance(layer, nn.MaxPool2d)
    ]


@pytest.mark.parametrize("name", ["torchvision:vgg11", "torchvision:vgg11_bn"])
def test_a_vgg_with_normalisation_has_the_sites_of_one_without(name):
    sites = [site for site, _ in planned(name).places]
    modules = [site.module for site in sites if site.position == "block"]
    assert modules == [f"features.{number}" for number in torchvisions_vgg(name)]
    assert [site.channels for site in sites if site.position == "stage"] == [64, 128, 256, 512, 512]
    assert [site.name for site in sites] == [site.name for site, _ in planned("torchvision:vgg11").places]


@pytest.mark.parametrize("name", ["torchvision:vgg11_bn", "chain_nets:normed", "chain_nets:Functional"])
def test_attention_comes_behind_the_activation_in_training_as_in_evaluation(name):
    planned(name)
    lowest = {}

    class Lowest(nn.Module):
        def __init__(self, site):
            super().__init__()
            self.name = site.name

        def forward(self, features):
            lowest[self.name] = features.min().item()
            return features

    built = build(name, lambda site: Lowest(site) if site.module != "norm2" else None)
    least = -0.2785 if name == "chain_nets:Functional" else 0.0  # the lowest value of SiLU
    for mode in (True, False):
        lowest.clear()
        with torch.no_grad():
            built.train(mode)(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
        assert len(lowest) > 3
        assert all(value >= least for value in lowest.values())


def test_squeeze_and_excitation_after_one_shot_blocks_costs_what_theirs_costs():
    planned("timm:ese_vovnet19b_dw")
    stripped = Backbone(name="timm:ese_vovnet19b_dw", attention="strip")
    theirs = params(on_meta("timm:ese_vovnet19b_dw")) - params(on_meta(stripped))
    widths = [site.channels for site, _ in plan(stripped, in_channels=3, classes=10).places if site.position == "block"]
    assert sum(width * width + width for width in widths) == theirs == 1_968_640


def test_a_gated_attention_behind_a_block_gets_its_features_as_signal():
    gate = build("chain_nets:separable", lambda site: attention_at(site, "gate") if site.name.endswith("k") else None)
    with torch.no_grad():
        assert gate.eval()(torch.randn(2, 3, 16, 16)).isfinite().all()
    assert {site.signal_channels for site, _ in planned("chain_nets:separable").places if site.position == "block"} == {
        None
    }
