"""The table of the networks that are built in."""

from functools import partial
from typing import Any

from .mobilenet import MobileNetV2
from .resnet import CifarResNet
from .vgg import VGG

BACKBONES: dict[str, partial[Any]] = {
    "resnet8": partial(CifarResNet, depth=8),
    "resnet20": partial(CifarResNet, depth=20),
    "resnet32": partial(CifarResNet, depth=32),
    "resnet56": partial(CifarResNet, depth=56),
    "resnet110": partial(CifarResNet, depth=110),
    "mobilenetv2": partial(MobileNetV2),
    "mobilenetv2_small_images": partial(MobileNetV2, strides=(1, 1, 1, 2, 2, 1, 2, 1)),
    "vgg11": partial(VGG, depth=11),
    "vgg13": partial(VGG, depth=13),
    "vgg16": partial(VGG, depth=16),
    "vgg19": partial(VGG, depth=19),
}
"""Every built-in network by name; called with `in_channels`, `classes` and `insert`."""
