"""What stands where: the attentions of each network, slot by slot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas_attn.results import Slots
from nas_attn.space import Architecture, Attention, InputError, Placement, parse

ELSEWHERE = "other sites"


@dataclass(frozen=True, slots=True)
class Standing:
    """An attention in a slot."""

    kind: str
    options: str
    """`reduction=8`, several of them separated by spaces."""
    where: str
    """Where in the slot, if that was a choice: `block`, or `2 of 3 sites`."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A line a network, a column a slot."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[tuple[Standing, ...], ...] | None], ...]
    """The network's key with what stands in each slot; None where its spelling cannot be read."""

    @property
    def kinds(self) -> list[str]:
        """The kinds that stand anywhere, in alphabetical order."""
        return sorted({standing.kind for _, cells in self.lines for cell in cells or () for standing in cell})


def matrix(networks: Iterable[tuple[str, str]], slots: Slots) -> Matrix:
    """What stands where in networks, given by key and spelling.

    Sites that no slot holds get a column of their own, if anything stands there.

    >>> found = matrix([("h40bedbf9c", "none"), ("2a", "s1.b0.branch=se(reduction=8)")], [("s1", ["s1.b0.branch"])])
    >>> found.lines[1]
    ('2a', ((Standing(kind='se', options='reduction=8', where=''),),))
    """
    read = [(key, _read(spelling)) for key, spelling in networks]
    known = {site for _, sites in slots for site in sites}
    placed = {placement.site for _, network in read if network for placement in network.placements}
    columns = [*slots, *([(ELSEWHERE, sorted(placed - known))] if placed - known else [])]
    lines = tuple(
        (key, tuple(_cell(network, sites) for _, sites in columns) if network else None) for key, network in read
    )
    return Matrix(tuple(name for name, _ in columns), lines)


def _read(spelling: str) -> Architecture | None:
    try:
        return parse(spelling)
    except InputError:
        return None


def _cell(network: Architecture, sites: Sequence[str]) -> tuple[Standing, ...]:
    groups: dict[Attention, list[Placement]] = {}
    for placement in network.placements:
        if placement.site in sites:
            groups.setdefault(placement.attention, []).append(placement)
    return tuple(
        Standing(
            kind=attention.kind,
            options=str(attention).removeprefix(attention.kind).strip("()").replace(",", " "),
            where=_where([placement.site for placement in placements], sites),
        )
        for attention, placements in groups.items()
    )


def _where(taken: Sequence[str], sites: Sequence[str]) -> str:
    """The position, where the slot offers several; or how many sites, where not all of them are taken."""
    positions = {site: site.rpartition(".")[2] for site in sites}
    chosen = {positions[site] for site in taken}
    offered = [site for site in sites if positions[site] in chosen]
    if len(taken) < len(offered):
        return f"{len(taken)} of {len(offered)} sites"
    return " and ".join(sorted(chosen)) if len(chosen) < len(set(positions.values())) else ""
