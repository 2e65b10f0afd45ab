"""Whether any placement beats the bare network, and a plain one at its price, after having looked at many."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Evaluation, Slots
from nas_attn.space import NONE, InputError, Placement
from nas_attn.statistics import (
    Additive,
    Compared,
    Estimate,
    Family,
    Level,
    Metric,
    Numbers,
    Trainings,
    Worth,
    additive,
    cells,
    compared,
    fillings,
    interactions,
    removals,
    trainings,
    worth,
)

from .matched import matched
from .promising import gains, leading, ranked


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one thing is than another, with its interval; of a loss, how much lower."""

    what: str
    """What it is a difference of: a network's key, or `se at stage2`."""
    gain: Estimate
    """Its interval holds together with those of all that it was looked at with, at 95 %."""
    p: float
    """The probability that the largest of all these strays as far by noise alone."""
    missing: float
    """How many times as many trainings would just show it, were it as large as it looks."""


@dataclass(frozen=True, slots=True)
class Against:
    """A network against a plain one at the same price."""

    price: str
    """What is matched: `flops`."""
    rivals: tuple[str, ...]
    """The plain networks that the rival is read between, or the one that it is."""
    dearest: bool
    """Whether the rival costs less, as no plain network that was trained costs as much."""
    gain: Difference

    @property
    def sure(self) -> bool:
        """Whether the network surely does better, and the rival costs as much."""
        return self.gain.gain.positive and not self.dearest


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What trainings with shared seeds say of differences; every gain is positive where more is better."""

    trainings: Trainings
    """Those of the networks of the space, then those of rivals."""
    noise: float
    """Standard deviation of what a seed does to one network and not to all; NaN where nothing tells it."""
    freedom: int
    """Degrees of freedom that it rests on."""
    parts: tuple[tuple[str, ...], ...]
    """What each network has: `se at stage2`."""
    means: Numbers
    """Each one's accuracy or loss, as if it had been trained with every seed, shape (networks,)."""
    bare: int | None
    """Where the bare network stands; None where it was not trained."""
    widths: tuple[Difference, ...]
    """The rivals against the bare network, in a family of their own."""
    networks: tuple[Difference, ...]
    """Every other network of the space against the bare one."""
    effects: tuple[Difference, ...]
    """What a kind adds in a slot where nothing stood, pooled over all networks."""
    likely: Numbers
    """The most likely gain of each over the bare network, shape (networks,): its own, drawn to what its parts add.

    NaN where the seeds of the two cannot tell.
    """
    order: tuple[int, ...]
    """The networks with attention, the most likely gain first, as `ranked` says."""
    leader: int | None
    """The most promising of them; None where none is likely to gain anything."""
    surprise: float
    """By how much the bare network did better than the sum that the additive fit makes of it."""
    beating: frozenset[int]
    """Those that surely beat the bare network, by themselves or by what an effect says of all that have it."""
    against: tuple[Against, ...]
    """The leader against plain networks at each of its prices; empty without rivals."""
    pairs: tuple[Difference, ...]
    """What two kinds in two slots add together beyond their sum."""
    without: tuple[Difference, ...]
    """The leader against networks that lack one of its placements."""


