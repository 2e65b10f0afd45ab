"""The additive attention gate: Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas", 2018.

https://arxiv.org/abs/1804.03999
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import reduced_width


class AttentionGate(nn.Module):
    """Weigh each position by the features and a gating signal there, two (B, C, H, W) -> (B, C, H, W).

    Both pass through a 1 x 1 convolution C -> n with n = max(1, C // reduction) and batch normalisation; the ReLU of
    their sum passes through a 1 x 1 convolution n -> 1, batch normalisation and a sigmoid.

    An adaptation: in the paper the gating signal comes from a coarser scale of a U-Net. Inside a residual block it is
    the block's input as the shortcut hands it on, so both have one shape and nothing is resampled, and each
    convolution is normalised.

    Parameters: 2Cn + 7n + 3. Raises `ValueError` for an option that cannot be, and, as PyTorch's batch normalisation
    does, in training mode for a single position in a batch of one.
    """

    gated: ClassVar[bool] = True
    """Called with a gating signal beside the features."""

    def __init__(self, channels: int, *, reduction: int = 2) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        self.from_features = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        self.from_signal = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        self.activation = nn.ReLU()
        self.psi = nn.Sequential(nn.Conv2d(width, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:
        """The features, each position times its weight; the gating signal has the features' shape."""
        hidden = self.activation(self.from_features(features) + self.from_signal(gating_signal))
        weights: Tensor = self.psi(hidden)
        return features * weights
