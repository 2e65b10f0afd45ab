"""Plain deep networks: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition".

Table 1 of https://arxiv.org/abs/1409.1556 (2014): configurations A, B, D and E, which have 11, 13, 16 and 19 layers.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import convolution
from .insertion import BlockSites, Insert, attend, stages

_BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""The convolutions of each stage, by the number of layers that learn."""

_CHANNELS = (64, 128, 256, 512, 512)


class PlainBlock(nn.Module):
    """A 3 x 3 convolution, its normalisation if it has one, and ReLU; (B, C, H, W) -> (B, D, H, W).

    There is no branch: its sites are `block`, after the activation, and in the last block of a stage `stage`. The
    gating signal is the block's input as it is.
    """

    def __init__(self, in_channels: int, channels: int, normalise: bool, ask: BlockSites) -> None:
        super().__init__()
        self.conv = convolution(in_channels, channels, bias=True)
        self.norm = nn.BatchNorm2d(channels) if normalise else nn.Identity()
        self.activation = nn.ReLU()
        self.block_attention = ask("block", channels, in_channels)
        self.stage_attention = ask("stage", channels, in_channels)

    def forward(self, features: Tensor) -> Tensor:
        """The activated map, with what attends to it."""
        activated = self.activation(self.norm(self.conv(features)))
        activated = attend(self.block_attention, activated, features)
        return attend(self.stage_attention, activated, features)


class VGG(nn.Module):
    """A VGG of `depth` = 11, 13, 16 or 19 layers, (B, C, H, W) -> (B, classes), for H and W of at least 32.

    Each convolution is normalised, and a global mean with one linear layer takes the place of the paper's three.
    `normalise=False` and `paper_head=True` give what the paper has; its head sees 7 x 7 positions, to which images of
    other sizes than 224 x 224 are averaged.

    Raises `ValueError` for another depth, and in the forward pass for images that five poolings leave nothing of.
    """

    def __init__(
        self,
        *,
        depth: int,
        in_channels: int,
        classes: int,
        insert: Insert,
        normalise: bool = True,
        paper_head: bool = False,
    ) -> None:
        super().__init__()
        if depth not in _BLOCKS:
            raise ValueError(f"depth: found {depth}; allowed: {', '.join(map(str, _BLOCKS))}")
        self.pool = nn.MaxPool2d(2)
        channels = (in_channels, *_CHANNELS)

        def block(stage: int, number: int, ask: BlockSites) -> PlainBlock:
            return PlainBlock(channels[stage] if number else channels[stage - 1], channels[stage], normalise, ask)

        self.stage1, self.stage2, self.stage3, self.stage4, self.stage5 = stages(insert, _BLOCKS[depth], block)
        self.paper_head = paper_head
        self.head = _hidden_layers(channels[-1], classes) if paper_head else nn.Linear(channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores of a batch of images."""
        height, width = images.shape[2:]
        if height < 32 or width < 32:
            raise ValueError(f"found images of {height} x {width}; allowed: 32 x 32 or more, five poolings halve them")
        features = self.pool(self.stage2(self.pool(self.stage1(images))))
        features = self.pool(self.stage5(self.pool(self.stage4(self.pool(self.stage3(features))))))
        pooled = F.adaptive_avg_pool2d(features, 7).flatten(1) if self.paper_head else features.mean((2, 3))
        return self.head(pooled)  # type: ignore[no-any-return]


def _hidden_layers(channels: int, classes: int) -> nn.Sequential:
    """The paper's classifier of 7 x 7 positions: two hidden layers with dropout, as its section 3.1 trains them."""
    return nn.Sequential(
        *(nn.Linear(channels * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(4096, classes),
    )
