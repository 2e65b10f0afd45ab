"""An attention that asks for more memory than a device has, when it learns there."""

from torch import nn


class Greedy(nn.Module):
    """Scales the channels, in space for 2^50 numbers where the device is a GPU."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels)

    def forward(self, features):
        if self.training and features.is_cuda:
            features.new_empty(1 << 50)
        return self.scale(features)
