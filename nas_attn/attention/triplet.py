"""Triplet attention: Misra et al., "Rotate to Attend: Convolutional Triplet Attention Module", 2020.

https://arxiv.org/abs/2010.03045
"""

import torch
from torch import Tensor, nn

from .options import same_padding


class TripletAttention(nn.Module):
    """Weigh each value in three planes, channels with rows and columns among them, (B, C, H, W) -> (B, C, H, W).

    Each of three branches leaves out one dimension, the rows, the columns or the channels: the maximum and the mean
    over it, in this order, are two planes of the other two dimensions, (C, W), (H, C) or (H, W), and pass through their
    own k x k convolution without bias, batch normalisation and a sigmoid. Each value is weighed by the mean of its
    three weights. The number of channels changes nothing. It starts as in the authors' code: the convolutions by
    Kaiming's normal of their outputs, and the normalisation of the branch without channels at a gamma of zero, so that
    it weighs one half at first.

    Options:
        kernel_size: of the three convolutions, odd.

    Parameters: 6k^2 + 6. Raises `ValueError` for a kernel size that is not odd, and, as PyTorch's batch normalisation
    does, in training mode for a batch of one with a plane of a single value.
    """

    def __init__(self, channels: int, *, kernel_size: int = 7) -> None:
        super().__init__()
        padding = same_padding(kernel_size)
        convolutions = [nn.Conv2d(2, 1, kernel_size, padding=padding, bias=False) for _ in range(3)]
        norms = [nn.BatchNorm2d(1, momentum=0.01) for _ in range(3)]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out")
        nn.init.zeros_(norms[-1].weight)
        self.without_rows, self.without_columns, self.without_channels = map(nn.Sequential, convolutions, norms)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times the mean of its weights in the three planes."""
        in_three_planes = (
            self._weights(self.without_rows, features, 2)
            + self._weights(self.without_columns, features, 3)
            + self._weights(self.without_channels, features, 1)
        )
        return features * (in_three_planes / 3)

    def _weights(self, branch: nn.Module, features: Tensor, left_out: int) -> Tensor:
        """The weights in the plane without one dimension, whose size is 1 there."""
        rotated = features.transpose(1, left_out)
        planes = torch.cat((rotated.amax(1, keepdim=True), rotated.mean(1, keepdim=True)), dim=1)
        weights: Tensor = branch(planes).sigmoid()
        return weights.transpose(1, left_out)
