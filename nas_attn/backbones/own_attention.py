"""Attention that a network of a library has by itself."""

from torch import nn

_NAMES: dict[str, tuple[str, ...]] = {
    "timm": (
        *("SEModule", "SqueezeExcite", "SqueezeExciteCl", "EffectiveSEModule", "EffectiveSqueezeExcite", "SEWithNorm"),
        *("EcaModule", "EfficientChannelAttn", "CecaModule", "CircularEfficientChannelAttn"),
        *("CbamModule", "LightCbamModule", "GatherExcite", "GlobalContext"),
        *("CoordAttn", "SimpleCoordAttn", "EfficientLocalAttn", "StripAttn", "NonLocalAttn", "BatNonLocalAttn"),
    ),
    "torchvision": ("SqueezeExcitation",),
}
"""Classes of each library that keep the shape of a feature map and weigh it, so that the identity can replace them."""


def is_attention(kind: type[nn.Module]) -> bool:
    """Whether a class of modules, or one that it is made from, is a library's attention."""
    return any(base.__name__ in _NAMES.get(base.__module__.partition(".")[0], ()) for base in kind.__mro__)


def attention_in(network: nn.Module) -> tuple[str, ...]:
    """The paths of the modules of a network that are a library's attention, the outermost of nested ones."""
    found: list[str] = []
    for path, module in network.named_modules():
        if is_attention(type(module)) and not any(path.startswith(f"{outer}.") for outer in found):
            found.append(path)
    return tuple(found)


def strip(network: nn.Module) -> tuple[str, ...]:
    """Replace a library's attention in a network by the identity; returns the paths where it was."""
    paths = attention_in(network)
    for path in paths:
        network.set_submodule(path, nn.Identity())
    return paths
