"""How a network asks, site by site, what should stand there."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas_attn.space import Site

Insert = Callable[[Site], nn.Module | None]
"""Answers what stands at a site: a module that keeps the shape of a feature map, or nothing."""


def attend(attention: nn.Module | None, features: Tensor, gating_signal: Tensor) -> Tensor:
    """Pass features through what stands at a site, if anything does; all shapes are (B, C, H, W).

    A gated attention also looks at the gating signal, the block's input, which may be wider, narrower or larger.
    """
    if attention is None:
        return features
    if getattr(attention, "gated", False):
        return attention(features, gating_signal)  # type: ignore[no-any-return]
    return attention(features)  # type: ignore[no-any-return]


def sites(build: Callable[[Insert], nn.Module]) -> tuple[Site, ...]:
    """The places that a network asks about, in the order of asking.

    The network is built once on the `meta` device, where it costs nothing, with an `insert` that only takes notes.
    """
    asked: list[Site] = []
    with torch.device("meta"):
        build(asked.append)
    return tuple(asked)
