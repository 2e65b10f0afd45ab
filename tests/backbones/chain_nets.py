"""Chains of convolutions as people write them, with the modules after which attention belongs."""

from importlib import import_module

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations


def conv(before, after, **options):
    return nn.Conv2d(before, after, 3, padding=1, **options)


class ChannelsFirstNorm(nn.Module):
    """LayerNorm over channels, written out as ConvNeXt does."""

    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ChannelsLastNorm(nn.LayerNorm):
    """LayerNorm over channels by permuting."""

    def __init__(self, channels):
        super().__init__(channels)

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class FrozenNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("mean", 0.0), ("variance", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x):
        scale = self.weight * (self.variance + 1e-5).rsqrt()
        return x * scale.reshape(1, -1, 1, 1) + (self.bias - self.mean * scale).reshape(1, -1, 1, 1)


class ResponseNorm(nn.Module):
    """Filter response normalisation with its threshold."""

    def __init__(self, channels):
        super().__init__()
        self.gamma, self.beta, self.tau = (nn.Parameter(torch.ones(1, channels, 1, 1)) for _ in range(3))

    def forward(self, x):
        x = x * torch.rsqrt(x.pow(2).mean((2, 3), keepdim=True) + 1e-6)
        return torch.max(self.gamma * x + self.beta, self.tau)


class GlobalResponseNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        response = x.norm(2, (2, 3), keepdim=True)
        return self.gamma * (x * response / (response.mean(1, keepdim=True) + 1e-6)) + x


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class HardSwish(nn.Module):
    def forward(self, x):
        return x * F.relu6(x + 3, inplace=False) / 6


class MishByHand(nn.Module):
    def forward(self, x):
        return x * torch.tanh(F.softplus(x))


class Both(nn.Module):
    """Concatenated ReLU: twice the channels."""

    def forward(self, x):
        return torch.cat((F.relu(x), F.relu(-x)), 1)


class MaxFeatureMap(nn.Module):
    """Half of the channels."""

    def forward(self, x):
        return torch.max(*x.chunk(2, 1))


