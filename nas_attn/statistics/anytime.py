"""Intervals that hold after every further seed, so that one may stop whenever one likes."""

import math

from scipy.special import ndtr, stdtr, stdtrit

_SEEDS = 0.3
"""The seeds for which the boundary is narrowest, so that it hardly widens from the second on."""

_WHOLE = 1.75
"""What the square of the boundary spares as differences are known after whole seeds only, from the second on."""


def boundary(level: float, seeds: int) -> float:
    """How many standard errors noise takes a difference from 0 after so many seeds, or any other number up to 1,000.

    With at most the probability `level` at any of them: the mixture boundary for the mean of normal noise (Robbins,
    Annals of Mathematical Statistics 41, 1970; Howard et al., Annals of Statistics 49, 2021), which holds at any
    moment, less what is spared by the moments being whole seeds.
    """
    return math.sqrt((1 + _SEEDS / seeds) * (math.log1p(seeds / _SEEDS) - 2 * math.log(level) - _WHOLE))


def widening(once: float, seeds: int, freedom: int) -> float:
    """By how much wider an interval is that holds after any number of seeds than one that holds after this number.

    `once` is the latter in standard errors, that come from so many degrees of freedom; where several intervals hold
    together, it is more than one would need.
    """
    level = float(2 * stdtr(freedom, -once))
    return -float(stdtrit(freedom, ndtr(-boundary(level, seeds)))) / once if 0 < level < 1 else 1.0
