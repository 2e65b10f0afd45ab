"""A small network that sees five columns at once, for the planted task."""

import torch.nn.functional as F
from torch import nn


def _convolution(in_channels, channels, size):
    convolution = nn.Conv2d(in_channels, channels, size, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


class LineReader(nn.Module):
    """Three stages: narrower than a word, as wide as a word, and with all rows pooled into one."""

    def __init__(self, in_channels, classes, width=8):
        super().__init__()
        self.early = _convolution(in_channels, width, 3)
        self.middle = _convolution(width, 2 * width, 3)
        self.late = _convolution(2 * width, 2 * width, 1)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images):
        features = self.middle(self.early(images))
        rows_pooled = F.max_pool2d(features, (features.shape[2], 1))
        return self.head(self.late(rows_pooled).mean((2, 3)))
