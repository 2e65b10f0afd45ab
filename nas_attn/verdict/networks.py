"""Families of differences between trained networks, each with simultaneous intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_attn.results import Evaluation, Slots
from nas_attn.space import NONE, Placement
from nas_attn.statistics import (
    Additive,
    AdjustedMeans,
    Contrasts,
    Family,
    ImageRecords,
    Level,
    Numbers,
    Trainings,
    additive,
    adjusted_means,
    alone,
    cells,
    compared,
    fillings,
    image_variance,
    interactions,
    removals,
)

from .difference import Difference, Matching, differences
from .matched import matched
from .widened import for_other_images

_ALONE = 1.96
"""Standard deviations that a difference by itself strays by the draw of images at most, with 95 %."""


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
    excess: Numbers
    """What each network counts in how much better the plain backbone did than its sum, shape (networks,)."""
    seed: int
    records: ImageRecords | None = None
    """What each image got, by which intervals hold for other images too; None where that is not known."""

    @classmethod
    def of(
        cls,
        known: Trainings,
        baselines: set[str],
        sign: float,
        slots: Slots | None,
        seed: int,
        records: ImageRecords | None = None,
    ) -> "Networks":
        """Those of these trainings; `sign` makes more better, and baselines are given by their keys."""
        filled = tuple(fillings(network, slots) for network in known.networks)
        unattended = [number for number, network in enumerate(known.networks) if network.architecture == NONE]
        plain = next((number for number in unattended if known.networks[number].key not in baselines), None)
        adjusted = adjusted_means(known, sign)
        fit = additive([*map(cells, filled)], [network.key in baselines for network in known.networks], adjusted)
        return cls(known.networks, adjusted, filled, fit, unattended, plain, _excess(fit, plain), seed, records)

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
        others = [number for number in self.unattended if number != self.plain]
        return self._differences(self._keys(others), Family.single(self._over_plain(others)))

    def against_plain(self) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
        """Every other network, and every effect, in one family."""
        others = [] if self.plain is None else self.others
        names, each = self._keys(others), np.eye(len(self.fit.levels))
        family = Family.single(self._over_plain(others)) + self._pooled(Contrasts.sums(each, self.fit.effects), each)
        found = self._differences([*names, *map(_named, self.fit.levels)], family)
        return found[: len(names)], found[len(names) :]

    def over_plain(self, effects: Sequence[Difference]) -> tuple[Difference, ...]:
        """What the networks that have each effect gain over the plain backbone, on average, each by itself.

        Those that also have what surely costs something do not count, where others are left.
        """
        harmful = [effect.gain.negative for effect in effects]
        rows: list[dict[int, float]] = []
        for column in range(len(effects)):
            having = [number for number in self.others if self.fit.design[number, column]]
            chosen = [number for number in having if not self.fit.design[number][harmful].any()] or having
            rows.append(
                {number: 1 / len(chosen) for number in chosen} | ({} if self.plain is None else {self.plain: -1.0})
            )
        family = Family.single(Contrasts.few(rows, len(self.networks)))
        found = differences([effect.what for effect in effects], alone(self.adjusted, self.fit, family))
        return self._over_images(found, family, _ALONE)

    def beating(
        self, singles: Sequence[Difference], effects: Sequence[Difference], over_plain: Sequence[Difference]
    ) -> set[int]:
        """Which networks surely beat the plain backbone, by themselves or as they have what surely adds something.

        What adds something where nothing stood is a gain over the plain backbone only where the networks that have it
        surely gain something over that as it was trained, on average.
        """
        if self.plain is None:
            return set()
        found = {number for number, single in zip(self.others, singles, strict=True) if single.gain.positive}
        own = {number: single.gain.value for number, single in zip(self.others, singles, strict=True)}
        for column, (effect, gain) in enumerate(zip(effects, over_plain, strict=True)):
            if effect.gain.positive and gain.gain.positive and self.fit.freedom:
                having = [number for number in self.others if self.fit.design[number, column]]
                found |= {number for number in having if own[number] > 0}
        return found

    def likely(self) -> Numbers:
        """The most likely gain of each network over the plain backbone."""
        if self.plain is None:
            return np.full(len(self.networks), np.nan)
        sums = self.fit.design @ (self.fit.effects @ self.adjusted.means)
        own = self.adjusted.means - self.adjusted.means[self.plain]
        noise = self.adjusted.variance * (1 / self.adjusted.counts + (self.adjusted.root**2).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            trusted = np.nan_to_num(self.fit.remainder / (self.fit.remainder + noise), nan=1.0)
        shrunk = sums + trusted * (own - sums)
        comparable = self.adjusted.comparable(self._over_plain(range(len(self.networks))))
        return np.where(comparable, shrunk, np.nan)

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
        places, networks = [number for number, _ in pairs], len(self.networks)
        baselines = [{place: -share for place, share in found.shares.items()} for _, found in pairs]
        own = Contrasts.few([{place: 1.0, **less} for place, less in zip(places, baselines, strict=True)], networks)
        plain = Contrasts.few([{**less, self.plain: 1.0 + less.get(self.plain, 0.0)} for less in baselines], networks)
        parts, effects = self.fit.design[places], np.insert(self.fit.effects, 0, self.excess, axis=0)
        summed = self._pooled(replace(plain, parts=np.insert(parts, 0, -1.0, axis=1), effects=effects), parts)
        gains = self._differences(self._keys([*places, *places]), Family.single(own) + summed)
        matchings: dict[int, tuple[Matching, ...]] = {}
        for (number, found), *both in zip(pairs, gains, gains[len(pairs) :], strict=False):
            surer = max(both, key=lambda difference: difference.gain.low)
            matching = Matching(found.price, tuple(found.names(self.networks)), found.cheaper, surer)
            matchings[number] = (*matchings.get(number, ()), matching)
        return matchings

    def pairs(self) -> tuple[Difference, ...]:
        """Interactions, the strongest first."""
        found, weights = interactions(self.fit)
        names = [f"{_named(one)} with {_named(other)}" for one, other in found]
        differences = self._differences(names, Family.single(Contrasts.many(weights), pooled=True))
        return tuple(sorted(differences, key=lambda difference: difference.missing))

    def without(self, leader: int) -> tuple[Difference, ...]:
        """The leader against networks without one of its placements, in a family of all such pairs of networks."""
        pairs = removals(self.filled)
        contrasts = Contrasts.few([{whole: 1.0, less: -1.0} for whole, less, _ in pairs], len(self.networks))
        found = self._differences([_named(level) for _, _, level in pairs], Family.single(contrasts))
        return tuple(one for (whole, _, _), one in zip(pairs, found, strict=True) if whole == leader)

    def _over_plain(self, numbers: Iterable[int]) -> Contrasts:
        """These networks less the plain backbone; none where that was not trained."""
        plain, rows = self.plain, list[dict[int, float]]()
        if plain is not None:
            rows = [{} if number == plain else {number: 1.0, plain: -1.0} for number in numbers]
        return Contrasts.few(rows, len(self.networks))

    def _pooled(self, contrasts: Contrasts, parts: Numbers) -> Family:
        """Contrasts that rest on the fit, each with so much of every effect, shape (contrasts, effects)."""
        return Family(contrasts, parts @ self.fit.nuisance_sd, np.ones(len(parts), dtype=np.bool_))

    def _keys(self, numbers: Iterable[int]) -> list[str]:
        return [self.networks[number].key for number in numbers]

    def _differences(self, names: Sequence[str], family: Family) -> tuple[Difference, ...]:
        return self._over_images(differences(names, compared(self.adjusted, self.fit, family, self.seed)), family)

    def _over_images(
        self, found: tuple[Difference, ...], family: Family, quantile: float | None = None
    ) -> tuple[Difference, ...]:
        if self.records is None or not found:
            return found
        images = image_variance(self.records, family.contrasts @ np.eye(len(self.networks)), seed=self.seed)
        return for_other_images(found, images if quantile is None else replace(images, quantile=quantile))


def _excess(fit: Additive, plain: int | None) -> Numbers:
    """0 where only the plain backbone itself tells its sum."""
    nothing = np.zeros(len(fit.design))
    if plain is None:
        return nothing
    left = fit.left(np.eye(len(nothing))[:, [plain]])[:, 0]
    return np.asarray(left / left[plain], dtype=np.float64) if left[plain] > 1e-6 else nothing


def _named(level: Level) -> str:
    slot, kind = level
    return f"{kind} at {slot}"
