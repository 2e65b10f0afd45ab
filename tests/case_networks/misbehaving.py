"""Attentions that pass for good ones at first, and fail in a study in ways of their own."""

import sys
import warnings
from pathlib import Path

import torch
from torch import nn


class Good(nn.Module):
    """Half of everything, unless the batch is a large one: then what `misbehave` does."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x):
        if len(x) > 3:
            self.misbehave(x)
        return x * self.scale

    def misbehave(self, x):
        pass


class Exits(Good):
    def misbehave(self, x):
        sys.stderr.write("unsupported batch\n")
        sys.exit(1)


class ReadsAFile(Good):
    def misbehave(self, x):
        torch.load(Path("frequencies-of-another-computer.pt"))


class StopsAnIteration(Good):
    def misbehave(self, x):
        next(iter(()))


class Asserts(Good):
    def misbehave(self, x):
        assert x.shape[0] == 1


class WarnsInEarnest(Good):
    def misbehave(self, x):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.warn("deprecated", DeprecationWarning, stacklevel=2)


class OfTheirOwn(Good):
    class OddError(Exception):
        def __init__(self, where, what):
            super().__init__()

    def misbehave(self, x):
        raise self.OddError("here", "this")


class NoException(Good):
    class OddLeaving(BaseException):
        pass

    def misbehave(self, x):
        raise self.OddLeaving("away")


class OnTheWayBack(Good):
    class Backwards(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            raise ArithmeticError("no gradient")

    def forward(self, x):
        return super().forward(self.Backwards.apply(x))


class AtTheEnd(Good):
    """The last batch of an epoch is smaller than the others."""

    def misbehave(self, x):
        self.usual = max(getattr(self, "usual", 0), len(x))
        if self.training and len(x) < self.usual:
            raise RuntimeError("sizes differ")


class OnlyJudged(Good):
    def misbehave(self, x):
        if not self.training:
            raise NotImplementedError("no evaluation mode")


class BuiltOnCpuOnly(Good):
    """On the `meta` device, where spaces are read, all is well."""

    def __init__(self, channels):
        super().__init__(channels)
        if not self.scale.is_meta and channels < 128:
            raise ValueError(f"channels: found {channels}; at least 128")


class ReadsWhenBuilt(Good):
    def __init__(self, channels):
        super().__init__(channels)
        if not self.scale.is_meta:
            Path("frequencies-of-another-computer.npy").read_bytes()


class KeepsWhatNoFileHolds(Good):
    def __init__(self, channels):
        super().__init__(channels)
        self.register_buffer("spectrum", torch.zeros(1, dtype=torch.complex128))


class TwoTensors(Good):
    def forward(self, x):
        return (x, x) if len(x) > 3 else super().forward(x)


class OtherShape(Good):
    def forward(self, x):
        return super().forward(x)[..., :-1] if len(x) > 3 else super().forward(x)
