"""Joint of space, attentions and backbones: an architecture becomes a network."""

import hashlib

import torch
from torch import nn

from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES
from nas_attn.space import Architecture, Attention, InputError, Site, allowed


def build(architecture: Architecture, backbone: str, *, in_channels: int, classes: int, seed: int = 0) -> nn.Module:
    """The backbone with this architecture's attentions in their places.

    The backbone's initial weights depend on the seed alone, and an attention's on the seed and its site, so that
    architectures of one seed can be compared in pairs. The global random state is left as it was.

    Raises `InputError` for a site, a kind or an option that does not exist.
    """
    remaining = {placement.site: placement.attention for placement in architecture.placements}
    asked: list[str] = []

    def insert(site: Site) -> nn.Module | None:
        asked.append(site.name)
        attention = remaining.pop(site.name, None)
        if attention is None:
            return None
        with torch.random.fork_rng():
            torch.manual_seed(_site_seed(seed, site))
            return _make(attention, site)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = BACKBONES[backbone](in_channels=in_channels, classes=classes, insert=insert)
    for name in remaining:
        raise InputError(f"{name}: {backbone} has no such site; {allowed(name, asked)}")
    return network


def _make(attention: Attention, site: Site) -> nn.Module:
    if attention.kind not in ATTENTIONS:
        raise InputError(f"{site.name}: unknown kind {attention.kind!r}; {allowed(attention.kind, ATTENTIONS)}")
    try:
        return ATTENTIONS[attention.kind](site.channels, **dict(attention.options))
    except (TypeError, ValueError) as error:
        raise InputError(f"{site.name}: {attention}: {error}") from None


def _site_seed(seed: int, site: Site) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {site.name}".encode()).digest()[:6], "big")
