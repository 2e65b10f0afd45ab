"""BAM: Park, Woo, Lee, Kweon, "BAM: Bottleneck Attention Module", 2018.

https://arxiv.org/abs/1807.06514
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import count, reduced_width


class BAM(nn.Module):
    """Weigh each value by its channel and its position together, (B, C, H, W) -> (B, C, H, W).

    Channels: the mean over all positions passes through two fully connected layers, C -> m -> C with
    m = max(1, C // reduction), with batch normalisation and a ReLU between them. Positions: a 1 x 1 convolution
    C -> m and two 3 x 3 convolutions with `dilation`, each with batch normalisation and a ReLU, then a 1 x 1
    convolution m -> 1. The weight is 1 plus the sigmoid of the product of both scores, so it lies between 1 and 2.
    The product stands in the authors' code; the paper takes the sum, and normalises at the end of each branch. Both
    have it between the stages and never inside a block.

    Options:
        reduction: how many times narrower the hidden layers are.
        dilation: of the two 3 x 3 convolutions.

    Parameters: 3Cm + 18m^2 + 13m + C + 1. Raises `ValueError` for an option that cannot be, and, as PyTorch's batch
    normalisation does, in training mode for a batch of one.
    """

    positions: ClassVar[tuple[str, ...]] = ("stage", "block")

    def __init__(self, channels: int, *, reduction: int = 16, dilation: int = 4) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        count("dilation", dilation)
        self.by_channel = nn.Sequential(
            nn.Linear(channels, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, channels)
        )
        self.by_position = nn.Sequential(
            *(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(width), nn.ReLU()),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times its weight."""
        channel_scores: Tensor = self.by_channel(features.mean((2, 3)))
        position_scores: Tensor = self.by_position(features)
        return features * (1 + (channel_scores[:, :, None, None] * position_scores).sigmoid())
