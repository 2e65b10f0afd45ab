"""Gather-excite: Hu, Shen, Albanie, Sun, Vedaldi, "Gather-Excite: Exploiting Feature Context in CNNs", 2018.

https://arxiv.org/abs/1810.12348
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .options import choice, reduced_width


class GatherExcite(nn.Module):
    """Weigh each channel by what its surroundings of some extent hold, (B, C, H, W) -> (B, C, H, W).

    The features are gathered to a map that is `extent` times smaller, and pass through a sigmoid; the nearest value
    weighs each position. "minus" gathers by means over 2 extent - 1 pixels and has no parameters. "theta" gathers by
    n = log2(extent) depthwise 3 x 3 convolutions of stride 2 without bias, each with batch normalisation and, between
    them, a ReLU. "plus" adds two 1 x 1 convolutions C -> m -> C with a ReLU between them, m = max(1, C // reduction).
    Weights start as torch's layers do.

    The paper's convolutions over the whole map fit one size of map only, so "theta" and "plus" need an extent above 0,
    and the default is the one without parameters. With an extent above 0 it is exported for maps of more than `extent`
    pixels a side.

    Options:
        variant: minus, theta or plus, for GE-theta-minus, GE-theta and GE-theta-plus.
        extent: 2, 4 or 8 times smaller; 0 gathers the whole map.
        reduction: how many times narrower the hidden layer of plus is.

    Parameters: 0; 11Cn for theta; 11Cn + 2Cm + m + C for plus. Raises `ValueError` for an option that cannot be.
    """

    def __init__(self, channels: int, *, variant: str = "minus", extent: int = 0, reduction: int = 16) -> None:
        super().__init__()
        choice("variant", variant, ("minus", "theta", "plus"))
        width = reduced_width(channels, reduction)
        sizes = (0, 2, 4, 8) if variant == "minus" else (2, 4, 8)
        if isinstance(extent, bool) or extent not in sizes:
            raise ValueError(f"extent: found {extent!r}; allowed with {variant}: {', '.join(map(str, sizes))}")
        self.extent = extent
        steps: list[nn.Module] = []
        for _ in range(extent.bit_length() - 1 if variant != "minus" else 0):
            conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False)
            steps += [nn.ReLU()] * bool(steps) + [conv, nn.BatchNorm2d(channels)]
        self.gather = nn.Sequential(*steps)
        hidden = (nn.Conv2d(channels, width, 1), nn.ReLU(), nn.Conv2d(width, channels, 1))
        self.excite = nn.Sequential(*(hidden if variant == "plus" else ()))

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times the weight of its surroundings."""
        if not self.extent:
            return features * features.mean((2, 3), keepdim=True).sigmoid()
        weights: Tensor = self.excite(self._gathered(features)).sigmoid()
        return features * F.interpolate(weights, size=features.shape[2:])

    def _gathered(self, features: Tensor) -> Tensor:
        if len(self.gather):
            gathered: Tensor = self.gather(features)
            return gathered
        e = self.extent
        return F.avg_pool2d(features, 2 * e - 1, stride=e, padding=e - 1, count_include_pad=False)
