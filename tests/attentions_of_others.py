"""Attention as the world writes it: small classes with the signatures that well-known collections have."""

import functools
import math
from enum import Enum
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from somewhere import Unknown


class _Gate(nn.Module):
    """Weighs channels by a 1 x 1 convolution of their means."""

    def __init__(self, width, hidden):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, width, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.mlp(x.mean((2, 3), keepdim=True))


class SEAttention(_Gate):
    def __init__(self, channel, reduction=16):
        super().__init__(channel, max(1, channel // reduction))


class CoordAtt(nn.Module):
    def __init__(self, inp, oup, reduction=32):
        super().__init__()
        hidden = max(8, inp // reduction)
        self.pool_h, self.pool_w = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.squeeze = nn.Sequential(nn.Conv2d(inp, hidden, 1), nn.BatchNorm2d(hidden), nn.Hardswish())
        self.h, self.w = nn.Conv2d(hidden, oup, 1), nn.Conv2d(hidden, oup, 1)

    def forward(self, x):
        h, w = x.shape[2:]
        both = self.squeeze(torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], dim=2))
        of_h, of_w = torch.split(both, [h, w], dim=2)
        return x * self.h(of_h).sigmoid() * self.w(of_w.permute(0, 1, 3, 2)).sigmoid()


class CBAMBlock(nn.Module):
    def __init__(self, channel=512, reduction=16, kernel_size=49):
        super().__init__()
        self.channels = _Gate(channel, max(1, channel // reduction))
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        x = self.channels(x)
        return x * self.conv(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)).sigmoid()


class SimAM(nn.Module):
    def __init__(self, e_lambda=1e-4):
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x):
        n = x.shape[2] * x.shape[3] - 1
        d = (x - x.mean(dim=[2, 3], keepdim=True)).pow(2)
        return x * torch.sigmoid(d / (4 * (d.sum(dim=[2, 3], keepdim=True) / n + self.e_lambda)) + 0.5)


class EMA(nn.Module):
    def __init__(self, channels, c2=None, factor=8):
        super().__init__()
        assert channels // factor > 0
        self.groups = factor
        self.norm = nn.GroupNorm(channels // factor, channels // factor)

    def forward(self, x):
        b, c, h, w = x.size()
        grouped = x.reshape(b * self.groups, -1, h, w)
        weights = self.norm(grouped * grouped.mean(2, keepdim=True).sigmoid() * grouped.mean(3, keepdim=True).sigmoid())
        return (grouped * weights.sigmoid()).reshape(b, c, h, w)


class ShuffleAttention(nn.Module):
    def __init__(self, channel=512, reduction=16, G=8):  # noqa: N803
        super().__init__()
        self.G = G
        self.scale = nn.Parameter(torch.ones(1, channel // (2 * G), 1, 1))
        self.norm = nn.GroupNorm(channel // (2 * G), channel // (2 * G))

    def forward(self, x):
        b, _, h, w = x.size()
        x0, x1 = x.view(b * self.G, -1, h, w).chunk(2, dim=1)
        x0 = x0 * (self.scale * x0.mean((2, 3), keepdim=True)).sigmoid()
        x1 = x1 * (self.scale * self.norm(x1)).sigmoid()
        out = torch.cat([x0, x1], dim=1).contiguous().view(b, -1, h, w)
        return out.reshape(b, 2, -1, h, w).permute(0, 2, 1, 3, 4).flatten(1, 2)


class TripletAttention(nn.Module):
    def __init__(self, no_spatial=False, kernel_size=7):
        super().__init__()
        self.no_spatial = no_spatial
        self.conv = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x):
        rows = self.conv(x.mean(2)[:, None]).sigmoid()[:, 0, :, None]
        return x * rows if self.no_spatial else x * (rows + self.conv(x.mean(1, keepdim=True)).sigmoid()) / 2


class ECAAttention(nn.Module):
    def __init__(self, kernel_size=3):
        super().__init__()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, kernel_size=kernel_size, padding=(kernel_size - 1) // 2)

    def forward(self, x):
        y = self.gap(x).squeeze(-1).permute(0, 2, 1)
        return x * self.conv(y).sigmoid().permute(0, 2, 1).unsqueeze(-1).expand_as(x)


class CrissCross(nn.Module):
    """Starts as the identity by its gamma, and does not say so."""

    def __init__(self, in_dim):
        super().__init__()
        self.query = nn.Conv2d(in_dim, max(1, in_dim // 8), 1)
        self.value = nn.Conv2d(in_dim, in_dim, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        q = self.query(x).flatten(2)
        out = self.value(x).flatten(2) @ (q.transpose(1, 2) @ q).softmax(-1)
        return self.gamma * out.view_as(x) + x


class SKAttention(nn.Module):
    """A list as default, and a hidden width by a maximum."""

    def __init__(self, channel=512, kernels=[1, 3], reduction=16, group=1, L=32):  # noqa: B006, N803
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channel, channel, k, padding=k // 2, groups=group) for k in kernels)
        d = max(L, channel // reduction)
        self.fc = nn.Linear(channel, d)
        self.fcs = nn.ModuleList(nn.Linear(d, channel) for _ in kernels)

    def forward(self, x):
        maps = torch.stack([conv(x) for conv in self.convs], 0)
        hidden = self.fc(maps.sum(0).mean(-1).mean(-1))
        weights = torch.stack([fc(hidden)[:, :, None, None] for fc in self.fcs], 0).softmax(0)
        return (weights * maps).sum(0)


class GAM(nn.Module):
    def __init__(self, in_channels, out_channels, rate=4):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // rate), nn.Linear(in_channels // rate, in_channels)
        )
        self.conv = nn.Conv2d(in_channels, out_channels, 7, padding=3)

    def forward(self, x):
        x = x * self.fc(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x * self.conv(x).sigmoid()


class ByActivation(_Gate):
    """A class as default: what a file cannot say is left alone."""

    def __init__(self, dim: int, rd_ratio: float = 0.25, act_layer=nn.SiLU, norm_layer: type | None = None):
        super().__init__(dim, max(1, int(dim * rd_ratio)))
        self.act = act_layer()

    def forward(self, x):
        return super().forward(self.act(x))


class NoSpatial(nn.Module):
    """ultralytics' style: `c1`, and an even kernel is refused by an assertion."""

    def __init__(self, c1, kernel_size=7, shortcut: bool = False):
        super().__init__()
        assert kernel_size in {3, 7}, "kernel size must be 3 or 7"
        self.conv = nn.Conv2d(c1, c1, kernel_size, padding=kernel_size // 2, groups=c1)
        self.shortcut = shortcut

    def forward(self, x):
        return x * self.conv(x).sigmoid() + (x if self.shortcut else 0)


class Window(nn.Module):
    """Maps whose sides the window divides."""

    def __init__(self, dim, window=4, num_heads: int = 2, qkv_bias: "bool" = True):
        super().__init__()
        self.window, self.heads = window, num_heads
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=qkv_bias)

    def forward(self, x):
        b, c, h, w = x.shape
        n = self.window
        q, k, v = (
            t.view(b, c, h // n, n, w // n, n).permute(0, 2, 4, 3, 5, 1).reshape(-1, n * n, c)
            for t in self.qkv(x).chunk(3, 1)
        )
        out = (q @ k.transpose(1, 2) / math.sqrt(c)).softmax(-1) @ v
        return out.view(b, h // n, w // n, n, n, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)


class RelativePositions(nn.Module):
    """BoTNet's style: learnt positions for one size, `width` before `height`, and a width of another name."""

    def __init__(self, n_dims, width=14, height=14, heads=4):
        super().__init__()
        self.heads = heads
        self.rows = nn.Parameter(torch.randn(n_dims, height, 1) * 0.1)
        self.columns = nn.Parameter(torch.randn(n_dims, 1, width) * 0.1)

    def forward(self, x):
        k = (x + self.rows + self.columns).flatten(2)
        return x + (x.flatten(2) @ (x.flatten(2).transpose(1, 2) @ k).softmax(-1)).view_as(x)


class MapOfOneSize(nn.Module):
    """A pair without a default, `fmap_size`, keyword-only as lucidrains writes it."""

    def __init__(self, *, dim, fmap_size, heads=4, dim_head: int | None = None):
        super().__init__()
        height, width = fmap_size
        self.positions = nn.Parameter(torch.randn(dim, height, width))

    def forward(self, x):
        return x * (x + self.positions).sigmoid()


class Mode(Enum):
    MEAN = "mean"


class Chosen(_Gate):
    """Words of a `Literal`, an enumeration, an annotation that only a checker knows, and more by `**_`."""

    def __init__(self, channels: "Unknown", ratio: int = 4, pool: Literal["avg", "max"] = "avg", mode=Mode.MEAN, **_):
        super().__init__(channels, max(1, channels // ratio))
        self.pool = pool

    def forward(self, x):
        pooled = x.mean((2, 3), keepdim=True) if self.pool == "avg" else x.amax((2, 3), keepdim=True)
        return x * self.mlp(pooled)


class Positional(_Gate):
    def __init__(self, planes, /, ratio=16.0):
        super().__init__(planes, max(1, int(planes / ratio)))


class Everything(nn.Module):
    """No parameter at all."""

    def forward(self, x):
        return x * torch.sigmoid(x)


class Narrow(_Gate):
    """A name that a space file has for itself keeps its default."""

    def __init__(self, in_planes, ratio=8, position="after"):
        super().__init__(in_planes, max(1, in_planes // ratio))


class GroupEnhance(nn.Module):
    """64 groups, made for wide stages."""

    positions = ("branch",)

    def __init__(self, channels, *, groups: int = 64):
        super().__init__()
        self.groups = groups
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x):
        return x * self.norm(x).sigmoid()


class SquareOnly(nn.Module):
    """Pools over the height alone, in both directions."""

    def __init__(self, channels):
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x):
        pooled = nn.functional.avg_pool2d(x, x.size(2), stride=x.size(2)).flatten(1)
        return x * self.fc(pooled).sigmoid()[..., None, None]


class Lazy(nn.Module):
    """Widths that the first pass fills in."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.LazyConv2d(channels, 1)

    def forward(self, x):
        return x * self.conv(x).sigmoid()


class HandsOn(SEAttention):
    """What it is given goes to the class above it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


wide_kernel = functools.partial(NoSpatial, kernel_size=3, shortcut=True)
