"""Value of further trainings: how many networks they would most likely decide to be on or off the front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .front_probability import SURE, Cheaper, Membership, costs_of
from .rank_correlation import Numbers

_FUTURES = 40
"""How many outcomes of the trainings to come are drawn."""

_DRAWS = 400
"""From how many draws each outcome is judged."""


@dataclass(frozen=True, slots=True)
class Lookahead:
    """What further seeds of undecided networks would most likely decide."""

    undecided: tuple[str, ...]
    """Their keys, the least decided first."""
    seeds: int
    """Further seeds of each one that is trained."""
    trained: tuple[str, ...]
    """The keys that they are spent on, first those on the front, which the others are compared with."""
    minutes: float
    """What that takes; NaN where rows do not tell how long they trained."""
    probability: tuple[float, ...]
    """That each undecided one is in or out afterwards."""

    @property
    def decided(self) -> float:
        """How many of them are expected to be decided."""
        return math.fsum(self.probability)


def lookahead(member: Membership, objectives: Sequence[str], minutes: float | None = None, seed: int = 0) -> Lookahead:
    """What these minutes of training would decide; without a number, what a second round of the seeds would.

    They are spent on undecided networks and on those on the front, which the others are compared with: one seed each
    after the other; where they do not reach once around, on the least decided. The truth of each future is a draw of
    the posterior; its trainings share seeds, and the posterior afterwards is the normal distribution that follows.
    """
    known, probability = member.posterior, member.probability
    undecided = np.flatnonzero((probability > 1 - SURE) & (probability < SURE))
    order = undecided[np.argsort(np.abs(probability[undecided] - 0.5), kind="stable")]
    whole = np.concatenate([np.flatnonzero(probability >= SURE), order])
    each = np.array([network.train_seconds for network in known.networks])[whole] / 60
    seeds, taken = _bought(each, minutes, float(np.median(known.trainings[whole])) if len(whole) else 0.0)
    networks, trained = known.keys, whole[:taken].tolist()
    keys = [networks[number] for number in order]
    if not set(trained) & set(order.tolist()) or not seeds or taken < 2:
        return Lookahead(tuple(keys), 0, (), 0.0, (0.0,) * len(keys))
    hopeful = np.flatnonzero(probability > 0)
    places = [np.searchsorted(hopeful, some) for some in (order, trained)]
    decided = _decided(member, objectives, hopeful, places[1].tolist(), seeds, np.random.default_rng(seed))
    later = decided[places[0]]
    spent_on = tuple(networks[number] for number in trained)
    return Lookahead(tuple(keys), seeds, spent_on, float(seeds * each[:taken].sum()), tuple(later.tolist()))


def _bought(each: Numbers, minutes: float | None, before: float) -> tuple[int, int]:
    """How many seeds of how many networks; without a price, as many seeds again."""
    if minutes is None or not np.isfinite(each).all() or not each.sum():
        return int(before), len(each)
    if minutes >= each.sum():
        return int(minutes // each.sum()), len(each)
    return 1, int(np.searchsorted(np.cumsum(each), minutes, side="right"))


def _decided(
    member: Membership,
    objectives: Sequence[str],
    hopeful: NDArray[np.intp],
    trained: Sequence[int],
    seeds: int,
    rng: np.random.Generator,
) -> Numbers:
    """How often each of some networks is in or out after some of these had so many more seeds.

    Those that were on the front in no draw stay out, and keep none out that another does not.
    """
    draws, networks = member.posterior.draws[:, hopeful], [member.networks[number] for number in hopeful]
    mean, covariance = draws.mean(axis=0), np.cov(draws, rowvar=False)
    seen = np.eye(len(mean))[list(trained)]
    seen -= seen.mean(axis=0)
    noise = member.posterior.noise**2 / seeds * (np.eye(len(seen)) - 1 / len(seen))
    gain = covariance @ seen.T @ np.linalg.pinv(seen @ covariance @ seen.T + noise, rcond=1e-9, hermitian=True)
    values, vectors = np.linalg.eigh(covariance - gain @ seen @ covariance)
    cheaper, sign = Cheaper.of(costs_of(networks, objectives)), -member.measure.sign
    spread = rng.standard_normal((_DRAWS, len(mean))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    decided = np.zeros(len(mean))
    for truth in draws[rng.integers(len(draws), size=_FUTURES)]:
        found = seen @ truth + member.posterior.noise / math.sqrt(seeds) * _centred(rng.standard_normal(len(seen)))
        later = mean + gain @ (found - seen @ mean) + spread
        probability = cheaper.front(sign * later).mean(axis=0)
        decided += (probability >= SURE) | (probability <= 1 - SURE)
    return decided / _FUTURES


def _centred(values: Numbers) -> Numbers:
    centred: Numbers = values - values.mean()
    return centred
