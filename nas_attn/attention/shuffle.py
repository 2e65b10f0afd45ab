"""Shuffle attention: Zhang, Yang, "SA-Net: Shuffle Attention for Deep Convolutional Neural Networks", 2021.

https://arxiv.org/abs/2102.00240
"""

import torch
from torch import Tensor, nn

from .options import common_groups


class ShuffleAttention(nn.Module):
    """Weigh one half of each group by its channels and the other by its positions, (B, C, H, W) -> (B, C, H, W).

    The channels are cut into g groups, and each group into two halves of d = C / 2g channels. The mean over all
    positions of a channel of the first half, and each value of a channel of the second, normalised by itself, passes
    through a weight and a bias of the channel and a sigmoid, which all groups share. Then the channels are shuffled, so
    that halves meet. Weights start at zero and biases at one, so that at first each value is weighed by 0.73.

    Options:
        groups: into how many the channels are cut; g is what it has in common with half of the channels, their greatest
            common divisor.

    Parameters: 6d. Raises `ValueError` for an option that cannot be, and for an odd number of channels.
    """

    def __init__(self, channels: int, *, groups: int = 64) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels: found {channels}; allowed: an even number")
        self.groups = common_groups(groups, channels // 2)
        half = channels // (2 * self.groups)
        self.norm = nn.GroupNorm(half, half)
        self.channel_weight, self.position_weight = (nn.Parameter(torch.zeros(1, half, 1, 1)) for _ in range(2))
        self.channel_bias, self.position_bias = (nn.Parameter(torch.ones(1, half, 1, 1)) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times its weight, in the order of the shuffle."""
        batch, channels, height, width = features.shape
        grouped = features.reshape(batch * self.groups, channels // self.groups, height, width)
        by_channel, by_position = grouped.chunk(2, dim=1)
        means = by_channel.mean((2, 3), keepdim=True)
        # not by calling the layer, which refuses a group of a single value
        norm = self.norm
        normalised = torch.group_norm(by_position, norm.num_groups, norm.weight, norm.bias, norm.eps)
        of_channel = (self.channel_weight * means + self.channel_bias).sigmoid()
        of_position = (self.position_weight * normalised + self.position_bias).sigmoid()
        weighed = torch.cat((by_channel * of_channel, by_position * of_position), dim=1)
        halves = weighed.reshape(batch, 2, channels // 2, height, width)
        return halves.transpose(1, 2).reshape(batch, channels, height, width)
