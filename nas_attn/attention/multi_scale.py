"""EMA: Ouyang et al., "Efficient Multi-Scale Attention Module with Cross-Spatial Learning", 2023.

https://arxiv.org/abs/2305.13563
"""

import torch
from torch import Tensor, nn

from .options import common_groups


class EfficientMultiScaleAttention(nn.Module):
    """Weigh each position, group by group, by what two scales see of each other, (B, C, H, W) -> (B, C, H, W).

    The channels are cut into g groups of d = C / g, which share everything. One scale weighs a group by its rows and
    columns: their means pass together through a 1 x 1 convolution d -> d and a sigmoid, and each channel is normalised
    by itself. The other is a 3 x 3 convolution d -> d of the group. The softmax over the channels of each scale's mean
    over all positions weighs the channels of the other scale; the sigmoid of the sum of both weighs the positions.

    Options:
        groups: into how many the channels are cut; g is what it has in common with the channels, their greatest common
            divisor.

    Parameters: 10d^2 + 4d. Raises `ValueError` for an option that cannot be.
    """

    def __init__(self, channels: int, *, groups: int = 8) -> None:
        super().__init__()
        self.groups = common_groups(groups, channels)
        width = channels // self.groups
        self.norm = nn.GroupNorm(width, width)
        self.of_sides = nn.Conv2d(width, width, 1)
        self.around = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each position of each group times its weight."""
        batch, channels, height, width = features.shape
        grouped = features.reshape(batch * self.groups, channels // self.groups, height, width)
        by_side, near = self._by_side(grouped), self.around(grouped)
        scores = self._means(by_side) @ near.flatten(2) + self._means(near) @ by_side.flatten(2)
        weighed: Tensor = grouped * scores.sigmoid().reshape(batch * self.groups, 1, height, width)
        return weighed.reshape(batch, channels, height, width)

    def _by_side(self, grouped: Tensor) -> Tensor:
        """The groups, weighed by their rows and columns and normalised."""
        height = grouped.shape[2]
        means = torch.cat((grouped.mean(3, keepdim=True), grouped.mean(2, keepdim=True).transpose(2, 3)), dim=2)
        weights: Tensor = self.of_sides(means).sigmoid()
        weighed = grouped * weights[:, :, :height] * weights[:, :, height:].transpose(2, 3)
        # not by calling the layer, which refuses a group of a single value
        norm = self.norm
        return torch.group_norm(weighed, norm.num_groups, norm.weight, norm.bias, norm.eps)

    def _means(self, scale: Tensor) -> Tensor:
        """The softmax over the channels of their means over all positions, (B g, 1, d)."""
        return scale.mean((2, 3)).softmax(1)[:, None]
