"""The space that a complete list of networks spans, found from their spellings alone."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from .architecture import Architecture, Attention, Placement, Site
from .errors import InputError
from .ranges import fold, natural
from .searchspace import Choice, Kind, SearchSpace, Slot
from .values import Value

_Filling = tuple[Placement, ...]


def spanned(architectures: Iterable[Architecture]) -> SearchSpace:
    """The space that has just these architectures; kinds and values stand in the order in which they come.

    Sites belong to one slot where what stands at one has to do with what stands at the other, and a slot is called
    after its blocks. Of how many channels pass a site, spellings say nothing: 0. A choice that does not occur builds
    the network of one that does, that with which it agrees most.

    Raises `InputError` where the architectures are not all that there are in a space.
    """
    networks = list(dict.fromkeys(architectures))
    try:
        space = SearchSpace(tuple(_slot(sites, networks) for sites in _slots(networks)))
        whole = space.size == len(networks) and {*space.architectures()} == {*networks}
    except ValueError as error:
        raise InputError(_refused(networks, str(error))) from None
    if not whole:
        raise InputError(_refused(networks, "some answers do not occur with some others"))
    return space


def _refused(networks: Sequence[Architecture], why: str) -> str:
    return f"found {len(networks)} architectures that are not all the networks of a space: {why}"


def _slots(networks: Sequence[Architecture]) -> list[list[str]]:
    """The sites of each slot: two sites have nothing to do with each other where all pairs of answers occur."""
    standing = [{placement.site: str(placement.attention) for placement in each.placements} for each in networks]
    sites = sorted({site for each in standing for site in each}, key=natural)
    seen = {site: [each.get(site) for each in standing] for site in sites}
    answers = {site: len({*column}) for site, column in seen.items()}
    slot = {site: [site] for site in sites}
    for one, other in combinations(sites, 2):
        if slot[one] is slot[other]:
            continue
        if len({*zip(seen[one], seen[other], strict=True)}) < answers[one] * answers[other]:
            slot[one] += slot[other]
            slot.update(dict.fromkeys(slot[other], slot[one]))
    return [sorted(joined, key=natural) for site, joined in slot.items() if joined[0] == site]


def _slot(names: Sequence[str], networks: Sequence[Architecture]) -> Slot:
    parts = [name.rpartition(".") for name in names]
    title = " ".join(fold(dict.fromkeys(block for block, _, _ in parts)))
    sites = tuple(
        Site(name, title, block, position, 0) for name, (block, _, position) in zip(names, parts, strict=True)
    )
    positions = {site.name: site.position for site in sites}
    kinds: dict[str, dict[Choice, None]] = {}
    options: dict[str, tuple[str, ...]] = {}
    for attention, position in _standing(positions, networks):
        asked = tuple(name for name, _ in attention.options)
        if options.setdefault(attention.kind, asked) != asked:
            raise ValueError(f"{attention.kind} has different options at {title}")
        choice = (position, *(value for _, value in attention.options))
        kinds.setdefault(attention.kind, {})[choice] = None
    return Slot(title, sites, tuple(_kind(name, options[name], [*choices]) for name, choices in kinds.items()))


def _standing(positions: dict[str, str], networks: Sequence[Architecture]) -> Iterator[tuple[Attention, str]]:
    for network in networks:
        for placement in network.placements:
            if placement.site in positions:
                yield placement.attention, positions[placement.site]


def _kind(name: str, options: Sequence[str], found: Sequence[Choice]) -> Kind:
    positions, *values = (tuple(dict.fromkeys(answers)) for answers in zip(*found, strict=True))
    every = Kind(name, tuple(zip(options, values, strict=True)), tuple(map(str, positions)))
    twins = tuple((choice, _nearest(choice, found)) for choice in every.choices() if choice not in found)
    return Kind(name, every.options, every.positions, twins)


def _nearest(choice: Choice, found: Sequence[Choice]) -> Choice:
    def agreeing(other: tuple[Value, ...]) -> int:
        return sum(one == two for one, two in zip(choice, other, strict=True))

    return max(found, key=agreeing)
