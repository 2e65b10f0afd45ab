"""CNNs that ask, site by site, what should stand there."""

from functools import partial

from .insertion import Insert, attend, sites
from .resnet import CifarResNet

BACKBONES: dict[str, partial[CifarResNet]] = {
    "resnet8": partial(CifarResNet, depth=8),
    "resnet20": partial(CifarResNet, depth=20),
    "resnet32": partial(CifarResNet, depth=32),
    "resnet56": partial(CifarResNet, depth=56),
    "resnet110": partial(CifarResNet, depth=110),
}
"""Every built-in network by name; called with `in_channels`, `classes` and `insert`."""

__all__ = ["BACKBONES", "CifarResNet", "Insert", "attend", "sites"]
