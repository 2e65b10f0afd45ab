"""Selective kernel: Li, Wang, Hu, Yang, "Selective Kernel Networks", 2019.

https://arxiv.org/abs/1903.06586
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from .options import common_groups, count, reduced_width


class SelectiveKernel(nn.Module):
    """Mix convolutions of growing reach, channel by channel, (B, C, H, W) -> (B, C, H, W).

    M branches, each a grouped 3 x 3 convolution C -> C with g groups, dilated 1, 2, ... M, batch normalisation and a
    ReLU. The mean over all positions of their sum passes through a layer C -> m, m = max(32, C // reduction), batch
    normalisation and a ReLU, then M C; the softmax over the branches weighs each channel of each. Linear layers have no
    bias, and all start by Kaiming's normal of their outputs, as in the authors' code. In SKNet this replaces the 3 x 3
    convolution of a block, and may have a stride; here it stands after one, so `inner` comes first.

    Options:
        branches: how many convolutions, M, 2 at least.
        reduction: how many times narrower the hidden layer is; it has 32 channels at least.
        groups: into how many each convolution cuts the channels; g is what it has in common with the channels, their
            greatest common divisor.

    Parameters: 9MC^2/g + 2MC + (M + 1)Cm + 2m. Raises `ValueError` for an option that cannot be.
    """

    positions: ClassVar[tuple[str, ...]] = ("inner", "branch", "pre", "identity", "block", "stage")

    def __init__(self, channels: int, *, branches: int = 2, reduction: int = 16, groups: int = 32) -> None:
        super().__init__()
        if count("branches", branches) < 2:
            raise ValueError(f"branches: found {branches}; allowed: an integer of at least 2")
        shared, width = common_groups(groups, channels), reduced_width(channels, reduction, at_least=32)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=reach, dilation=reach, groups=shared, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for reach in range(1, branches + 1)
        )
        self.squeeze = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.select = nn.Conv2d(width, branches * channels, 1, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """The branches, each channel times its weight, in sum."""
        seen = torch.stack([branch(features) for branch in self.branches], dim=1)
        scores: Tensor = self.select(self.squeeze(seen.sum(1).mean((2, 3), keepdim=True)))
        weights = scores.reshape(-1, len(self.branches), features.shape[1], 1, 1).softmax(1)
        return (seen * weights).sum(1)
