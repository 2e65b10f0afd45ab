"""Differences between networks, as they are reported."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nas_attn.statistics import Compared, Estimate


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one thing is than another, with its simultaneous interval."""

    what: str
    """What it is a difference of: a network's key, or `se at stage2`."""
    gain: Estimate
    """Its interval holds together with those of all that it was compared with, at 95 %."""
    p: float
    """The probability that the largest of all these strays as far by noise alone."""
    missing: float
    """How many times as many trainings would just show it, were it as large as it looks."""
    images: float = 0.0
    """How far the interval reaches because of the images; 0 where it holds for the validation images only."""

    @property
    def seeds(self) -> float:
        """How far it reaches because of the seeds; both together as the root of the sum of their squares."""
        return math.sqrt(max((self.gain.high - self.gain.value) ** 2 - self.images**2, 0.0))


def differences(names: Sequence[str], found: Compared) -> tuple[Difference, ...]:
    """Contrasts by their names, shape (contrasts,)."""
    numbers = zip(found.values, found.low, found.high, found.p, found.missing, strict=True)
    return tuple(
        Difference(name, Estimate(float(value), float(low), float(high)), float(p), float(missing))
        for name, (value, low, high, p, missing) in zip(names, numbers, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Matching:
    """A network against the plain backbone at a width of the same price."""

    price: str
    """What is matched: `flops`."""
    baselines: tuple[str, ...]
    """The width-matched baselines that are interpolated, or the one that is meant."""
    cheaper: bool
    """Whether the most expensive baseline that was trained still costs less."""
    difference: Difference

    @property
    def sure(self) -> bool:
        """Whether the network surely does better, and the baseline costs as much."""
        return self.difference.gain.positive and not self.cheaper
