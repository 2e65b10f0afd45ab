"""Squeeze-and-excitation: Hu, Shen, Albanie, Sun, Wu, "Squeeze-and-Excitation Networks", 2017.

https://arxiv.org/abs/1709.01507
"""

from torch import Tensor, nn

from .options import choice, reduced_width, switch


class SqueezeExcitation(nn.Module):
    """Weigh each channel by what all channels are on average, (B, C, H, W) -> (B, C, H, W).

    The mean over all positions passes through two fully connected layers, C -> m -> C with m = max(1, C // reduction),
    an activation between them, and a gate. EfficientNet has it with `activation` silu and MobileNetV3 with `gate`
    hard_sigmoid, both with a bias.

    Options:
        reduction: how many times narrower the hidden layer is.
        bias: gives both layers a bias; the paper's authors found them better without.
        divisor: above 1 makes m the multiple of it nearest to C / reduction, as MobileNets do, and never far below.
        activation: of the hidden layer, relu or silu.
        gate: makes weights of the scores, sigmoid or hard_sigmoid, relu6(x + 3) / 6.

    Parameters: 2Cm, and m + C more with `bias`. Raises `ValueError` for an option that cannot be.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        bias: bool = False,
        divisor: int = 1,
        activation: str = "relu",
        gate: str = "sigmoid",
    ) -> None:
        super().__init__()
        width = reduced_width(channels, reduction, divisor=divisor)
        self.squeeze = nn.Linear(channels, width, bias=switch("bias", bias))
        self.activation = nn.SiLU() if choice("activation", activation, ("relu", "silu")) == "silu" else nn.ReLU()
        self.excite = nn.Linear(width, channels, bias=bias)
        hard = choice("gate", gate, ("sigmoid", "hard_sigmoid")) == "hard_sigmoid"
        self.gate = nn.Hardsigmoid() if hard else nn.Sigmoid()

    def forward(self, features: Tensor) -> Tensor:
        """The features, each channel times its weight."""
        hidden = self.activation(self.squeeze(features.mean((2, 3))))
        weights: Tensor = self.gate(self.excite(hidden))
        return features * weights[:, :, None, None]
