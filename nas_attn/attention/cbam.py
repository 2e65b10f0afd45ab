"""CBAM: Woo, Park, Lee, Kweon, "CBAM: Convolutional Block Attention Module", 2018.

https://arxiv.org/abs/1807.06521
"""

import torch
from torch import Tensor, nn

from .options import reduced_width, same_padding, switch


class CBAM(nn.Module):
    """Weigh first the channels, then the positions, (B, C, H, W) -> (B, C, H, W).

    Channels: the mean and the maximum over all positions pass through the same two layers, C -> m -> C with
    m = max(1, C // reduction), and the sigmoid of their sum weighs. Positions: the maximum and the mean over the
    channels, in the order of the authors' code, pass through a k x k convolution, batch normalisation and a sigmoid;
    the normalisation stands in the code, not in the paper. It starts as there: the normalisation's gamma and all biases
    at zero, so that every position weighs one half at first.

    Options:
        reduction: how many times narrower the hidden layer is.
        kernel_size: of the convolution over the positions, odd.
        bias: gives the two layers a bias, as the authors' code does.
        divisor: above 1 makes m the multiple of it nearest to C / reduction, as MobileNets do, and never far below.

    Parameters: 2Cm + m + C + 2k^2 + 2, and m + C fewer without `bias`. Raises `ValueError` for an option that cannot
    be, and, as PyTorch's batch normalisation does, in training mode for a single position in a batch of one.
    """

    def __init__(
        self, channels: int, *, reduction: int = 16, kernel_size: int = 7, bias: bool = True, divisor: int = 1
    ) -> None:
        super().__init__()
        width = reduced_width(channels, reduction, divisor=divisor)
        squeeze = nn.Linear(channels, width, bias=switch("bias", bias))
        excite = nn.Linear(width, channels, bias=bias)
        self.mlp = nn.Sequential(squeeze, nn.ReLU(), excite)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=same_padding(kernel_size), bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")
        nn.init.zeros_(self.norm.weight)
        if bias:
            nn.init.zeros_(squeeze.bias)
            nn.init.zeros_(excite.bias)

    def forward(self, features: Tensor) -> Tensor:
        """The features times the weight of their channel and of their position."""
        channel_scores = self.mlp(features.mean((2, 3))) + self.mlp(features.amax((2, 3)))
        channel_weights: Tensor = channel_scores.sigmoid()
        features = features * channel_weights[:, :, None, None]
        planes = torch.cat((features.amax(1, keepdim=True), features.mean(1, keepdim=True)), dim=1)
        position_weights: Tensor = self.norm(self.conv(planes)).sigmoid()
        return features * position_weights
