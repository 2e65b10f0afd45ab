"""What more trainings would most likely settle: a look ahead from what is known now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .front_probability import SURE, Membership, costs_of, on_front
from .rank_correlation import Numbers

_FUTURES = 40
"""How many outcomes of the trainings to come are drawn."""

_DRAWS = 400
"""From how many draws each outcome is judged."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What further seeds of the networks that are perhaps on the front would settle."""

    undecided: tuple[str, ...]
    """Their keys, the least decided first."""
    seeds: int
    """Further seeds of each one that is trained."""
    trained: tuple[str, ...]
    """The keys that they are spent on, first those surely on the front, which the others are held against."""
    minutes: float
    """What that takes; NaN where rows do not tell how long they trained."""
    probability: tuple[float, ...]
    """That each undecided one is surely in or surely out afterwards."""

    @property
    def settled(self) -> float:
        """How many of them are expected to be settled."""
        return math.fsum(self.probability)


def settling(member: Membership, objectives: Sequence[str], minutes: float | None = None, seed: int = 0) -> Settling:
    """What these minutes of training would settle; without a number, what a second round of the seeds would.

    They are spent on networks that are perhaps on the front, and on those that are surely on it, which the others are
    held against: one seed each after the other; where they do not reach once around, on the least decided. The truth of
    each future is a draw of what is believed now; its trainings share seeds, and what is believed afterwards is the
    normal distribution that follows.
    """
    belief, chance = member.belief, member.probability
    undecided = np.flatnonzero((chance > 1 - SURE) & (chance < SURE))
    order = undecided[np.argsort(np.abs(chance[undecided] - 0.5), kind="stable")]
    whole = np.concatenate([np.flatnonzero(chance >= SURE), order])
    each = np.array([network.train_seconds for network in belief.networks])[whole] / 60
    seeds, taken = _bought(each, minutes, float(np.median(belief.trainings[whole])) if len(whole) else 0.0)
    keys, trained = [belief.keys[number] for number in order], whole[:taken].tolist()
    if not set(trained) & set(order.tolist()) or not seeds or taken < 2:
        return Settling(tuple(keys), 0, (), 0.0, (0.0,) * len(keys))
    later = _settled(member, objectives, trained, seeds, np.random.default_rng(seed))[order]
    told = tuple(belief.keys[number] for number in trained)
    return Settling(tuple(keys), seeds, told, float(seeds * each[:taken].sum()), tuple(later.tolist()))


def _bought(each: Numbers, minutes: float | None, before: float) -> tuple[int, int]:
    """How many seeds of how many networks; without a price, as many seeds again."""
    if minutes is None or not np.isfinite(each).all() or not each.sum():
        return int(before), len(each)
    if minutes >= each.sum():
        return int(minutes // each.sum()), len(each)
    return 1, int(np.searchsorted(np.cumsum(each), minutes, side="right"))


def _settled(
    member: Membership, objectives: Sequence[str], trained: Sequence[int], seeds: int, rng: np.random.Generator
) -> Numbers:
    """How often each network is surely in or surely out after these networks had so many more seeds."""
    draws = member.belief.draws
    mean, covariance = draws.mean(axis=0), np.cov(draws, rowvar=False)
    seen = np.eye(len(mean))[list(trained)]
    seen -= seen.mean(axis=0)
    noise = member.belief.noise**2 / seeds * (np.eye(len(seen)) - 1 / len(seen))
    gain = covariance @ seen.T @ np.linalg.pinv(seen @ covariance @ seen.T + noise, rcond=1e-9, hermitian=True)
    values, vectors = np.linalg.eigh(covariance - gain @ seen @ covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    costs, sign = costs_of(member.networks, objectives), -1.0 if member.metric == "accuracy" else 1.0
    after = np.zeros(len(mean))
    for truth in draws[rng.integers(len(draws), size=_FUTURES)]:
        told = seen @ truth + member.belief.noise / math.sqrt(seeds) * _centred(rng.standard_normal(len(seen)))
        believed = mean + gain @ (told - seen @ mean) + rng.standard_normal((_DRAWS, len(mean))) @ root.T
        chance = on_front(costs, sign * believed).mean(axis=0)
        after += (chance >= SURE) | (chance <= 1 - SURE)
    return after / _FUTURES


def _centred(values: Numbers) -> Numbers:
    centred: Numbers = values - values.mean()
    return centred
