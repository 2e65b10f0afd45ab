"""Attentions that are too large, or hang, in training alone, and a module of a user's that is too large."""

import time

import torch
from misbehaving import Good


class TooLarge(Good):
    """Half of everything, while memory lasts: for 150 images."""

    def misbehave(self, x):
        if self.training and len(x) > 150:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class FarTooLarge(Good):
    """Of which no computer has enough: the allocator's own words."""

    def misbehave(self, x):
        if self.training:
            torch.empty(10**15)


class Sleeps(Good):
    """Half of everything, until its third training iteration, which never ends."""

    iterations = 0

    def misbehave(self, x):
        self.iterations += self.training
        if self.iterations > 2:
            time.sleep(3600)
