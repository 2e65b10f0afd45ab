"""Wiring module of space, attentions and backbones: an architecture becomes a network."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

from torch import nn

from nas_attn.attention import STARTS, IdentityStart, attention_class, changes_nothing, construct, is_own, signature_of
from nas_attn.backbones import is_on_meta, load_backbone_weights, network, seeded
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, Attention, InputError, Placement, Site, allowed, reported

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


def build(
    architecture: Architecture,
    backbone: Backbone | str,
    *,
    in_channels: int,
    classes: int,
    seed: int = 0,
    within: nn.Module | None = None,
) -> nn.Module:
    """The backbone with this architecture's attentions in their places: a new one, or `within` one that was made.

    The backbone's initial weights depend on the seed alone, and an attention's on the seed and its site, so that
    architectures of one seed can be compared in pairs. Where the backbone names trained weights, it has those, except
    on the `meta` device; a classifier for another number of classes keeps its initial weights, which is logged once.
    The global random state is left as it was.

    Raises `InputError` for a backbone, site, kind or option that does not exist, and for weights of another network.
    """

    def stand(attention: Attention, site: Site) -> nn.Module:
        with seeded(seed_of(seed, site.name)):
            return place(attention, site)

    placed = {placement.site: placement.attention for placement in architecture.placements}
    return furnish(backbone, placed, stand, in_channels=in_channels, classes=classes, seed=seed, within=within)


def furnish(
    backbone: Backbone | str,
    placed: Mapping[str, T],
    stand: Callable[[T, Site], nn.Module],
    *,
    in_channels: int,
    classes: int,
    seed: int,
    within: nn.Module | None = None,
) -> nn.Module:
    """The backbone with what `stand` makes of that which is placed at each site, by name; weights as `build` has them.

    `within` is a network from outside this package that was made already, and keeps its weights.

    Raises `InputError` for a backbone and a site that do not exist, and for weights of another network.
    """
    chosen = Backbone.model_validate(backbone)
    make = network(chosen)
    known: list[str] = []

    def insert(site: Site) -> nn.Module | None:
        known.append(site.name)
        return stand(placed[site.name], site) if site.name in placed else None

    made = {} if within is None else {"network": within}
    with seeded(seed):
        built = make(in_channels=in_channels, classes=classes, insert=insert, **made)
    for name in placed:
        if name not in known:
            raise InputError(f"{name}: {chosen.name} has no such site; {allowed(name, known)}")
    if chosen.weights is not None and within is None and not is_on_meta():
        _log_once(chosen.name, load_backbone_weights(built, chosen, in_channels=in_channels, classes=classes))
    return built


def identity_started(architecture: Architecture) -> Architecture:
    """The same attentions at the same sites, each starting as the identity.

    >>> from nas_attn.space import parse
    >>> print(identity_started(parse("stage1.block0.branch=se(reduction=8)")))
    stage1.block0.branch=se(reduction=8,start=identity)
    """

    def started(attention: Attention) -> Attention:
        return Attention(attention.kind, tuple({**dict(attention.options), "start": "identity"}.items()))

    return Architecture(tuple(Placement(each.site, started(each.attention)) for each in architecture.placements))


@cache
def _log_once(backbone: str, notes: tuple[str, ...]) -> None:
    for note in notes:
        _LOG.warning("%s: %s", backbone, note)


def place(attention: Attention, site: Site) -> nn.Module:
    """The module of an attention that stands at a site, on the current default device.

    Raises `InputError` that names the site for a kind, an option or a value that cannot be.
    """
    try:
        made = attention_class(attention.kind)
    except InputError as error:
        raise InputError(f"{site.name}: {error}") from None
    known = known_options(made)
    options = dict(attention.options)
    start = options.pop("start", "paper")
    if start not in STARTS:
        raise InputError(f"{site.name}: {attention}: start: found {start!r}; {allowed(start, STARTS)}")
    for name in options:
        if name not in known:
            raise InputError(f"{site.name}: {attention}: unknown option {name!r}; {allowed(name, [*known, 'start'])}")
    widths = site.widths(getattr(made, "gated", False))
    with reported(f"{site.name}: {attention}", *([] if is_own(attention.kind) else [ValueError])):
        module: nn.Module = construct(made, widths, options)
        if start != "identity":
            return module
        return IdentityStart(module, already=changes_nothing(made, widths, options) if is_own(attention.kind) else None)


def known_options(attention: type[nn.Module]) -> list[str]:
    """What may be said of an attention that stands at a site, `start` aside: its options, and the size it is built for.

    Raises `InputError` for a class that cannot be called for a site.
    """
    with reported(attention.__name__, ValueError, TypeError):
        signature = signature_of(attention)
    names = [option.name for option in signature.options]
    return list(dict.fromkeys([*names, *(("height", "width") if signature.sides else ())]))


def seed_of(seed: int, *names: str) -> int:
    """The seed of that which has these names, under a seed for everything."""
    return int.from_bytes(hashlib.sha256(" ".join((str(seed), *names)).encode()).digest()[:6], "big")
