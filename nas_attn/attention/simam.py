"""SimAM: Yang et al., "SimAM: A Simple, Parameter-Free Attention Module for Convolutional Neural Networks", 2021.

https://proceedings.mlr.press/v139/yang21o.html
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import positive


class SimAM(nn.Module):
    """Weigh each value by how far it stands from the others of its channel, (B, C, H, W) -> (B, C, H, W).

    With d the squared distance of a value from the mean of its channel, and v the sum of d over the channel divided by
    H * W - 1, the weight is the sigmoid of d / (4 (v + e_lambda)) + 1/2. The number of channels changes nothing. The
    authors' code has it after the second convolution of a block and before its normalisation, so `inner` comes first,
    which in a block of two convolutions is on the other side of the second.

    Options:
        e_lambda: lambda in the paper's energy; the larger it is, the closer all weights come to their least, 0.62.

    Parameters: 0. Raises `ValueError` for an `e_lambda` that is not above 0, and, when called, for a map of a single
    position, which has no variance; the program of an export gives NaN there.
    """

    positions: ClassVar[tuple[str, ...]] = ("inner", "branch", "pre", "identity", "block", "stage")

    def __init__(self, channels: int, *, e_lambda: float = 1e-4) -> None:
        super().__init__()
        self.e_lambda = positive("e_lambda", e_lambda)

    def forward(self, features: Tensor) -> Tensor:
        """The features, each times its own weight."""
        others = features.shape[2] * features.shape[3] - 1
        if others == 0:
            raise ValueError("features: found a map of 1 x 1, which has no variance; allowed: two positions or more")
        distances = (features - features.mean((2, 3), keepdim=True)).square()
        variances = distances.sum((2, 3), keepdim=True) / others
        weights = (distances / (4 * (variances + self.e_lambda)) + 0.5).sigmoid()
        return features * weights
