"""ELA: Xu, Wan, "ELA: Efficient Local Attention for Deep Convolutional Neural Networks", 2024.

https://arxiv.org/abs/2403.01123
"""

import math

import torch
from torch import Tensor, nn

from .options import count, same_padding


class EfficientLocalAttention(nn.Module):
    """Weigh each channel by its row and by its column, without reducing channels, (B, C, H, W) -> (B, C, H, W).

    The means over each row pass through a convolution along the column of k taps, and those over each column through
    the same along the row, each followed by group normalisation and a sigmoid, which both share; weights start as
    torch's layers do. The paper names four:
    ELA-B is the default, ELA-T has kernel_size 5 and norm_groups 32, ELA-S kernel_size 5 and group_width 8, ELA-L
    group_width 8.

    Options:
        kernel_size: along a strip, k, odd.
        group_width: how many channels a group of the convolution sees; w is what it has in common with the channels,
            their greatest common divisor.
        norm_groups: into how many groups the channels are normalised; what it has in common with the channels.

    Parameters: kCw + 2C. Raises `ValueError` for an option that cannot be.
    """

    def __init__(self, channels: int, *, kernel_size: int = 7, group_width: int = 1, norm_groups: int = 16) -> None:
        super().__init__()
        padding, shared = same_padding(kernel_size), math.gcd(count("group_width", group_width), channels)
        groups = channels // shared
        self.conv = nn.Conv1d(channels, channels, kernel_size, padding=padding, groups=groups, bias=False)
        self.norm = nn.GroupNorm(math.gcd(count("norm_groups", norm_groups), channels), channels)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each channel times the weight of its row and of its column."""
        return features * self._weights(features.mean(3))[:, :, :, None] * self._weights(features.mean(2))[:, :, None]

    def _weights(self, strip: Tensor) -> Tensor:
        # not by calling the layer, which refuses a group of a single value
        norm = self.norm
        return torch.group_norm(self.conv(strip), norm.num_groups, norm.weight, norm.bias, norm.eps).sigmoid()
