"""Which sizes of maps pass the sites of a network, found without computing anything."""

import logging
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from nas_attn.backbones import network
from nas_attn.settings import Backbone
from nas_attn.space import Site, first_line

Size = tuple[int, int]
Passing = Mapping[str, tuple[tuple[Size, Size], ...]]
"""Height and width of the map and of the signal at each site, for each time that it is passed."""

_LOG = logging.getLogger(__name__)


class _Notes(nn.Module):
    """Hands on what passes, and notes its size and that of the signal."""

    gated = True

    def __init__(self, noted: list[tuple[Size, Size]]) -> None:
        super().__init__()
        self.noted = noted

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:
        """The features as they came."""
        height, width, *of_signal = map(int, (*features.shape[2:], *gating_signal.shape[2:]))
        self.noted.append(((height, width), (of_signal[0], of_signal[1])))
        return features


@cache
def passing_sizes(backbone: Backbone, image: tuple[int, int, int], classes: int) -> Passing:
    """Sizes at each site of a network for images of (channels, height, width).

    Nothing where it cannot take such images on the `meta` device, which is logged: then nothing is known of its maps.
    """
    found: dict[str, list[tuple[Size, Size]]] = {}

    def insert(site: Site) -> nn.Module:
        return _Notes(found.setdefault(site.name, []))

    plain = backbone.untrained
    try:
        with torch.device("meta"), torch.no_grad():
            network(plain)(in_channels=image[0], classes=classes, insert=insert).eval()(torch.zeros(2, *image))
    except Exception as error:  # somebody else's network may fail in any way
        size = " x ".join(map(str, image))
        _LOG.info("%s: the sizes of its maps are not known for images of %s: %s", plain.name, size, first_line(error))
        return {}
    return {name: tuple(dict.fromkeys(sizes)) for name, sizes in found.items()}
