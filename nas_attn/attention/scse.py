"""scSE: Roy et al., "Concurrent Spatial and Channel 'Squeeze & Excitation' in Fully Convolutional Networks", 2018.

https://arxiv.org/abs/1803.02579, and for the maximum https://arxiv.org/abs/1808.08127
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from .options import choice, reduced_width


class ConcurrentSqueezeExcitation(nn.Module):
    """Weigh the channels and, beside them, the positions, (B, C, H, W) -> (B, C, H, W).

    Channels: the mean over all positions passes through two fully connected layers, C -> m -> C with
    m = max(1, C // reduction), and a sigmoid. Positions: a 1 x 1 convolution C -> 1 and a sigmoid. In both papers it
    stands after a block.

    Options:
        reduction: how many times narrower the hidden layer is.
        combination: how the two weighed maps become one: max takes the larger value, as the authors' code does, which
            of two negative values is the one with the smaller weight; add takes their sum, as the first paper does.

    Parameters: 2Cm + m + 2C + 1. Raises `ValueError` for an option that cannot be.
    """

    positions: ClassVar[tuple[str, ...]] = ("block", "stage", "branch", "inner", "pre", "identity")

    def __init__(self, channels: int, *, reduction: int = 2, combination: str = "max") -> None:
        super().__init__()
        self.combination = choice("combination", combination, ("max", "add"))
        width = reduced_width(channels, reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, channels))
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """The larger, or the sum, of the features times their channel's and times their position's weight."""
        channel_weights: Tensor = self.mlp(features.mean((2, 3))).sigmoid()
        position_weights: Tensor = self.conv(features).sigmoid()
        by_channel = features * channel_weights[:, :, None, None]
        by_position = features * position_weights
        return torch.maximum(by_channel, by_position) if self.combination == "max" else by_channel + by_position