def comparison(
    rows: Iterable[Evaluation],
    rivals: Iterable[Evaluation],
    metric: Metric,
    prices: Sequence[str] = ("flops",),
    slots: Slots | None = None,
    seed: int = 0,
    on_front: Mapping[str, float] | None = None,
) -> Comparison:
    """Hold every network, and every kind in every slot, against nothing; and the leader against plain networks.

    Values are a network's, plus what a seed does to all networks, plus noise, whose variance is pooled. One family of
    simultaneous intervals holds all networks against the bare one and all effects. Of equally promising networks the
    probabilities of their keys to be on the front decide. Raises `InputError` where rows come from several steps, a
    spelling cannot be read, or a rival has a key of the space.
    """
    inside, outside = list(rows), list(rivals)
    if twice := {row.key for row in inside} & {row.key for row in outside}:
        raise InputError(f"rivals: {', '.join(sorted(twice))}: a network of the space has this key too")
    known = trainings([*inside, *outside], metric)
    sign = 1.0 if metric == "accuracy" else -1.0
    looked = _Looked.at(known, {row.key for row in outside}, sign, slots, seed)
    singles, effects = looked.against_bare()
    surely_better, chances = looked.beating(singles, effects), looked.against_rivals(prices)
    likely = looked.likely()
    order = ranked(looked.others, known.networks, likely, looked.worth.means, on_front or {})
    alone = {held.what for held in singles if held.gain.positive}
    hopes = [number for number in order if gains(float(likely[number])) or known.networks[number].key in alone]
    over_rivals = {number for number, held in chances.items() if held and all(one.sure for one in held)}
    leader = leading(hopes, surely_better, over_rivals)
    return Comparison(
        known,
        float(np.sqrt(looked.worth.variance)),
        looked.worth.freedom,
        looked.parts,
        sign * looked.worth.means,
        looked.bare,
        looked.widths(),
        singles,
        effects,
        likely,
        order,
        leader,
        looked.surprise,
        frozenset(surely_better),
        () if leader is None else chances.get(leader, ()),
        looked.pairs(),
        () if leader is None else looked.without(leader),
    )


def beating(rows: Iterable[Evaluation], metric: Metric, slots: Slots | None = None, seed: int = 0) -> frozenset[int]:
    """Those of the networks that surely beat the bare one, as `comparison` says."""
    looked = _Looked.at(trainings(rows, metric), set(), 1.0 if metric == "accuracy" else -1.0, slots, seed)
    return frozenset(looked.beating(*looked.against_bare()))


