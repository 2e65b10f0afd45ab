"""Strip pooling: Hou, Zhang, Cheng, Feng, "Strip Pooling: Rethinking Spatial Pooling for Scene Parsing", 2020.

https://arxiv.org/abs/2003.13328
"""

from typing import ClassVar

from torch import Tensor, nn


class StripPooling(nn.Module):
    """Weigh each value by the row and the column that it stands in, (B, C, H, W) -> (B, C, H, W).

    The means over each row pass through a convolution of 3 taps along the column, and those over each column through
    one along the row, each C -> C with batch normalisation. The sum of both at each position passes through a ReLU, a
    1 x 1 convolution C -> C and a sigmoid. Convolutions start by Kaiming's normal of their outputs, as in the authors'
    code. In its paper it stands after the 3 x 3 convolution, so `inner` comes first.

    Parameters: 7C^2 + 5C.
    """

    positions: ClassVar[tuple[str, ...]] = ("inner", "branch", "pre", "identity", "block", "stage")

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = nn.Sequential(
            nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False), nn.BatchNorm2d(channels)
        )
        self.columns = nn.Sequential(
            nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(channels)
        )
        self.fuse = nn.Conv2d(channels, channels, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times its weight."""
        both = self.rows(features.mean(3, keepdim=True)) + self.columns(features.mean(2, keepdim=True))
        weights: Tensor = self.fuse(both.relu()).sigmoid()
        return features * weights
