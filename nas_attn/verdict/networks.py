"""Families of differences between trained networks, each with simultaneous intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Evaluation, Slots
from nas_attn.space import NONE, Placement
from nas_attn.statistics import (
    Additive,
    AdjustedMeans,
    Estimate,
    Family,
    Level,
    Numbers,
    Trainings,
    additive,
    adjusted_means,
    cells,
    compared,
    fillings,
    interactions,
    removals,
)

from .difference import Difference, Matching
from .matched import matched


@dataclass(frozen=True, eq=False, slots=True)
class Networks:
    """Networks of one measure, as they are compared."""

    networks: tuple[Evaluation, ...]
    adjusted: AdjustedMeans
    filled: tuple[Mapping[str, frozenset[Placement]], ...]
    fit: Additive
    unattended: list[int]
    """Where networks without attention stand: width-matched baselines, and the plain backbone."""
    plain: int | None
    seed: int

    @classmethod
    def of(cls, known: Trainings, baselines: set[str], sign: float, slots: Slots | None, seed: int) -> "Networks":
        """Those of these trainings; `sign` makes more better, and baselines are given by their keys."""
        filled = tuple(fillings(network, slots) for network in known.networks)
        unattended = [number for number, network in enumerate(known.networks) if network.architecture == NONE]
        plain = [number for number in unattended if known.networks[number].key not in baselines]
        adjusted = adjusted_means(known, sign)
        fit = additive([*map(cells, filled)], [network.key in baselines for network in known.networks], adjusted)
        return cls(known.networks, adjusted, filled, fit, unattended, plain[0] if plain else None, seed)

    @property
    def others(self) -> list[int]:
        """The networks of the space that have something somewhere."""
        return [number for number, filled in enumerate(self.filled) if filled]

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """What each network has."""
        return tuple(tuple(map(_named, cells(filled).items())) for filled in self.filled)

    def widths(self) -> tuple[Difference, ...]:
        """The width-matched baselines against the plain backbone."""
        if self.plain is None:
            return ()
        one, others = np.eye(len(self.networks)), [number for number in self.unattended if number != self.plain]
        return self._differences(self._keys(others), Family.single(one[others] - one[self.plain]))

    def against_plain(self) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
        """Every other network, and every effect, in one family."""
        one = np.eye(len(self.networks))
        singles = one[self.others] - one[self.plain] if self.plain is not None else one[:0]
        effects = Family(self.fit.effects, self.fit.nuisance_sd, np.ones(len(self.fit.effects), dtype=np.bool_))
        names = self._keys(self.others) if self.plain is not None else []
        found = self._differences([*names, *map(_named, self.fit.levels)], Family.single(singles) + effects)
        return found[: len(names)], found[len(names) :]

    @property
    def surprise(self) -> float:
        """By how much the plain backbone did better than its sum; 0 where only itself tells its sum."""
        if self.plain is None or (square := float(self.fit.left[self.plain, self.plain])) < 1e-6:
            return 0.0
        return float(self.fit.left[self.plain] @ self.adjusted.means) / square

    def beating(self, singles: Sequence[Difference], effects: Sequence[Difference]) -> set[int]:
        """Which networks surely beat the plain backbone, by themselves or as they have what surely adds something.

        What adds something on average is not taken for a gain over the plain backbone where that, as it was trained,
        did so much better than its sum that the one would eat up the other.
        """
        if self.plain is None:
            return set()
        found = {number for number, single in zip(self.others, singles, strict=True) if single.gain.positive}
        own = {number: single.gain.value for number, single in zip(self.others, singles, strict=True)}
        for column, effect in enumerate(effects):
            if effect.gain.positive and effect.gain.value > self.surprise and self.fit.freedom:
                having = [number for number in self.others if self.fit.design[number, column]]
                found |= {number for number in having if own[number] > 0}
        return found

    def likely(self) -> Numbers:
        """The most likely gain of each network over the plain backbone."""
        if self.plain is None:
            return np.full(len(self.networks), np.nan)
        sums = self.fit.design @ self.fit.effects @ self.adjusted.means
        own = self.adjusted.means - self.adjusted.means[self.plain]
        noise = self.adjusted.variance * np.diag(self.adjusted.covariance)
        with np.errstate(invalid="ignore", divide="ignore"):
            trusted = np.nan_to_num(self.fit.remainder / (self.fit.remainder + noise), nan=1.0)
        shrunk = sums + trusted * (own - sums)
        one = np.eye(len(self.networks))
        return np.where(self.adjusted.comparable(one - one[self.plain]), shrunk, np.nan)

    def against_widths(self, prices: Sequence[str]) -> dict[int, tuple[Matching, ...]]:
        """Every network against other widths at its prices, by itself and by the sum of its parts, the surer one."""
        if self.plain is None or len(self.unattended) < 2:
            return {}
        pairs = [
            (number, found)
            for number in self.others
            for price in prices
            if (found := matched(self.networks, self.unattended, price, number)) is not None
        ]
        one, places = np.eye(len(self.networks)), [number for number, _ in pairs]
        baselines = np.array([found.weights for _, found in pairs]).reshape(len(pairs), len(one))
        parts = self.fit.design[places]
        sums = one[self.plain] + parts @ self.fit.effects - baselines
        by_parts = Family(sums, parts @ self.fit.nuisance_sd, np.ones(len(pairs), dtype=np.bool_))
        gains = self._differences(self._keys([*places, *places]), Family.single(one[places] - baselines) + by_parts)
        matchings: dict[int, tuple[Matching, ...]] = {}
        for (number, found), itself, summed in zip(pairs, gains, gains[len(pairs) :], strict=False):
            surer = max(itself, summed, key=lambda difference: difference.gain.low)
            matching = Matching(found.price, tuple(found.names(self.networks)), found.cheaper, surer)
            matchings[number] = (*matchings.get(number, ()), matching)
        return matchings

    def pairs(self) -> tuple[Difference, ...]:
        """Interactions, the strongest first."""
        found, weights = interactions(self.fit)
        names = [f"{_named(one)} with {_named(other)}" for one, other in found]
        differences = self._differences(names, Family.single(weights, pooled=True))
        return tuple(sorted(differences, key=lambda difference: difference.missing))

    def without(self, leader: int) -> tuple[Difference, ...]:
        """The leader against networks without one of its placements, in a family of all such pairs of networks."""
        pairs, one = removals(self.filled), np.eye(len(self.networks))
        weights = np.array([one[whole] - one[less] for whole, less, _ in pairs]).reshape(len(pairs), len(one))
        found = self._differences([_named(level) for _, _, level in pairs], Family.single(weights))
        return tuple(one for (whole, _, _), one in zip(pairs, found, strict=True) if whole == leader)

    def _keys(self, numbers: Iterable[int]) -> list[str]:
        return [self.networks[number].key for number in numbers]

    def _differences(self, names: Sequence[str], family: Family) -> tuple[Difference, ...]:
        found = compared(self.adjusted, self.fit, family, self.seed)
        numbers = zip(found.values, found.low, found.high, found.p, found.missing, strict=True)
        return tuple(
            Difference(name, Estimate(float(value), float(low), float(high)), float(p), float(missing))
            for name, (value, low, high, p, missing) in zip(names, numbers, strict=True)
        )


def _named(level: Level) -> str:
    slot, kind = level
    return f"{kind} at {slot}"