@dataclass(frozen=True, eq=False, slots=True)
class _Looked:
    """Networks as they are compared."""

    networks: tuple[Evaluation, ...]
    worth: Worth
    filled: tuple[Mapping[str, frozenset[Placement]], ...]
    fit: Additive
    plain: list[int]
    """Where plain networks stand: rivals, and the bare one."""
    bare: int | None
    seed: int

    @classmethod
    def at(cls, known: Trainings, rivals: set[str], sign: float, slots: Slots | None, seed: int) -> "_Looked":
        filled = tuple(fillings(network, slots) for network in known.networks)
        plain = [number for number, network in enumerate(known.networks) if network.architecture == NONE]
        bare = [number for number in plain if known.networks[number].key not in rivals]
        fitted = worth(known, sign)
        fit = additive([cells(held) for held in filled], [network.key in rivals for network in known.networks], fitted)
        return cls(known.networks, fitted, filled, fit, plain, bare[0] if bare else None, seed)

    @property
    def others(self) -> list[int]:
        """The networks of the space that have something somewhere."""
        return [number for number, held in enumerate(self.filled) if held]

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """What each network has."""
        return tuple(tuple(map(_named, cells(held).items())) for held in self.filled)

    def widths(self) -> tuple[Difference, ...]:
        """The other plain networks against the bare one."""
        if self.bare is None:
            return ()
        one, others = np.eye(len(self.networks)), [number for number in self.plain if number != self.bare]
        told = compared(self.worth, self.fit, Family.single(one[others] - one[self.bare]), self.seed)
        return _differences([self.networks[number].key for number in others], told)

    def against_bare(self) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
        """Every other network, and every effect, in one family."""
        one = np.eye(len(self.networks))
        singles = one[self.others] - one[self.bare] if self.bare is not None else one[:0]
        effects = Family(self.fit.effects, self.fit.doubt, np.ones(len(self.fit.effects), dtype=np.bool_))
        found = compared(self.worth, self.fit, Family.single(singles) + effects, self.seed)
        names = [self.networks[number].key for number in self.others] if self.bare is not None else []
        told = _differences([*names, *map(_named, self.fit.levels)], found)
        return told[: len(names)], told[len(names) :]

    @property
    def surprise(self) -> float:
        """By how much the bare network did better than its sum; 0 where nothing but itself tells its sum."""
        if self.bare is None or (square := float(self.fit.left[self.bare, self.bare])) < 1e-6:
            return 0.0
        return float(self.fit.left[self.bare] @ self.worth.means) / square

    def beating(self, singles: Sequence[Difference], effects: Sequence[Difference]) -> set[int]:
        """Which networks surely beat the bare one, by themselves or as they have what surely adds something.

        What adds something on average is not taken for a gain over the bare network where that, as it was trained,
        did so much better than its sum that the one would eat up the other.
        """
        if self.bare is None:
            return set()
        found = {number for number, single in zip(self.others, singles, strict=True) if single.gain.positive}
        own = {number: single.gain.value for number, single in zip(self.others, singles, strict=True)}
        for column, effect in enumerate(effects):
            if effect.gain.positive and effect.gain.value > self.surprise and self.fit.freedom:
                having = [number for number in self.others if self.fit.design[number, column]]
                found |= {number for number in having if own[number] > 0}
        return found

    def likely(self) -> Numbers:
        """The most likely gain of each network over the bare one."""
        if self.bare is None:
            return np.full(len(self.networks), np.nan)
        sums = self.fit.design @ self.fit.effects @ self.worth.means
        own = self.worth.means - self.worth.means[self.bare]
        noise = self.worth.variance * np.diag(self.worth.covariance)
        with np.errstate(invalid="ignore", divide="ignore"):
            trusted = np.nan_to_num(self.fit.spread / (self.fit.spread + noise), nan=1.0)
        drawn = sums + trusted * (own - sums)
        one = np.eye(len(self.networks))
        return np.where(self.worth.comparable(one - one[self.bare]), drawn, np.nan)

    def against_rivals(self, prices: Sequence[str]) -> dict[int, tuple[Against, ...]]:
        """Every network against plain ones at its prices, by itself and by the sum of its parts, the better told."""
        if self.bare is None or len(self.plain) < 2:
            return {}
        found = [
            (number, matched(self.networks, self.plain, price, number)) for number in self.others for price in prices
        ]
        pairs = [(number, held) for number, held in found if held is not None]
        one = np.eye(len(self.networks))
        rivals = np.array([held.weights for _, held in pairs]).reshape(len(pairs), len(one))
        places = [number for number, _ in pairs]
        parts = self.fit.design[places]
        sums = one[self.bare] + parts @ self.fit.effects - rivals
        by_parts = Family(sums, parts @ self.fit.doubt, np.ones(len(pairs), dtype=np.bool_))
        names = [self.networks[number].key for number in places]
        told = _differences(
            [*names, *names], compared(self.worth, self.fit, Family.single(one[places] - rivals) + by_parts, self.seed)
        )
        chances: dict[int, tuple[Against, ...]] = {}
        for (number, held), itself, summed in zip(pairs, told, told[len(pairs) :], strict=False):
            better = max(itself, summed, key=lambda difference: difference.gain.low)
            rival = tuple(held.names(self.networks))
            chances[number] = (*chances.get(number, ()), Against(held.price, rival, held.dearest, better))
        return chances

    def pairs(self) -> tuple[Difference, ...]:
        """Interactions, the strongest first."""
        found, weights = interactions(self.fit)
        told = compared(self.worth, self.fit, Family.single(weights, pooled=True), self.seed)
        names = [f"{_named(one)} with {_named(other)}" for one, other in found]
        return tuple(sorted(_differences(names, told), key=lambda difference: difference.missing))

    def without(self, leader: int) -> tuple[Difference, ...]:
        """The leader against networks without one of its placements, in a family of all such pairs of networks."""
        pairs = removals(self.filled)
        one = np.eye(len(self.networks))
        weights = np.array([one[whole] - one[less] for whole, less, _ in pairs]).reshape(len(pairs), len(one))
        told = compared(self.worth, self.fit, Family.single(weights), self.seed)
        names = [_named(level) for _, _, level in pairs]
        return tuple(
            difference
            for (whole, _, _), difference in zip(pairs, _differences(names, told), strict=True)
            if whole == leader
        )


def _differences(names: Sequence[str], told: Compared) -> tuple[Difference, ...]:
    numbers = zip(told.values, told.low, told.high, told.p, told.missing, strict=True)
    return tuple(
        Difference(name, Estimate(float(value), float(low), float(high)), float(p), float(missing))
        for name, (value, low, high, p, missing) in zip(names, numbers, strict=True)
    )


def _named(level: Level) -> str:
    slot, kind = level
    return f"{kind} at {slot}"
