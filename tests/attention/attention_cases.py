"""Attentions to test, and how to call them alike."""

import torch
from torch import nn

from nas_attn.attention import ATTENTIONS

CASES = [
    ("se", {}),
    ("se", {"reduction": 3, "bias": True}),
    ("cbam", {}),
    ("cbam", {"reduction": 2, "kernel_size": 3}),
    ("coordinate", {}),
    ("coordinate", {"reduction": 1}),
    ("non_local", {}),
    ("non_local", {"reduction": 4, "subsample": True}),
    ("gate", {}),
    ("gate", {"reduction": 5}),
    ("spatial", {}),
    ("spatial", {"kernel_size": 1}),
]


def build(kind, channels, *, seed=0, **options):
    """An attention in evaluation mode whose every parameter and statistic is random, in double precision."""
    torch.manual_seed(seed)
    attention = ATTENTIONS[kind](channels, **options).double().eval()
    for module in attention.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return attention


def images(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inputs(attention, *shape):
    """Features, and for a gated attention a gating signal too."""
    count = 2 if getattr(attention, "gated", False) else 1
    return tuple(images(*shape, seed=seed) for seed in range(1, count + 1))
