"""An attention that ends in an activation, before an in-place addition (`out += shortcut`), as in ResNets."""

import torch
from torch import nn


class Ends(nn.Module):
    positions = ("branch",)

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return torch.relu(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())
