"""The trained network that a claim means, found by how it is spelt."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from nas_attn.results import Evaluation, Slots
from nas_attn.space import POSITIONS, Architecture, InputError, Placement, parse


def network_named(text: str, networks: Iterable[Evaluation], slots: Slots = ()) -> Evaluation:
    """The one of these networks that has just what is spelt.

    A site may be named by its slot alone, or by slot and position: `stage3=se`, `stage1-3.block=se`; then the whole
    slot is meant. Options that are not spelt may be any; a `start` that is not is the paper's. Raises `InputError`
    where none is meant, or several are.
    """
    wanted, slot_of = parse(text), {site: name for name, sites in slots for site in sites}
    found = [row for row in networks if _means(wanted, _read(row.architecture), slot_of)]
    if len(found) > 1:
        several = "; ".join(row.architecture for row in found[:3])
        raise InputError(f"{text!r} may be any of {len(found)} networks ({several}); spell its options too")
    if not found:
        raise InputError(f"no network that was trained has {text!r} and nothing else; name it in `architectures`")
    return found[0]


@lru_cache(maxsize=10_000)
def _read(spelling: str) -> Architecture:
    """A network, read once for all claims."""
    return parse(spelling)


def _means(wanted: Architecture, has: Architecture, slot_of: Mapping[str, str]) -> bool:
    """Whether each placement is spoken of once, and each part of what is spelt speaks of its whole slots."""
    spoken: set[Placement] = set()
    for one in has.placements:
        parts = [part for part in wanted.placements if _covers(part, one, slot_of)]
        if len(parts) != 1:
            return False
        spoken |= {*parts}
    filled = {slot_of.get(one.site, "") for one in has.placements}
    within = (slot for part in wanted.placements for slot in {*slot_of.values()} if _within(part.site, slot))
    return spoken == {*wanted.placements} and all(slot in filled for slot in within)


def _covers(part: Placement, one: Placement, slot_of: Mapping[str, str]) -> bool:
    """Whether a part of a claim speaks of this placement."""
    if part.attention.kind != one.attention.kind:
        return False
    words = part.site.split(".")
    head, position = (words[:-1], words[-1]) if words[-1] in POSITIONS and len(words) > 1 else (words, "")
    site = one.site.split(".")
    here = part.site == one.site or (
        ".".join(head) in (slot_of.get(one.site), ".".join(site[: len(head)])) and position in ("", site[-1])
    )
    spelt, has = dict(part.attention.options), dict(one.attention.options)
    start = spelt.pop("start", "paper") == has.pop("start", "paper")
    return here and start and spelt.items() <= has.items()


def _within(site: str, slot: str) -> bool:
    """Whether a slot is one of those that a claim names by what they have in common."""
    words = [word for word in site.split(".") if word not in POSITIONS]
    return slot.split(".")[: len(words)] == words
