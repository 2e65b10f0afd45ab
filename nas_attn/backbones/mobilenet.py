"""Networks for mobile devices: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.

Table 2 of https://arxiv.org/abs/1801.04381: seven stages of blocks that are thin at both ends and wide within.
"""

import math

from torch import Tensor, nn

from .convolution import convolution
from .insertion import BlockSites, Insert, attend, stages

_STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Of each stage: how many times its blocks widen their input, its channels, and its number of blocks."""


class InvertedResidual(nn.Module):
    """Widen, convolve each channel, narrow; the input is added where it has the shape of the result.

    (B, C, H, W) -> (B, D, H / stride, W / stride). Every block has the positions `pre`, `inner` (on the wide map) and
    `branch` (after the last normalisation), one with an addition also `identity` and `block`, and the last of a stage
    `stage`. The gating signal is the block's input as it is.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, expansion: int, ask: BlockSites) -> None:
        super().__init__()
        wide = expansion * in_channels
        self.adds = stride == 1 and in_channels == channels
        self.expand = _activated(in_channels, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _activated(wide, wide, 3, stride, groups=wide)
        self.project = nn.Sequential(convolution(wide, channels, 1), nn.BatchNorm2d(channels))
        self.pre_attention = ask("pre", in_channels, in_channels)
        self.inner_attention = ask("inner", wide, in_channels)
        self.branch_attention = ask("branch", channels, in_channels)
        self.identity_attention = ask("identity", channels, in_channels) if self.adds else None
        self.block_attention = ask("block", channels, in_channels) if self.adds else None
        self.stage_attention = ask("stage", channels, in_channels)

    def forward(self, features: Tensor) -> Tensor:
        """The narrow map, with the input where it is added, and with what attends to them."""
        wide = self.expand(attend(self.pre_attention, features, features))
        wide = attend(self.inner_attention, self.depthwise(wide), features)
        narrow = attend(self.branch_attention, self.project(wide), features)
        if self.adds:
            added = narrow + attend(self.identity_attention, features, features)
            narrow = attend(self.block_attention, added, features)
        return attend(self.stage_attention, narrow, features)


class MobileNetV2(nn.Module):
    """MobileNetV2, (B, C, H, W) -> (B, classes), for any H and W.

    `width` multiplies the channels of every layer, rounded to a multiple of 8; the 1280 of the last convolution only
    grow. `strides` are those of the first convolution and of the first block of each of the seven stages: the paper's
    make 7 x 7 of 224 x 224 pixels, and images of a few dozen pixels want fewer.

    Raises `ValueError` for a width or strides that cannot be.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        classes: int,
        insert: Insert,
        width: float = 1.0,
        strides: tuple[int, ...] = (2, 1, 2, 2, 2, 1, 2, 1),
    ) -> None:
        super().__init__()
        if not 0 < width < math.inf:
            raise ValueError(f"width: found {width}; allowed: any factor above 0, such as 0.5, 1.0 or 1.4")
        if len(strides) != 1 + len(_STAGES) or not set(strides) <= {1, 2}:
            raise ValueError(f"strides: found {strides}; allowed: {1 + len(_STAGES)} numbers, each 1 or 2")
        channels = [_scaled(planned, width) for planned in (32, *(planned for _, planned, _ in _STAGES))]
        self.stem = _activated(in_channels, channels[0], 3, strides[0])

        def block(stage: int, number: int, ask: BlockSites) -> InvertedResidual:
            before, stride = (channels[stage], 1) if number else (channels[stage - 1], strides[stage])
            return InvertedResidual(before, channels[stage], stride, _STAGES[stage - 1][0], ask)

        made = stages(insert, [blocks for _, _, blocks in _STAGES], block)
        self.stage1, self.stage2, self.stage3, self.stage4, self.stage5, self.stage6, self.stage7 = made
        last = _scaled(1280, max(1.0, width))
        self.last = _activated(channels[-1], last, 1)
        self.head = nn.Linear(last, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores of a batch of images."""
        features = self.stage3(self.stage2(self.stage1(self.stem(images))))
        features = self.stage7(self.stage6(self.stage5(self.stage4(features))))
        return self.head(self.last(features).mean((2, 3)))  # type: ignore[no-any-return]


def _scaled(channels: int, width: float) -> int:
    """The multiple of 8 that is nearest to the scaled channels, 8 at least, and no more than a tenth below them."""
    nearest = max(8, int(channels * width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels * width else nearest + 8


def _activated(in_channels: int, channels: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = convolution(in_channels, channels, size, stride=stride, groups=groups)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU6())