class Gating(nn.Module):
    """Squeeze and excitation, by hand."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        return x * self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))).sigmoid()


def instance_norm(channels):
    return nn.InstanceNorm2d(channels, affine=True, track_running_stats=True)


def frozen(channels):
    return nn.BatchNorm2d(channels).eval().requires_grad_(requires_grad=False)


NORMS = {
    "batch": nn.BatchNorm2d,
    "batch, without statistics": lambda channels: nn.BatchNorm2d(channels, track_running_stats=False),
    "batch, without weights": lambda channels: nn.BatchNorm2d(channels, affine=False),
    "batch, frozen": frozen,
    "synchronised": nn.SyncBatchNorm,
    "group": lambda channels: nn.GroupNorm(4, channels),
    "instance": nn.InstanceNorm2d,
    "instance, with statistics": instance_norm,
    "local response": lambda channels: nn.LocalResponseNorm(3),
    "channels first": ChannelsFirstNorm,
    "channels last": ChannelsLastNorm,
    "frozen": FrozenNorm,
    "response": ResponseNorm,
    "global response": GlobalResponseNorm,
    "gating": Gating,
    "several": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.Identity(), nn.GroupNorm(2, channels)),
}
ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu in place": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "leaky": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": lambda: nn.ELU(inplace=True),
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "gelu, tanh": lambda: nn.GELU("tanh"),
    "silu in place": lambda: nn.SiLU(inplace=True),
    "hardswish": nn.Hardswish,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "random": nn.RReLU,
    "swish by hand": Swish,
    "hardswish by hand": HardSwish,
    "mish by hand": MishByHand,
}


def head(channels, classes):
    return (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def normed(*, in_channels, classes, norm="batch", activation="relu"):
    """Attention belongs after modules 2, 5 and 8."""
    layers, before = [], in_channels
    for after in (8, 16, 16):
        layers += [conv(before, after), NORMS[norm](after), ACTIVATIONS[activation]()]
        before = after
    return nn.Sequential(*layers, *head(16, classes))


def plain(*, in_channels, classes, activation="relu"):
    """After 1, 3 and 5."""
    made = ACTIVATIONS[activation]
    return nn.Sequential(
        *(conv(in_channels, 8), made(), conv(8, 16), made(), conv(16, 16), made()),
        *head(16, classes),
    )


def activated_first(*, in_channels, classes):
    """Convolution, activation, normalisation: after 2 and 5."""
    return nn.Sequential(
        *(conv(in_channels, 8), nn.ReLU(), nn.BatchNorm2d(8), conv(8, 16), nn.ReLU(), nn.BatchNorm2d(16)),
        *head(16, classes),
    )


def pooled(*, in_channels, classes):
    """Dropout and pooling behind: after 2, 6, 9 and 12, never behind 4, 7 or 10."""
    return nn.Sequential(
        *(conv(in_channels, 8), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.1), nn.MaxPool2d(2)),
        *(conv(8, 16), nn.ReLU(), nn.MaxPool2d(3, 1, 1)),
        *(conv(16, 16), nn.GELU(), nn.AvgPool2d(3, 1, 1)),
        *(conv(16, 16), nn.BatchNorm2d(16), nn.Dropout(0.5)),
        *head(16, classes),
    )


def wider_and_narrower(*, in_channels, classes):
    """Activations that change the channels: after 2, 5 and 8."""
    return nn.Sequential(
        *(conv(in_channels, 8), nn.BatchNorm2d(8), Both()),
        *(conv(16, 16), nn.BatchNorm2d(16), MaxFeatureMap()),
        *(conv(8, 16), nn.BatchNorm2d(16), nn.GLU(1)),
        *head(8, classes),
    )


class Unit(nn.Module):
    """Convolution, normalisation and a functional activation in one module."""

    def __init__(self, before, after):
        super().__init__()
        self.conv, self.norm = conv(before, after, bias=False), nn.BatchNorm2d(after)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)), inplace=True)


class PreActivated(Unit):
    def __init__(self, before, after):
        super().__init__(before, after)
        self.norm = nn.BatchNorm2d(before)

    def forward(self, x):
        return self.conv(F.relu(self.norm(x)))


class WithoutActivation(Unit):
    def forward(self, x):
        return self.norm(self.conv(x))


class Separable(nn.Module):
    """A depthwise convolution and a pointwise one, normalised and activated outside."""

    def __init__(self, before, after):
        super().__init__()
        self.depthwise, self.pointwise = conv(before, before, groups=before), nn.Conv2d(before, after, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class PreActivatedPair(Separable):
    def __init__(self, before, after):
        super().__init__(before, after)
        self.norm = nn.BatchNorm2d(before)

    def forward(self, x):
        return super().forward(F.relu(self.norm(x)))


def chain(unit, *between):
    """Three units, each with the layers that stand between."""

    def make(*, in_channels, classes):
        layers, before = [], in_channels
        for after in (8, 16, 16):
            layers += [unit(before, after), *(layer(after) for layer in between)]
            before = after
        return nn.Sequential(*layers, *head(16, classes))

    return make


units = chain(Unit)
preactivated = chain(PreActivated)
preactivated_pairs = chain(PreActivatedPair)
activated_outside = chain(WithoutActivation, lambda channels: nn.ReLU())
separable = chain(Separable, nn.BatchNorm2d, lambda channels: nn.ReLU())
nested = chain(
    lambda before, after: nn.Sequential(nn.Sequential(conv(before, after), nn.BatchNorm2d(after)), nn.ReLU())
)
reparametrised = chain(
    lambda before, after: parametrizations.weight_norm(conv(before, after)), lambda channels: nn.ReLU()
)


def from_library(*, in_channels, classes, named):
    """Three units of a library, or plain convolutions with the normalisation of one, which activates."""
    module, _, name = named.partition(":")
    made = getattr(import_module(module), name)
    unit = chain(lambda before, after: made(before, after, 3)) if "Conv" in name else chain(conv, made)
    return unit(in_channels=in_channels, classes=classes)


def preactivated_to_the_end(*, in_channels, classes):
    """A last normalisation and activation belong to no unit."""
    return nn.Sequential(
        *(PreActivated(in_channels, 8), PreActivated(8, 16), nn.BatchNorm2d(16), nn.ReLU()), *head(16, classes)
    )


class Functional(nn.Module):
    """Functional activations: one that a module takes, one that nothing but a function takes, one before a module."""

    def __init__(self, in_channels, classes):
        super().__init__()
        self.conv1, self.norm1 = conv(in_channels, 8), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = conv(8, 16), nn.BatchNorm2d(16)
        self.conv3, self.pool = conv(16, 16), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.head(self.pool(F.silu(self.conv3(x))).flatten(1))


class Reusing(Functional):
    """One activation, called everywhere, and one pooling."""

    def __init__(self, in_channels, classes):
        super().__init__(in_channels, classes)
        self.act, self.down = nn.ReLU(inplace=True), nn.MaxPool2d(2)

    def forward(self, x):
        x = self.down(self.act(self.norm1(self.conv1(x))))
        x = self.act(self.norm2(self.conv2(x)))
        return self.head(self.pool(self.act(self.conv3(x))).flatten(1))


class Keeping(Functional):
    """What a convolution gives is used again further on."""

    def forward(self, x):
        first = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(first)))
        x = F.relu(self.conv3(x))
        return self.head(self.pool(x).flatten(1)) + first.mean()
