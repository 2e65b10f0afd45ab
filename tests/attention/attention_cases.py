"""Attentions to test, and how to call them alike."""

import torch
from torch import nn

from nas_attn.attention import ATTENTIONS

CASES = [
    ("se", {}),
    ("se", {"reduction": 3, "bias": True}),
    ("se", {"activation": "silu", "bias": True, "reduction": 4}),
    ("se", {"gate": "hard_sigmoid", "reduction": 2}),
    ("cbam", {}),
    ("cbam", {"reduction": 2, "kernel_size": 3}),
    ("cbam", {"bias": False, "divisor": 4}),
    ("coordinate", {}),
    ("coordinate", {"reduction": 1}),
    ("coordinate", {"bias": False, "reduction": 2}),
    ("non_local", {}),
    ("non_local", {"reduction": 4, "subsample": True}),
    ("non_local", {"scale": True}),
    ("non_local", {"subsample": True, "pool_first": True}),
    ("non_local", {"form": "gaussian", "subsample": True, "pool_first": True}),
    ("non_local", {"form": "gaussian", "scale": True, "subsample": True}),
    ("non_local", {"form": "dot_product", "subsample": True}),
    ("non_local", {"form": "concatenation"}),
    ("efficient", {}),
    ("efficient", {"reduction": 1}),
    ("gate", {}),
    ("gate", {"reduction": 5}),
    ("spatial", {}),
    ("spatial", {"kernel_size": 1}),
    ("eca", {}),
    ("eca", {"kernel_size": 7}),
    ("global_context", {}),
    ("global_context", {"reduction": 2, "fusion": "scale"}),
    ("simam", {}),
    ("simam", {"e_lambda": 0.1}),
    ("scse", {}),
    ("scse", {"reduction": 3, "combination": "add"}),
    ("bam", {"reduction": 4}),
    ("bam", {"reduction": 2, "dilation": 2}),
    ("triplet", {}),
    ("triplet", {"kernel_size": 3}),
    ("ese", {}),
    ("multi_scale", {}),
    ("multi_scale", {"groups": 2}),
    ("shuffle", {}),
    ("shuffle", {"groups": 2}),
    ("gather_excite", {}),
    ("gather_excite", {"extent": 4}),
    ("gather_excite", {"variant": "theta", "extent": 4}),
    ("gather_excite", {"variant": "plus", "extent": 2, "reduction": 3}),
    ("efficient_local", {}),
    ("efficient_local", {"kernel_size": 5, "group_width": 8, "norm_groups": 2}),
    ("strip", {}),
    ("selective_kernel", {}),
    ("selective_kernel", {"branches": 3, "reduction": 2, "groups": 2}),
]


def build(kind, channels, *, seed=0, **options):
    """An attention in evaluation mode whose every parameter and statistic is random, in double precision."""
    torch.manual_seed(seed)
    attention = ATTENTIONS[kind](channels, **options).double().eval()
    for module in attention.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    for parameter in attention.parameters():
        if not parameter.any():  # a last layer that starts at zero would hide what stands before it
            nn.init.normal_(parameter)
    return attention


def images(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def too_small(kind, shape):
    """Whether what a kind computes is not defined on a map of this shape."""
    return (kind == "simam" and shape[2] * shape[3] == 1) or (kind == "shuffle" and shape[1] % 2 == 1)


def inputs(attention, *shape):
    """Features, and for a gated attention a gating signal too."""
    count = 2 if getattr(attention, "gated", False) else 1
    return tuple(images(*shape, seed=seed) for seed in range(1, count + 1))
