"""Convolutions with the initial weights of He et al., "Delving Deep into Rectifiers", 2015."""

from typing import Any, Literal

from torch import nn


def convolution(
    in_channels: int, channels: int, size: int = 3, mode: Literal["fan_in", "fan_out"] = "fan_in", **options: Any
) -> nn.Conv2d:
    """A convolution that keeps height and width at stride 1, with zero biases, if `bias` is true.

    `mode` is what keeps its variance, features (`fan_in`) or gradients (`fan_out`); options are those of `nn.Conv2d`.
    """
    made = nn.Conv2d(in_channels, channels, size, padding=size // 2, **{"bias": False, **options})
    nn.init.kaiming_normal_(made.weight, mode=mode, nonlinearity="relu")
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made
