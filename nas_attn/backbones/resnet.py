"""Residual networks for small images: He et al., "Deep Residual Learning for Image Recognition", 2015.

Section 4.2 of https://arxiv.org/abs/1512.03385: three stages of n blocks, depth 6n + 2, shortcuts without parameters.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import convolution
from .insertion import BlockSites, Insert, attend, stages


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, (B, C, H, W) -> (B, D, H / stride, W / stride)."""

    def __init__(self, in_channels: int, channels: int, stride: int, ask: BlockSites) -> None:
        super().__init__()
        self.stride = stride
        self.added_channels = channels - in_channels
        self.conv1 = convolution(in_channels, channels, stride=stride, mode="fan_out")
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = convolution(channels, channels, mode="fan_out")
        self.norm2 = nn.BatchNorm2d(channels)
        self.pre_attention = ask("pre", in_channels)
        self.inner_attention = ask("inner", channels)
        self.branch_attention = ask("branch", channels)
        self.identity_attention = ask("identity", channels)
        self.block_attention = ask("block", channels)
        self.stage_attention = ask("stage", channels)

    def forward(self, features: Tensor) -> Tensor:
        """Add the branch, with what attends to it, to the shortcut."""
        shortcut = self.shortcut(features)
        branch = attend(self.pre_attention, features, features)
        branch = F.relu(self.norm1(self.conv1(branch)))
        branch = attend(self.inner_attention, branch, shortcut)
        branch = self.norm2(self.conv2(branch))
        branch = attend(self.branch_attention, branch, shortcut)
        added = F.relu(branch + attend(self.identity_attention, shortcut, shortcut))
        added = attend(self.block_attention, added, shortcut)
        return attend(self.stage_attention, added, shortcut)

    def shortcut(self, features: Tensor) -> Tensor:
        """The block's input in the shape of its output: every stride-th pixel, and zeros in the added channels."""
        if self.stride > 1:
            features = features[:, :, :: self.stride, :: self.stride]
        if self.added_channels:
            features = F.pad(features, (0, 0, 0, 0, 0, self.added_channels))
        return features


class CifarResNet(nn.Module):
    """A residual network of `depth` = 6n + 2 layers, (B, C, H, W) -> (B, classes), for any H and W.

    Raises `ValueError` for another depth.
    """

    def __init__(self, *, depth: int, in_channels: int, classes: int, insert: Insert, width: int = 16) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth: found {depth}; allowed: 6n + 2, such as 8, 20, 32, 56 or 110")
        self.conv = convolution(in_channels, width, mode="fan_out")
        self.norm = nn.BatchNorm2d(width)
        channels = (width, width, 2 * width, 4 * width)

        def block(stage: int, number: int, ask: BlockSites) -> BasicBlock:
            before = channels[stage] if number else channels[stage - 1]
            return BasicBlock(before, channels[stage], channels[stage] // before, ask)

        self.stage1, self.stage2, self.stage3 = stages(insert, [(depth - 2) // 6] * 3, block)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores of a batch of images."""
        features = F.relu(self.norm(self.conv(images)))
        features = self.stage3(self.stage2(self.stage1(features)))
        return self.head(features.mean((2, 3)))  # type: ignore[no-any-return]
