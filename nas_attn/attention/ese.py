"""Effective squeeze-and-excitation: Lee, Park, "CenterMask: Real-Time Anchor-Free Instance Segmentation", 2019.

https://arxiv.org/abs/1911.06667
"""

from torch import Tensor, nn


class EffectiveSqueezeExcitation(nn.Module):
    """Weigh each channel by what all channels are on average, in one layer, (B, C, H, W) -> (B, C, H, W).

    The mean over all positions passes through one fully connected layer C -> C with a bias, so no channel is lost in a
    narrower one, and a hard sigmoid, relu6(x + 3) / 6.

    Parameters: C^2 + C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.excite = nn.Linear(channels, channels)
        self.activation = nn.Hardsigmoid()

    def forward(self, features: Tensor) -> Tensor:
        """The features, each channel times its weight."""
        weights: Tensor = self.activation(self.excite(features.mean((2, 3))))
        return features * weights[:, :, None, None]
