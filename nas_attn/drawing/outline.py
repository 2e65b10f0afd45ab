"""Outline of a network: its places in the order in which an image comes by, with the sizes of the maps there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from nas_attn.space import POSITIONS, Architecture, Attention, natural

Costs = tuple[int, int, int]
"""Parameters, MACs and FLOPs."""

_WAY = ("pre", "inner", "branch", "identity", "block", "stage")
"""Positions in a block in the order in which an image comes by."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site with the size of the map that passes."""

    site: str
    stage: str
    block: str
    position: str
    shape: tuple[int, ...] = ()
    """Channels, height and width; empty where they are not known, or where no image comes by."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A backbone from input to output, without its weights and without torch."""

    backbone: str
    """Its name; empty where it is not known."""
    image: tuple[int, ...]
    """Channels, height and width of one image; empty where they are not known."""
    outputs: int
    """How many numbers it gives; 0 where that is not known."""
    places: tuple[Place, ...]
    plain: Costs = (0, 0, 0)
    """What it costs without attention; zeros where that is not known."""
    prices: Mapping[str, Mapping[str, Costs]] = field(default_factory=dict)
    """What each attention adds, by its site and its spelling."""

    def share(self, site: str, attention: Attention) -> float | None:
        """FLOPs that an attention adds, as a share of those of the plain backbone; None where they are not known."""
        added = self.prices.get(site, {}).get(str(attention))
        return None if added is None or not self.plain[2] else added[2] / self.plain[2]

    def offering(self, sites: Iterable[str]) -> "Outline":
        """The same with those places alone that are among these sites, and each block that has none as one place."""
        wanted, kept = set(sites), list[Place]()
        for _, places in groupby(self.places, key=lambda place: place.block):
            block = list(places)
            last = block[-1]
            whole = [Place(last.block, last.stage, last.block, "", last.shape)]
            kept += [place for place in block if place.site in wanted] or whole
        known = {place.site for place in self.places}
        return Outline(
            *(self.backbone, self.image, self.outputs),
            (*kept, *of_names(site for site in wanted if site not in known).places),
            self.plain,
            self.prices,
        )


def of_names(sites: Iterable[str]) -> Outline:
    """What the names of sites say: blocks without sizes, in natural order, and their positions as an image comes by.

    >>> of_names(["stage1.block0.branch"]).places
    (Place(site='stage1.block0.branch', stage='stage1', block='stage1.block0', position='branch', shape=()),)
    """
    places = [_named(site) for site in sites]
    return Outline("", (), 0, tuple(sorted(places, key=lambda one: (natural(one.block), _order(one), one.site))))


def _named(site: str) -> Place:
    block, _, position = site.rpartition(".")
    whole = position not in POSITIONS
    return Place(site, site.partition(".")[0], site if whole else block, "" if whole else position)


def _order(place: Place) -> int:
    return _WAY.index(place.position) if place.position in _WAY else -1


def attentions(architecture: Architecture) -> dict[str, Attention]:
    """What stands at each site that has something."""
    return {placement.site: placement.attention for placement in architecture.placements}


def size(shape: Iterable[int]) -> str:
    """A size as it is read: channels, height, width.

    >>> size((16, 32, 32))
    '16 x 32 x 32'
    """
    return " x ".join(map(str, shape))


def more(share: float | None) -> str:
    """What an attention adds to the FLOPs; empty where that is not known.

    >>> more(0.00312), more(0), more(None)
    ('+0.31 % FLOPs', '+0 FLOPs', '')
    """
    if share is None:
        return ""
    percent = 100 * share
    return f"+{percent:.2f} % FLOPs" if percent >= 0.01 else f"+{percent:.1g} % FLOPs" if percent else "+0 FLOPs"
