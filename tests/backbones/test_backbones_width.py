import pytest
import torch

from nas_attn.backbones import network, scaled, wider
from nas_attn.settings import Backbone
from nas_attn.space import InputError


def first_channels(backbone):
    return next(network(backbone)(in_channels=3, classes=10, insert=lambda site: None).parameters()).shape[0]


@pytest.mark.parametrize(("arguments", "share", "channels"), [({}, 0.5, 8), ({"width": 12}, 0.25, 3), ({}, 0.01, 1)])
def test_a_residual_network_keeps_a_share_of_its_channels(arguments, share, channels):
    assert first_channels(scaled(Backbone(name="resnet8", arguments=arguments), share)) == channels


def test_a_width_that_is_a_factor_is_multiplied():
    narrow = scaled(Backbone(name="mobilenetv2_small_images", arguments={"width": 0.5}), 0.5)
    assert dict(narrow.arguments) == {"width": 0.25}


def test_the_whole_width_is_the_backbone_itself():
    backbone = Backbone(name="vgg11")
    assert scaled(backbone, 1.0) is backbone


def test_other_arguments_stay():
    backbone = Backbone(name="mobilenetv2", arguments={"strides": [1, 1, 1, 2, 2, 1, 2, 1]})
    assert dict(scaled(backbone, 0.5).arguments) == {"strides": (1, 1, 1, 2, 2, 1, 2, 1), "width": 0.5}


def slim(*, in_channels, classes, width=10):
    """Somebody's own network; only its width matters here."""


def test_a_network_of_the_users_own_is_narrowed_by_its_own_width():
    named = Backbone(name=f"{__name__}:slim")
    assert dict(scaled(named, 0.5).arguments) == {"width": 5}


@pytest.mark.parametrize("name", ["vgg11", "timm:resnet18"])
def test_a_network_without_a_width_is_refused(name):
    with pytest.raises(InputError, match=f"width: found 0.5; {name} takes no `width`"):
        scaled(Backbone(name=name), 0.5)


@pytest.mark.parametrize(
    "backbone",
    [
        Backbone(name="resnet8"),
        Backbone(name="resnet8", arguments={"width": 5}),
        Backbone(name=f"{__name__}:slim"),
    ],
)
def test_wider_networks_have_one_channel_more_each(backbone):
    usual = dict(backbone.arguments).get("width", {"resnet8": 16}.get(backbone.name, 10))
    widths = [dict(scaled(backbone, share).arguments)["width"] for share in wider(backbone)]
    assert widths == list(range(usual + 1, 2 * usual + 1))


def test_a_network_whose_width_is_a_factor_grows_with_each_step():
    backbone = Backbone(name="mobilenetv2_small_images")
    with torch.device("meta"):
        networks = [
            network(scaled(backbone, share))(in_channels=3, classes=10, insert=lambda site: None)
            for share in [1.0, *wider(backbone)[:3]]
        ]
    sizes = [sum(parameter.numel() for parameter in built.parameters()) for built in networks]
    assert sizes == sorted(set(sizes))
    assert dict(scaled(backbone, wider(backbone)[-1]).arguments) == {"width": 2.0}


@pytest.mark.parametrize("name", ["vgg11", "timm:resnet18"])
def test_nothing_is_wider_than_a_network_without_a_width(name):
    assert wider(Backbone(name=name)) == []
