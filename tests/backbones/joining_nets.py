"""Networks whose blocks join ways by concatenation, as people write them."""

import torch
import torch.nn.functional as F
from torch import nn


def unit(before, after, size=3, stride=1):
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class Mix(nn.Module):
    """Two convolutions side by side."""

    def __init__(self, before, after):
        super().__init__()
        self.one, self.two = unit(before, after // 2, 1), unit(before, after // 2)

    def forward(self, x):
        return torch.cat((self.one(x), self.two(x)), 1)


class MixOutside(nn.Module):
    """The same, normalised and activated by whoever calls it."""

    def __init__(self, before, after):
        super().__init__()
        self.one, self.two = nn.Conv2d(before, after // 2, 1), nn.Conv2d(before, after // 2, 3, padding=1)

    def forward(self, x):
        return torch.cat((self.one(x), self.two(x)), 1)


class Wrapped(nn.Module):
    """A block that goes on behind what it mixes."""

    def __init__(self, before, after):
        super().__init__()
        self.mix, self.norm = MixOutside(before, after), nn.BatchNorm2d(after)

    def forward(self, x):
        return F.relu(self.norm(self.mix(x)))


class AppendingList(nn.Sequential):
    """Convolutions that each append to a list, which is concatenated."""

    def forward(self, x, given):
        for layer in self:
            given.append(layer(given[-1]))
        return torch.cat(given, 1)


class OneShot(nn.Module):
    """One-shot aggregation, whose mixing is a module of its own."""

    def __init__(self, before, after):
        super().__init__()
        self.middle = AppendingList(unit(before, 8), unit(8, 8), unit(8, 8))
        self.end = unit(before + 24, after, 1)

    def forward(self, x):
        return self.end(self.middle(x, [x]))


class Stage(nn.Module):
    """A block, and what makes its map smaller."""

    def __init__(self, before, after):
        super().__init__()
        self.block, self.pool = Mix(before, after), nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(self.block(x))


class Growing(nn.Module):
    """A dense layer that hands on all that it got."""

    def __init__(self, before, after):
        super().__init__()
        self.norm, self.one = nn.BatchNorm2d(before), unit(before, 8, 1)
        self.two = nn.Conv2d(8, after - before, 3, padding=1)

    def forward(self, x):
        return torch.cat((x, self.two(self.one(F.relu(self.norm(x))))), 1)


class Dense(nn.Module):
    """Dense layers that get a list."""

    def __init__(self, before, after):
        super().__init__()
        width = (after - before) // 2
        self.layers = nn.ModuleList(unit(before + width * n, width) for n in range(2))

    def forward(self, x):
        maps = [x]
        for layer in self.layers:
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class Elan(nn.Module):
    """YOLOv7's aggregation."""

    def __init__(self, before, after):
        super().__init__()
        self.cv1, self.cv2, self.cv3, self.cv4 = unit(before, 8, 1), unit(before, 8, 1), unit(8, 8), unit(8, 8)
        self.cv5 = unit(32, after, 1)

    def forward(self, x):
        one, two = self.cv1(x), self.cv2(x)
        three = self.cv3(two)
        return self.cv5(torch.cat((one, two, three, self.cv4(three)), 1))


class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = unit(channels, channels), unit(channels, channels)

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


class CrossStage(nn.Module):
    """YOLOv8's cross-stage module with two residual blocks."""

    def __init__(self, before, after):
        super().__init__()
        self.cv1, self.cv2 = unit(before, after, 1), unit(after * 2, after, 1)
        self.m = nn.ModuleList(Bottleneck(after // 2) for _ in range(2))

    def forward(self, x):
        maps = list(self.cv1(x).chunk(2, 1))
        maps.extend(block(maps[-1]) for block in self.m)
        return self.cv2(torch.cat(maps, 1))


class Listed(nn.Module):
    """SelecSLS: takes a list, and gives its map with one that it got."""

    def __init__(self, before, after):
        super().__init__()
        self.cv1, self.cv2, self.cv3 = unit(before, 8), unit(8, 8), unit(16, after, 1)

    def forward(self, maps):
        one = self.cv1(maps[0])
        return [self.cv3(torch.cat((one, self.cv2(one)), 1)), maps[0]]


class First(nn.Module):
    """The first of several things."""

    def forward(self, maps):
        return maps[0]


class Enclosed(nn.Module):
    """Blocks in a module whose output joins two resolutions."""

    def __init__(self, before, after):
        super().__init__()
        self.blocks = nn.ModuleList((Mix(before, 8), Mix(8, after), Mix(after, after)))

    def forward(self, x):
        one = self.blocks[0](x)
        two = self.blocks[1](F.max_pool2d(one, 2))
        three = self.blocks[2](two)
        return torch.cat((F.max_pool2d(one, 2), three), 1)


def head(channels, classes):
    return (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def joining(block, *between):
    """A stem, and blocks of 16, 32 and 32 channels with the layers that stand between."""

    def make(*, in_channels, classes):
        layers, before = [], 8
        for after in (16, 32, 32 if block not in (Growing, Dense) else 48):
            layers += [block(before, after), *(layer(after) for layer in between)]
            before = after
        return nn.Sequential(unit(in_channels, 8, 3, 2), *layers, *head(before, classes))

    return make


mixes = joining(Mix)
mixes_pooled = joining(Mix, lambda channels: nn.MaxPool2d(2))
mixes_activated_outside = joining(MixOutside, nn.BatchNorm2d, lambda channels: nn.ReLU())
wrapped = joining(Wrapped)
one_shot = joining(OneShot)
stages = joining(Stage)
growing = joining(Growing)
dense = joining(Dense)
elan = joining(Elan)
cross_stage = joining(CrossStage, lambda channels: unit(channels, channels, 3, 2))


def listed(*, in_channels, classes):
    return nn.Sequential(
        *(unit(in_channels, 8, 3, 2), Pair()),
        nn.Sequential(Listed(8, 16), Listed(16, 32), Listed(32, 32)),
        *(First(), *head(32, classes)),
    )


class Pair(nn.Module):
    def forward(self, x):
        return [x]


def enclosed(*, in_channels, classes):
    return nn.Sequential(unit(in_channels, 8), Enclosed(8, 16), *head(24, classes))
