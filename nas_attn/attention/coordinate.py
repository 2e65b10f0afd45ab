"""Coordinate attention: Hou, Zhou, Feng, "Coordinate Attention for Efficient Mobile Network Design", 2021.

https://arxiv.org/abs/2103.02907
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from .options import reduced_width, switch


class CoordinateAttention(nn.Module):
    """Weigh each channel by its row and by its column, (B, C, H, W) -> (B, C, H, W).

    The means over each row and over each column, H + W of them, pass together through a 1 x 1 convolution C -> m with
    m = max(8, C // reduction), batch normalisation and h-swish; then rows and columns each have their own 1 x 1
    convolution m -> C and sigmoid. In its paper it stands after the depthwise convolution, so `inner` comes first.

    Options:
        reduction: how many times narrower the hidden layer is; it has 8 channels at least.
        divisor: above 1 makes m a multiple of it, the nearest to C / reduction and never far below.
        bias: gives the three convolutions a bias, as the authors' code does.

    Parameters: 3Cm + 3m + 2C, and m + 2C fewer without `bias`. Raises `ValueError` for an option that cannot be.
    """

    positions: ClassVar[tuple[str, ...]] = ("inner", "branch", "pre", "identity", "block", "stage")

    def __init__(self, channels: int, *, reduction: int = 32, divisor: int = 1, bias: bool = True) -> None:
        super().__init__()
        width = reduced_width(channels, reduction, at_least=8, divisor=divisor)
        switch("bias", bias)
        self.squeeze = nn.Sequential(nn.Conv2d(channels, width, 1, bias=bias), nn.BatchNorm2d(width), nn.Hardswish())
        self.rows = nn.Conv2d(width, channels, 1, bias=bias)
        self.columns = nn.Conv2d(width, channels, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each channel times the weight of its row and of its column."""
        height = features.shape[2]
        row_means = features.mean(3, keepdim=True)
        column_means = features.mean(2, keepdim=True).transpose(2, 3)
        hidden = self.squeeze(torch.cat((row_means, column_means), dim=2))
        row_weights: Tensor = self.rows(hidden[:, :, :height]).sigmoid()
        column_weights: Tensor = self.columns(hidden[:, :, height:]).sigmoid().transpose(2, 3)
        return features * row_weights * column_weights
