"""Small networks that know nothing of attention, each with one way of being written."""

import torch
import torch.nn.functional as F
from torch import nn


def conv(before, after, stride=1, **options):
    return nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False, **options)


class Basic(nn.Module):
    """One ReLU, called twice; in-place operators; a projection where the shape changes."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.conv1, self.norm1 = conv(before, after, stride), nn.BatchNorm2d(after)
        self.conv2, self.norm2 = conv(after, after), nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Conv2d(before, after, 1, stride) if stride > 1 else None

    def forward(self, x):
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += x if self.down is None else self.down(x)
        return self.relu(out)


class PreActivation(nn.Module):
    """Normalised and activated first, with the projection behind that."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), conv(before, after, stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(after), conv(after, after)
        self.down = nn.Conv2d(before, after, 1, stride) if stride > 1 else None

    def forward(self, x):
        active = F.relu(self.norm1(x))
        shortcut = x if self.down is None else self.down(active)
        return shortcut + self.conv2(F.relu(self.norm2(self.conv1(active))))


class TwoSums(nn.Module):
    """A branch that mixes positions without a convolution, then one that mixes channels; each with its scale."""

    def __init__(self, channels):
        super().__init__()
        self.norm1, self.mix = nn.GroupNorm(1, channels), nn.AvgPool2d(3, 1, 1)
        self.norm2, self.up, self.down = nn.GroupNorm(1, channels), nn.Conv2d(channels, 8, 1), nn.Conv2d(8, channels, 1)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))
        self.drop = nn.Identity()

    def forward(self, x):
        x = x + self.mix(self.norm1(x)) * self.scale
        return x + self.drop(self.scale * self.down(F.gelu(self.up(self.norm2(x)))))


class Parallel(nn.Module):
    """Convolutions of two sizes and a normalisation, all of one input, added up: RepVGG."""

    def __init__(self, channels):
        super().__init__()
        self.wide, self.narrow = conv(channels, channels), nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.wide(x) + self.narrow(x) + self.norm(x))


class Chunks(nn.Module):
    """Res2Net: parts of the channels, each added to the next, inside a branch."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.convs = nn.ModuleList(conv(channels // 2, channels // 2) for _ in range(2))

    def forward(self, x):
        one, two = self.first(x).chunk(2, 1)
        one = self.convs[0](one)
        two = self.convs[1](two + one)
        return self.last(torch.cat((one, two), 1)) + x


class Resolutions(nn.Module):
    """HRNet: two resolutions, each of which gets the sum of both."""

    def __init__(self, channels):
        super().__init__()
        self.high, self.low = Basic(channels, channels), Basic(channels, channels)
        self.up, self.down = nn.Conv2d(channels, channels, 1), conv(channels, channels, 2)

    def forward(self, maps):
        high, low = self.high(maps[0]), self.low(maps[1])
        return [
            F.relu(high + F.interpolate(self.up(low), scale_factor=2.0)),
            F.relu(self.down(high) + low),
        ]


class Fusing(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.stem, self.down = conv(in_channels, 8), conv(8, 8, 2)
        self.stage, self.head = Resolutions(8), nn.Linear(8, classes)

    def forward(self, images):
        x = self.stem(images)
        return self.head(self.stage([x, self.down(x)])[0].mean((2, 3)))


class Flat(nn.Module):
    """No blocks: convolutions with functional activations in one forward."""

    def __init__(self, in_channels, classes):
        super().__init__()
        self.one, self.two, self.head = conv(in_channels, 8), conv(8, 16), nn.Linear(16, classes)
        self.act = nn.ReLU()

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.one(images)), 2)
        return self.head(self.act(self.two(x)).mean((2, 3)))


class Choosing(Flat):
    """Decides by the values that it sees, which no run without values can."""

    def forward(self, images):
        return super().forward(images if images.sum() >= 0 else -images)


class OneSize(Flat):
    """Takes images of 48 pixels only."""

    def forward(self, images):
        return super().forward(images.reshape(-1, images.shape[1], 48, 48))


class Body(nn.Module):
    def __init__(self, in_channels, classes, *blocks):
        super().__init__()
        self.stem, self.blocks, self.head = conv(in_channels, 8), nn.Sequential(*blocks), nn.Linear(8, classes)

    def forward(self, images):
        return self.head(self.blocks(self.stem(images)).mean((2, 3)))


def basic(*, in_channels, classes):
    """A plain sequence, as its own root."""
    return nn.Sequential(
        conv(in_channels, 8),
        Basic(8, 8),
        Basic(8, 16, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, classes),
    )


def pre_activation(*, in_channels, classes, wide=8):
    return nn.Sequential(
        *(conv(in_channels, wide), PreActivation(wide, wide), PreActivation(wide, 2 * wide, 2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * wide, classes)),
    )


def body(*blocks):
    """A network whose blocks have eight channels."""
    return lambda *, in_channels, classes: Body(in_channels, classes, *(block(8) for block in blocks))


two_sums = body(TwoSums)
parallel = body(Parallel, Parallel)
chunks = body(Chunks)


class Failing(nn.Module):
    """A block that fails when it is told to."""

    def __init__(self, channels):
        super().__init__()
        self.conv, self.fails = conv(channels, channels), False

    def forward(self, x):
        branch = self.conv(x)
        if self.fails:
            raise RuntimeError("told to fail")
        return x + branch


failing = body(Failing)


def perceptron(*, in_channels, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_channels, classes))


def broken(*, in_channels, classes):
    raise KeyError("no such thing")


def without_classes(in_channels):
    return nn.Conv2d(in_channels, 1, 1)


def no_network(*, in_channels, classes):
    return "a network"


def map_of_scores(*, in_channels, classes):
    return nn.Conv2d(in_channels, classes, 1)


def map_of_others(*, in_channels, classes):
    return nn.Conv2d(in_channels, classes + 1, 1)


number = 3
