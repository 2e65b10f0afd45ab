"""Exact costs of every attention at every site, and so of every architecture, without training."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from torch import Tensor, nn

from nas_attn.assembly import place
from nas_attn.backbones import network, on_meta
from nas_attn.cost import Cost, count
from nas_attn.drawing import Costs, Outline, Place
from nas_attn.pricing import COUNTED, Integers, SpacePrices, filled
from nas_attn.settings import Backbone
from nas_attn.space import NONE, Architecture, Attention, InputError, Placement, SearchSpace, Site, allowed, reported

Shape = tuple[int, ...]
Pass = tuple[Shape, Shape]
"""The shapes, without the batch, of the features and of the gating signal that pass a site."""

_Known = dict[tuple[Attention, tuple[Pass, ...]], Cost]


@dataclass(frozen=True, eq=False, repr=False)
class Ledger:
    """Costs of a backbone with any architecture, for one image: a sum over the attentions at its sites.

    An attention costs what its module alone costs for the shapes that pass its site, so the sum is exactly what `count`
    finds in the network that is built.
    """

    backbone: Backbone
    image: tuple[int, int, int]
    """Channels, height and width."""
    classes: int
    plain: Cost
    """Of the network without attention."""
    sites: Mapping[str, Site]
    passes: Mapping[str, tuple[Pass, ...]]
    """Shapes that pass each site for one image: once, unless the network uses the place again."""
    _known: _Known = field(default_factory=dict, init=False, repr=False)

    def __repr__(self) -> str:
        return f"Ledger({self.backbone.name!r}, {self.image}, {self.classes})"

    def price(self, architecture: Architecture) -> Cost:
        """Parameters, MACs and FLOPs of the network with this architecture.

        Raises `InputError` for a site, a kind or an option that does not exist, for an operator without a price, and
        where an attention does not take a map of its size.
        """
        return sum(map(self._added, architecture.placements), start=self.plain)

    def space_prices(self, space: SearchSpace) -> SpacePrices:
        """Costs of every network of a space; raises `InputError` as `price` does."""
        nothing = Cost(params=0, macs=0, flops=0)
        costs = [[sum(map(self._added, filling), start=nothing) for filling in slot.fillings()] for slot in space.slots]
        return SpacePrices(_measured([self.plain])[0], tuple(map(_measured, costs)))

    def table(self, space: SearchSpace, *, at_most: int = 100_000, seed: int = 0) -> pd.DataFrame:
        """A row a network of a space, indexed by `key`: its spelling, its costs, and the filling of each slot.

        Of more than `at_most` networks it is a uniform sample without replacement; the table's `attrs` give the number
        of `networks` in the space, and whether these are the `whole` of them.

        Raises `InputError` as `price` does, and for a number below 1.
        """
        if at_most < 1:
            raise InputError(f"at_most: found {at_most}; a table has at least 1 row")
        known = self.space_prices(space)
        whole = known.networks <= at_most
        answers = known.listed() if whole else known.drawn(at_most, seed)
        architectures = filled(space, answers)
        columns: dict[str, Any] = {"architecture": list(map(str, architectures)), **known.totals(answers)}
        for slot, numbers in zip(space.slots, answers.T, strict=True):
            columns[slot.name] = np.array(list(map(self._spelt, slot.fillings())), dtype=object)[numbers]
        keys = pd.Index([architecture.key for architecture in architectures], name="key")
        table = pd.DataFrame(columns, index=keys)
        table.attrs = {"networks": known.networks, "whole": whole}
        return table

    def outline(self, placements: Iterable[Placement] = ()) -> Outline:
        """The backbone from input to output with the sizes at its sites, and what these placements add.

        Raises `InputError` as `price` does.
        """
        prices: dict[str, dict[str, Costs]] = {}
        for placement in placements:
            found = self._added(placement)
            costs = found.params, found.macs, found.flops
            prices.setdefault(placement.site, {})[str(placement.attention)] = costs
        places = [
            Place(site.name, site.stage, site.block, site.position, next(iter(self.passes[site.name]), ((), ()))[0])
            for site in self.sites.values()
        ]
        plain = self.plain.params, self.plain.macs, self.plain.flops
        return Outline(self.backbone.name, self.image, self.classes, tuple(places), plain, prices)

    def _added(self, placement: Placement) -> Cost:
        """Costs that an attention adds to the plain backbone."""
        if placement.site not in self.sites:
            raise InputError(
                f"{placement.site}: {self.backbone.name} has no such site; {allowed(placement.site, self.sites)}"
            )
        question = placement.attention, self.passes[placement.site]
        if question not in self._known:
            with _fitting(f"{placement.site}={placement.attention}", self.image):
                self._known[question] = _alone(placement.attention, self.sites[placement.site], question[1])
        return self._known[question]

    def _spelt(self, filling: tuple[Placement, ...]) -> str:
        """A filling, spelt as placements are, with the position for the site."""
        texts = (f"{self.sites[placement.site].position}={placement.attention}" for placement in filling)
        return " ".join(dict.fromkeys(texts)) or NONE


@cache
def open_ledger(backbone: Backbone | str, image: tuple[int, int, int], classes: int) -> Ledger:
    """The ledger of a backbone, for images of (channels, height, width) and this many class scores.

    The plain backbone is counted once, with a module at every site that notes the shapes there; no weights are made.

    Raises `InputError` for a backbone that does not exist or does not take such images, and for an operator without a
    price.
    """
    chosen = Backbone.model_validate(backbone).untrained
    sites: dict[str, Site] = {}
    passes: dict[str, list[Pass]] = {}

    def insert(site: Site) -> nn.Module:
        sites[site.name] = site
        passes[site.name] = []
        return _Notes(lambda *shapes: passes[site.name].append(shapes))

    with on_meta():
        plain = network(chosen)(in_channels=image[0], classes=classes, insert=insert)
    with _fitting(chosen.name, image):
        cost = count(plain, image)
    return Ledger(chosen, image, classes, cost, sites, {site: tuple(noted) for site, noted in passes.items()})


class _Notes(nn.Module):
    """Identity at a site, without cost, that notes the shapes that pass."""

    gated: ClassVar[bool] = True

    def __init__(self, note: Callable[[Shape, Shape], None]) -> None:
        super().__init__()
        self.note = note  # a function, because the network is copied before it is counted, and functions are not

    def forward(self, features: Tensor, gating_signal: Tensor) -> Tensor:
        """The features as they came."""
        self.note(_shape(features), _shape(gating_signal))
        return features


def _shape(tensor: Tensor) -> Shape:
    return tuple(map(int, tensor.shape[1:]))


def _alone(attention: Attention, site: Site, passes: tuple[Pass, ...]) -> Cost:
    with on_meta():
        module = place(attention, site)
    inputs = 2 if getattr(module, "gated", False) else 1
    costs = [count(module, *shapes[:inputs]) for shapes in passes]
    return Cost(
        params=sum(parameter.numel() for parameter in module.parameters()),
        macs=sum(cost.macs for cost in costs),
        flops=sum(cost.flops for cost in costs),
    )


def _measured(costs: Sequence[Cost]) -> Integers:
    return np.array([[getattr(cost, measure) for measure in COUNTED] for cost in costs], dtype=np.int64)


@contextmanager
def _fitting(what: str, image: tuple[int, int, int]) -> Iterator[None]:
    message = f"{what}: cannot take images of {' x '.join(map(str, image))} here"
    with reported(message), reported(message, ValueError, RuntimeError):
        yield
