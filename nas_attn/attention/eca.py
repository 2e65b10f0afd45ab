"""ECA: Wang, Wu, Zhu, Li, Zuo, Hu, "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks", 2019.

https://arxiv.org/abs/1910.03151
"""

from torch import Tensor, nn

from .options import same_padding


class EfficientChannelAttention(nn.Module):
    """Weigh each channel by what its neighbours among the channels are on average, (B, C, H, W) -> (B, C, H, W).

    The means over all positions, in the order of the channels, pass through one convolution of k of them, which all
    channels share, and a sigmoid. Fewer than 8 channels have a k of 1, so each weighs itself alone; 8 to 127 have 3,
    128 to 2047 have 5.

    Options:
        kernel_size: k, odd; without it, it follows from the channels as in the paper, with gamma 2 and beta 1: the
            integer part of (log2(C) + 1) / 2, or the next integer where that is even.

    Parameters: k. Raises `ValueError` for a kernel size that is not odd.
    """

    def __init__(self, channels: int, *, kernel_size: int | None = None) -> None:
        super().__init__()
        if kernel_size is None:
            # a number of n bits has a logarithm from n - 1 up to n, so n // 2 is the integer part, without rounding
            kernel_size = channels.bit_length() // 2 | 1
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=same_padding(kernel_size), bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each channel times its weight."""
        means = features.mean((2, 3))
        weights: Tensor = self.conv(means[:, None, :])[:, 0].sigmoid()
        return features * weights[:, :, None, None]
