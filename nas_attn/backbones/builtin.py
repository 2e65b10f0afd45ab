"""The table of the networks that are built in."""

from functools import partial
from typing import Any

from .mobilenet import MobileNetV2
from .resnet import CifarResNet
from .vgg import VGG

BACKBONES: dict[str, partial[Any]] = {
    **{f"resnet{depth}": partial(CifarResNet, depth=depth) for depth in (8, 20, 32, 56, 110)},
    "mobilenetv2": partial(MobileNetV2),
    "mobilenetv2_small_images": partial(MobileNetV2, strides=(1, 1, 1, 2, 2, 1, 2, 1)),
    **{f"vgg{depth}": partial(VGG, depth=depth) for depth in (11, 13, 16, 19)},
}
"""Every built-in network by name; called with `in_channels`, `classes` and `insert`."""
