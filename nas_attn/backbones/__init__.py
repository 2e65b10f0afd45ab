"""CNNs with sites, at each of which an attention may stand."""

from functools import partial
from inspect import signature
from typing import Protocol

from torch import nn

from nas_attn.settings import Backbone
from nas_attn.space import InputError, allowed

from .attachment import Attentions, Point, attach
from .builtin import BACKBONES
from .foreign import foreign_network, plan
from .insertion import Insert, attend, seeded, sites
from .libraries import construction, is_foreign, of_library, ordinary_part, part_of, plain_network, without_advice
from .meta import is_on_meta, on_meta
from .mobilenet import MobileNetV2
from .resnet import CifarResNet
from .vgg import VGG
from .weights import load_backbone_weights
from .width import scaled, wider


class Network(Protocol):
    """Builds a network, on the current default device, and asks `insert` what stands at each of its sites."""

    def __call__(self, *, in_channels: int, classes: int, insert: Insert, **made: nn.Module) -> nn.Module:
        """The network for images of this many channels, with this many class scores.

        A foreign one may be `made` already, as `network`.
        """


def network(backbone: Backbone) -> Network:
    """What builds this backbone; raises `InputError` where there is no such network."""
    if is_foreign(backbone.name):
        return partial(foreign_network, backbone)
    if backbone.name not in BACKBONES:
        raise InputError(
            f"unknown backbone {backbone.name!r}; {allowed(backbone.name, BACKBONES)}, "
            "timm:NAME, torchvision:NAME, PACKAGE.MODULE:FUNCTION"
        )
    if backbone.auxiliary_weight is not None:
        raise InputError(f"{backbone.name}: auxiliary_weight: gives no auxiliary scores; leave it out")
    make, arguments = BACKBONES[backbone.name], dict(backbone.arguments)
    known = [name for name in signature(make.func).parameters if name not in ("in_channels", "classes", "insert")]
    for name in arguments:
        if name not in known:
            raise InputError(f"{backbone.name}: unknown argument {name!r}; {allowed(name, known)}")
    return partial(make, **arguments)
