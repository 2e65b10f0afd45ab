"""Attention placed in a network, for tests of networks that somebody else wrote."""

import torch
from torch import nn

from nas_attn.attention import ATTENTIONS, IdentityStart
from nas_attn.backbones import network
from nas_attn.settings import Backbone

LIBRARIES = ("timm", "torchvision")


def installed(library):
    """Whether a library is there, and can be imported beside this torch."""
    try:
        __import__(library)
    except (ImportError, RuntimeError):
        return False
    return True


class Recorder(nn.Module):
    """Lets features pass, and remembers their shape and that of the gating signal."""

    gated = True

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, features, gating_signal):
        self.shapes.append((tuple(features.shape), tuple(gating_signal.shape)))
        return features


def attention_at(site, kind, *, start="paper", **options):
    """An attention of this kind for a site; a gated one is told how many channels its signal has."""
    made = ATTENTIONS[kind]
    signal = (site.signal_channels,) if getattr(made, "gated", False) else ()
    attention = made(site.channels, *signal, **options)
    return IdentityStart(attention) if start == "identity" else attention


def build(backbone, insert=lambda site: None, *, in_channels=3, classes=10, seed=0):
    """A network with what `insert` answers; equal seeds give equal initial weights of the backbone."""
    chosen = Backbone.model_validate(backbone)
    torch.manual_seed(seed)
    return network(chosen)(in_channels=in_channels, classes=classes, insert=insert)


def on_meta(backbone, insert=lambda site: None, *, classes=1000):
    """The same without weights."""
    with torch.device("meta"):
        return build(backbone, insert, classes=classes)


def params(built):
    return sum(parameter.numel() for parameter in built.parameters())


def wake(built, seed=0):
    """Give random weights to whatever starts at zero, so that nothing hides what stands before it."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in built.parameters():
        if not parameter.any():
            with torch.no_grad():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return built
