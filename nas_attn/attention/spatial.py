"""Spatial attention alone: Woo, Park, Lee, Kweon, "CBAM: Convolutional Block Attention Module", 2018.

Section 3, equation 3 of https://arxiv.org/abs/1807.06521
"""

import torch
from torch import Tensor, nn

from .options import same_padding


class SpatialAttention(nn.Module):
    """Weigh each position by what stands around it, (B, C, H, W) -> (B, C, H, W).

    The mean and the maximum over the channels, in the order of the paper's equation, pass through one k x k
    convolution and a sigmoid, with neither bias nor normalisation. The number of channels changes nothing. It is the
    equation of the paper, not the second half of `cbam` here, which has the planes in the order of the authors' code,
    the maximum first, and a batch normalisation after the convolution.

    Options:
        kernel_size: of the convolution, odd.

    Parameters: 2k^2. Raises `ValueError` for a kernel size that is not odd.
    """

    def __init__(self, channels: int, *, kernel_size: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=same_padding(kernel_size), bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each position times its weight."""
        planes = torch.cat((features.mean(1, keepdim=True), features.amax(1, keepdim=True)), dim=1)
        weights: Tensor = self.conv(planes).sigmoid()
        return features * weights
