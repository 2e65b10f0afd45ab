"""Which sizes of maps pass the sites of a network, found by a pass through weights that are never filled in."""

import logging
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor, nn

from nas_attn.backbones import network, on_meta
from nas_attn.cost import unfilled
from nas_attn.settings import Backbone
from nas_attn.space import Site, first_line

Size = tuple[int, int]
Passing = Mapping[str, tuple[tuple[Size, Size], ...]]
"""Height and width of the map and of the signal at each site, for each time that it is passed."""

_LOG = logging.getLogger(__name__)


class _Notes(nn.Module):
    """Hands on what passes, and notes its size and that of the signal."""

    gated = True

    def __init__(self, note: Callable[[tuple[Size, Size]], None]) -> None:
        super().__init__()
        self.note = note  # a function, because the network is copied, and functions are not

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:
        """The features as they came."""
        height, width, *of_signal = map(int, (*features.shape[2:], *gating_signal.shape[2:]))
        self.note(((height, width), (of_signal[0], of_signal[1])))
        return features


@cache
def passing_sizes(backbone: Backbone, image: tuple[int, int, int], classes: int) -> Passing:
    """Sizes at each site of a network for images of (channels, height, width).

    Nothing where it cannot take such images, which is logged: then nothing is known of its maps. The pass is on the
    CPU, because torch takes seconds to load what computes shapes on the `meta` device.
    """
    found: dict[str, list[tuple[Size, Size]]] = {}

    def insert(site: Site) -> nn.Module:
        noted = found.setdefault(site.name, [])
        return _Notes(lambda sizes: noted.append(sizes))

    plain = backbone.untrained
    try:
        with on_meta():
            built = network(plain)(in_channels=image[0], classes=classes, insert=insert)
        with torch.no_grad():
            unfilled(built)(torch.zeros(1, *image))
    except Exception as error:  # somebody else's network may fail in any way
        size = " x ".join(map(str, image))
        _LOG.info("%s: the sizes of its maps are not known for images of %s: %s", plain.name, size, first_line(error))
        return {}
    return {name: tuple(dict.fromkeys(sizes)) for name, sizes in found.items()}
