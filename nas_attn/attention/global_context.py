"""Global context: Cao, Xu, Lin, Wei, Hu, "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond", 2019.

https://arxiv.org/abs/1904.11492
"""

from torch import Tensor, nn

from .options import choice, reduced_width


class GlobalContext(nn.Module):
    """Give every position the same sum over all positions, weighed by attention, (B, C, H, W) -> (B, C, H, W).

    A 1 x 1 convolution C -> 1 and a softmax over all positions weigh the positions. The weighed sum of the features
    passes through two fully connected layers, C -> m -> C, with layer normalisation and a ReLU between them, and is
    added to every position. It starts as in the authors' code: the 1 x 1 convolution by Kaiming's normal of its inputs
    with a bias of zero, and the last layer at zero, so that the block starts as the identity, and halves with "scale".

    m = max(4, C // reduction): one hidden channel, normalised by itself, would be a constant and two would be a sign,
    whatever the features are.

    Options:
        reduction: how many times narrower the hidden layer is.
        fusion: add adds the result to every position, scale weighs the channels by its sigmoid.

    Parameters: 2Cm + 3m + 2C + 1. Raises `ValueError` for an option that cannot be.
    """

    def __init__(self, channels: int, *, reduction: int = 16, fusion: str = "add") -> None:
        super().__init__()
        self.fusion = choice("fusion", fusion, ("add", "scale"))
        width = reduced_width(channels, reduction, at_least=4)
        self.mask = nn.Conv2d(channels, 1, 1)
        self.squeeze = nn.Sequential(nn.Linear(channels, width), nn.LayerNorm(width), nn.ReLU())
        self.expand = nn.Linear(width, channels)
        nn.init.kaiming_normal_(self.mask.weight)
        if self.mask.bias is not None:
            nn.init.zeros_(self.mask.bias)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    @property
    def starts_as_identity(self) -> bool:
        """Whether it changes nothing at first."""
        return self.fusion == "add"

    def forward(self, features: Tensor) -> Tensor:
        """The features with the transformed context added to every position, or weighed by it."""
        position_weights: Tensor = self.mask(features).flatten(2).softmax(dim=2)
        context = features.flatten(2) @ position_weights.transpose(1, 2)
        transformed: Tensor = self.expand(self.squeeze(context[:, :, 0]))[:, :, None, None]
        return features + transformed if self.fusion == "add" else features * transformed.sigmoid()
