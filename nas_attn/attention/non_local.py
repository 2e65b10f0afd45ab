"""The non-local block: Wang, Girshick, Gupta, He, "Non-local Neural Networks", 2017.

https://arxiv.org/abs/1711.07971
"""

from torch import Tensor, nn

from .options import reduced_width, switch


class NonLocal(nn.Module):
    """Add to each position what all positions hold, weighed by likeness, (B, C, H, W) -> (B, C, H, W).

    The embedded Gaussian form: theta, phi and g are 1 x 1 convolutions C -> n with n = max(1, C // reduction); the
    softmax over all positions of theta . phi, without a scale, weighs g; a 1 x 1 convolution n -> C and batch
    normalisation follow. The normalisation's gamma starts at zero, so the block starts as the identity.

    `subsample` takes the maximum of 2 x 2 positions, or of what an odd edge leaves of them, after phi and g, as the
    paper says; the authors' code takes it before them. An export with dynamic H and W then needs at least 3 of each.
    Memory grows with (H * W)^2, a quarter of it with `subsample`.

    Parameters: 4Cn + 3n + 3C. Raises `ValueError` for an option that cannot be, and, as PyTorch's batch normalisation
    does, in training mode for a single position in a batch of one.
    """

    def __init__(self, channels: int, *, reduction: int = 2, subsample: bool = False) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        self.theta = nn.Conv2d(channels, width, 1)
        self.phi = nn.Conv2d(channels, width, 1)
        self.g = nn.Conv2d(channels, width, 1)
        # a repeated last row and column keep odd edges; `ceil_mode` would fix the parity of H and W in an export
        pool = nn.Sequential(nn.ReplicationPad2d((0, 1, 0, 1)), nn.MaxPool2d(2))
        self.pool = pool if switch("subsample", subsample) else nn.Identity()
        self.expand = nn.Conv2d(width, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: Tensor) -> Tensor:
        """The features plus, at each position, the weighed sum over all positions."""
        theta = self.theta(features)
        phi = self.pool(self.phi(features)).flatten(2)
        g = self.pool(self.g(features)).flatten(2)
        weights = (theta.flatten(2).transpose(1, 2) @ phi).softmax(dim=2)
        gathered_narrow = (weights @ g.transpose(1, 2)).transpose(1, 2).reshape(theta.shape)
        gathered: Tensor = self.norm(self.expand(gathered_narrow))
        return features + gathered
