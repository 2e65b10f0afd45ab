"""Efficient attention: Shen, Zhang, Zhao, Yi, Li, "Efficient Attention: Attention with Linear Complexities", 2018.

https://arxiv.org/abs/1812.01243
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import count, reduced_width


class EfficientAttention(nn.Module):
    """Add to each position what all positions hold, in a sum that is taken once, (B, C, H, W) -> (B, C, H, W).

    Keys, queries and values are 1 x 1 convolutions C -> n with n = max(1, C // reduction), split into `heads` of
    n / heads channels. The softmax of each key channel over all positions weighs the values, so a head sums them up in
    one context of (n / heads)^2 numbers; each position reads it by the softmax of its queries over the channels of the
    head, so its weights over all positions sum to one. A 1 x 1 convolution n -> C follows. Cost and memory grow with
    H * W, not with its square.

    In its paper it stands between blocks, as a non-local block does, so `block` comes first.

    Options:
        reduction: how many times narrower keys, queries and values are.
        heads: parts of the n channels that attend for themselves, as in the authors' code, not in the paper; a head of
            one channel has nothing to choose between, so each position gets the same there.
        groups: divides all four convolutions; stands in neither paper nor code.

    Parameters: 4Cn / groups + 3n + C. Raises `ValueError` for an option that cannot be, such as heads that do not
    divide n, or groups that do not divide both C and n.
    """

    positions: ClassVar[tuple[str, ...]] = ("block", "stage", "branch")

    def __init__(self, channels: int, *, reduction: int = 4, heads: int = 1, groups: int = 1) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        self.heads = _divisor("heads", heads, width, "keys")
        _divisor("groups", groups, channels, "features")
        _divisor("groups", groups, width, "keys")
        self.keys = nn.Conv2d(channels, width, 1, groups=groups)
        self.queries = nn.Conv2d(channels, width, 1, groups=groups)
        self.values = nn.Conv2d(channels, width, 1, groups=groups)
        self.expand = nn.Conv2d(width, channels, 1, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        """The features plus, at each position, what its queries read from the contexts."""
        values = self.values(features)
        of_positions, of_channels = self._split(self.keys(features)), self._split(self.queries(features))
        contexts = self._split(values) @ of_positions.softmax(dim=3).transpose(2, 3)
        read: Tensor = self.expand((contexts @ of_channels.softmax(dim=2)).reshape(values.shape))
        return features + read

    def _split(self, maps: Tensor) -> Tensor:
        """Each head's channels at each position, (B, n, H, W) -> (B, heads, n / heads, H * W)."""
        batch, width = maps.shape[:2]
        return maps.reshape(batch, self.heads, width // self.heads, -1)


def _divisor(name: str, value: int, channels: int, what: str) -> int:
    if channels % count(name, value):
        raise ValueError(f"{name}: found {value!r}; allowed: a divisor of the {channels} channels of the {what}")
    return value
