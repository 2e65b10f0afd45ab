"""Networks, their places and spaces as plain values, for JSON."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_attn.assembly import SpaceFile
    from nas_attn.cost import Cost
    from nas_attn.evaluation import Ledger
    from nas_attn.pricing import SpacePrices
    from nas_attn.settings import Backbone
    from nas_attn.space import SearchSpace

_COSTS = ("params", "macs", "flops")


def sites_record(backbone: "Backbone", ledger: "Ledger", remarks: Iterable[str]) -> dict[str, Any]:
    """A network with its places; the map and the signal of each, in its first pass, as (channels, height, width)."""
    places = []
    for site in ledger.sites.values():
        shape, signal = next(iter(ledger.passes[site.name]), (None, None))
        place = {"site": site.name, "stage": site.stage, "block": site.block, "position": site.position}
        places.append({**place, "channels": site.channels, "map": shape, "signal": signal, "module": site.module})
    return {**_priced(backbone, ledger), "sites": places, "remarks": [*remarks]}


def space_record(
    said: "SpaceFile",
    space: "SearchSpace",
    ledger: "Ledger",
    prices: "SpacePrices",
    limits: Mapping[str, int],
    remarks: Iterable[str],
) -> dict[str, Any]:
    """A space with its slots, its size, its prices, and the share of its networks within some limits."""
    slots = [
        {"slot": slot.name, "kinds": [{"kind": kind.name, "options": dict(kind.questions)} for kind in slot.kinds]}
        for slot in space.slots
    ]
    baselines = [{"architecture": str(one), **_costs(ledger.price(one))} for one in space.baselines()]
    within = {"limits": dict(limits), "share": prices.within(limits).share} if limits else None
    known = {name: prices.distribution(name) for name in _COSTS}
    ends = {name: {"lowest": one.lowest, "highest": one.highest} for name, one in known.items()}
    sizes = {"per": said.per, "networks": space.size, "spellings": space.spellings}
    priced = {"prices": ends, "within": within, "baselines": baselines}
    return {**_priced(said.backbone, ledger), **sizes, "slots": slots, **priced, "remarks": [*remarks]}


def _priced(backbone: "Backbone", ledger: "Ledger") -> dict[str, Any]:
    facts = {"backbone": backbone.name, "image": ledger.image, "classes": ledger.classes}
    return {**facts, "plain": _costs(ledger.plain)}


def _costs(cost: "Cost") -> dict[str, int]:
    return {name: getattr(cost, name) for name in _COSTS}
