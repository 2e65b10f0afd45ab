"""CNNs that ask, site by site, what should stand there."""

from functools import partial
from typing import Protocol

from torch import nn

from nas_attn.settings import Backbone
from nas_attn.space import InputError, allowed

from .attachment import Attentions, Point, attach
from .discovery import Place
from .foreign import Plan, foreign_network, plan
from .insertion import Insert, attend, sites
from .libraries import is_foreign
from .resnet import CifarResNet
from .weights import load_backbone_weights

BACKBONES: dict[str, partial[nn.Module]] = {
    "resnet8": partial(CifarResNet, depth=8),
    "resnet20": partial(CifarResNet, depth=20),
    "resnet32": partial(CifarResNet, depth=32),
    "resnet56": partial(CifarResNet, depth=56),
    "resnet110": partial(CifarResNet, depth=110),
}
"""Every built-in network by name; called with `in_channels`, `classes` and `insert`."""


class Network(Protocol):
    """Builds a network, on the current default device, and asks `insert` what stands at each of its sites."""

    def __call__(self, *, in_channels: int, classes: int, insert: Insert) -> nn.Module:
        """The network for images of this many channels, with this many class scores."""


def network(backbone: Backbone) -> Network:
    """What builds this backbone: a built-in one, or one from outside, whose sites are found when it is built.

    Raises `InputError` where there is no such network.
    """
    if is_foreign(backbone.name):
        return partial(foreign_network, backbone)
    if backbone.name not in BACKBONES:
        raise InputError(
            f"unknown backbone {backbone.name!r}; {allowed(backbone.name, BACKBONES)}, "
            "timm:NAME, torchvision:NAME, PACKAGE.MODULE:FUNCTION"
        )
    return partial(BACKBONES[backbone.name], **dict(backbone.arguments))


__all__ = [
    "BACKBONES",
    "Attentions",
    "CifarResNet",
    "Insert",
    "Network",
    "Place",
    "Plan",
    "Point",
    "attach",
    "attend",
    "load_backbone_weights",
    "network",
    "plan",
    "sites",
]
