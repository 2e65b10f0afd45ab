"""How a network asks, site by site, what should stand there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas_attn.space import Site

from .meta import on_meta

Insert = Callable[[Site], nn.Module | None]
"""Answers what stands at a site: a module that keeps the shape of a feature map, or nothing."""


def attend(attention: nn.Module | None, features: Tensor, gating_signal: Tensor) -> Tensor:
    """Features weighed by what stands at a site, if anything does; (B, C, H, W).

    A gated attention also takes the gating signal, the block's input, which may be wider, narrower or larger.
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
    found: list[Site] = []
    with on_meta():
        build(found.append)
    return tuple(found)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from this seed on the CPU, where networks are built; no device is woken for it."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        yield


@dataclass(frozen=True, slots=True)
class BlockSites:
    """The sites of one block of a built-in network; called with a position, it asks what stands there."""

    insert: Insert
    stage: int
    block: int
    last: bool
    """Whether the block ends its stage: then alone something may stand after the stage."""

    def __call__(self, position: str, channels: int, signal_channels: int | None = None) -> nn.Module | None:
        """What stands at a position whose map has these channels."""
        if position == "stage" and not self.last:
            return None
        stage, block = f"stage{self.stage}", f"stage{self.stage}.block{self.block}"
        return self.insert(Site(f"{block}.{position}", stage, block, position, channels, signal_channels))


def stages(
    insert: Insert, depths: Sequence[int], make: Callable[[int, int, BlockSites], nn.Module]
) -> Iterator[nn.Sequential]:
    """Stages of so many blocks each, made one after the other from the stage's number, the block's and its sites."""
    for stage, depth in enumerate(depths, start=1):
        yield nn.Sequential(*(make(stage, n, BlockSites(insert, stage, n, n == depth - 1)) for n in range(depth)))
