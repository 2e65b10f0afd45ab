"""A user's own segmentation networks, in the manner of torchvision: they take channels and classes, and give tables."""

import torch
from lit_squares import Up, layer
from torch import nn


class SmallUNet(nn.Module):
    def __init__(self, in_channels=3, num_classes=2, width=4, auxiliary=False):
        super().__init__()
        self.down1, self.down2 = layer(in_channels, width), layer(width, 2 * width)
        self.up = Up(2 * width, width, width)
        self.head = nn.Conv2d(width, num_classes, 1)
        self.auxiliary = nn.Conv2d(2 * width, num_classes, 1) if auxiliary else None

    def forward(self, images):
        first = self.down1(images)
        second = self.down2(nn.functional.max_pool2d(first, 2))
        scores = {"out": self.head(self.up(second, first))}
        if self.auxiliary is not None and self.training:
            scores["aux"] = nn.functional.interpolate(self.auxiliary(second), size=first.shape[2:])
        return scores


def unet(in_channels, classes):
    return SmallUNet(in_channels, classes)


def auxiliary_unet(in_channels, classes):
    return SmallUNet(in_channels, classes, auxiliary=True)


def coarse(in_channels, classes):
    """Maps of scores at half the size of the images, alone."""
    return nn.Sequential(layer(in_channels, 4), nn.MaxPool2d(2), layer(4, 8), nn.Conv2d(8, classes, 1))


def flattened(in_channels, classes):
    """Class scores, where maps are needed."""
    return nn.Sequential(
        layer(in_channels, 4), layer(4, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)
    )


def square_loss(outputs, values, power=1.0):
    return torch.nn.functional.smooth_l1_loss(outputs, values) ** power
