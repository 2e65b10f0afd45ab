"""The additive attention gate: Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas", 2018.

https://arxiv.org/abs/1804.03999
"""

from typing import ClassVar

from torch import Tensor, nn

from .options import reduced_width


class AttentionGate(nn.Module):
    """Weigh each position by the features and a gating signal there, (B, C, H, W), (B, G, h, w) -> (B, C, H, W).

    Features and signal each pass through a 1 x 1 convolution of their own, C -> n and G -> n with
    n = max(1, C // reduction), and batch normalisation; where the signal's height or width is another, it is then
    resampled to H x W, bilinearly. The ReLU of their sum passes through a 1 x 1 convolution n -> 1, batch normalisation
    and a sigmoid. Without `signal_channels` G is C.

    An adaptation: in the paper the gating signal comes from a coarser scale of a U-Net. Inside a residual block it is
    the block's input, so the gate stands in the branch or after the addition; elsewhere the signal would be the
    features themselves. Each convolution is normalised.

    Options:
        reduction: how many times narrower the sum of features and signal is.

    Parameters: (C + G)n + 7n + 3. Raises `ValueError` for an option that cannot be, and, as PyTorch's batch
    normalisation does, in training mode for a single position in a batch of one.
    """

    gated: ClassVar[bool] = True
    """Called with a gating signal beside the features."""
    positions: ClassVar[tuple[str, ...]] = ("branch", "inner", "block")

    def __init__(self, channels: int, signal_channels: int | None = None, *, reduction: int = 2) -> None:
        super().__init__()
        width = reduced_width(channels, reduction)
        of_signal = channels if signal_channels is None else signal_channels
        self.from_features = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        self.from_signal = nn.Sequential(nn.Conv2d(of_signal, width, 1), nn.BatchNorm2d(width))
        self.activation = nn.ReLU()
        self.psi = nn.Sequential(nn.Conv2d(width, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:
        """The features, each position times its weight."""
        signal, size = self.from_signal(gating_signal), features.shape[2:]
        if signal.shape[2:] != size:
            signal = nn.functional.interpolate(signal, size, mode="bilinear")
        weights: Tensor = self.psi(self.activation(self.from_features(features) + signal))
        return features * weights
