"""What is to be compared, as it is spelt: `stage3.block=cbam(reduction=8)`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nas_attn.space import POSITIONS, InputError, Site, Value, allowed, fold, parse

EVERYWHERE = "everywhere"
"""The name of all places of a network."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A kind at one named place."""

    place: str
    """A stage, a block or a site, a position after the former two, or `everywhere`."""
    kind: str
    options: tuple[tuple[str, Value], ...] = ()
    """Those that are said, in the order of their names."""
    position: str = ""
    """Where in a block, if the place does not say it."""

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.options)
        return f"{self.place}={self.kind}{f'({said})' if said else ''}"


@dataclass(frozen=True, slots=True)
class Places:
    """Sites that a name stands for."""

    sites: tuple[Site, ...]
    position: str
    """Where in a block, if the name says it."""

    def at(self, position: str) -> tuple[Site, ...]:
        """Those of one position."""
        return tuple(site for site in self.sites if site.position == position)


def wishes(spelling: str) -> tuple[Wish, ...]:
    """Read a spelling: places with kinds, separated by spaces; of a range, one for each name.

    >>> [str(wish) for wish in wishes("stage1-2=se stage3.block=cbam(reduction=8)")]
    ['stage1=se', 'stage2=se', 'stage3.block=cbam(reduction=8)']

    Raises `InputError` that quotes the part which cannot be read, and where nothing is named.
    """
    found = tuple(
        Wish(placement.site, placement.attention.kind, placement.attention.options)
        for placement in parse(spelling).placements
    )
    if not found:
        raise InputError(
            f"{spelling!r}: is the plain backbone, with which all else is compared; name a place and a kind"
        )
    return found


def places(name: str, sites: Sequence[Site], network: str) -> Places:
    """The sites of a network that a name stands for.

    Raises `InputError` for a place that there is not, with those that there are.
    """
    if exact := tuple(site for site in sites if site.name == name):
        return Places(exact, exact[0].position)
    whole = {EVERYWHERE: tuple(sites)}
    for site in sites:
        for part in (site.stage, site.block):
            whole[part] = (*whole.get(part, ()), site)
    if name in whole:
        return Places(whole[name], "")
    head, _, position = name.rpartition(".")
    if head in whole and position in POSITIONS:
        here = tuple(site for site in whole[head] if site.position == position)
        if here:
            return Places(here, position)
        raise InputError(f"{name}: {network} has no such place; {allowed(name, _positions(head, whole[head]))}")
    stages = dict.fromkeys(site.stage for site in sites)
    known = [EVERYWHERE, *stages, *(f"{stage}.{position}" for stage in stages for position in _at(whole[stage]))]
    blocks = ", ".join(fold(dict.fromkeys(site.block for site in sites)))
    raise InputError(f"{name}: {network} has no such place; {allowed(name, known)}; the same of one of {blocks}")


def _at(sites: Iterable[Site]) -> list[str]:
    return sorted({site.position for site in sites}, key=POSITIONS.index)


def _positions(head: str, sites: Iterable[Site]) -> Iterator[str]:
    return (f"{head}.{position}" for position in _at(sites))


def with_options(wish: Wish, **options: Value) -> Wish:
    """The same with these options too; what is said already stays."""
    return replace(wish, options=tuple(sorted({**options, **dict(wish.options)}.items())))
