"""What seed noise leaves to be ranked: agreement of independent seeds, and variance of networks against noise."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from .rank_correlation import UNKNOWN, Estimate, Numbers, estimate, spearman

_SPLITS = 100
"""How many random halvings of the seeds are drawn."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How well networks could be ranked at most; unknown where there is one seed."""

    seeds: int
    agreement: Estimate
    """Spearman's rank correlation of two seeds, the mean over all pairs of them."""
    split_half: Estimate
    """The rank correlation of the means of two halves of the seeds, the mean over halvings; of an odd number of seeds
    one is left out."""
    reliability: Estimate
    """What would be the agreement of two such means over all the seeds, by Spearman and Brown."""
    reachable: Estimate
    """The rank correlation of a perfect ranking without noise with the mean over the seeds."""


@dataclass(frozen=True, slots=True)
class Components:
    """How much networks differ and how much seeds do, as standard deviations."""

    between: float
    """Of networks, with the noise taken off; 0 where noise explains all."""
    noise: float
    """Of one training about its network's mean."""
    p: float
    """The F test's probability of such differences between networks where there are none."""


def spearman_brown(agreement: float, seeds: float) -> float:
    """The reliability of a mean over seeds from the correlation of single ones; of a negative one it is 0.

    Spearman (1910), "Correlation calculated from faulty data"; Brown (1910), "Some experimental results in the
    correlation of mental abilities".

    >>> spearman_brown(0.5, 3)
    0.75
    """
    return float(_lengthened(np.array([agreement]), seeds)[0])


def ceiling(values: Numbers, counts: Numbers, rng: np.random.Generator) -> tuple[Ceiling, Numbers]:
    """The ceiling of values of shape (networks, seeds), and what is reachable in every resample.

    The formulas are those of linear correlations, to which ranks come close.
    """
    seeds = values.shape[1]
    if seeds < 2:
        return Ceiling(seeds, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), np.full(len(counts), math.nan)
    columns = values.T
    agreement = _mean([spearman(columns[one], columns[other], counts) for one, other in combinations(range(seeds), 2)])
    halves = [
        spearman(values[:, list(one)].mean(axis=1), values[:, list(other)].mean(axis=1), counts)
        for one, other in _halvings(seeds, rng)
    ]
    reliability = _lengthened(agreement, seeds)
    reachable = np.sqrt(reliability)
    known = (agreement, _mean(halves), reliability, reachable)
    return Ceiling(seeds, *map(estimate, known)), reachable


def components(values: Numbers, paired: bool = True) -> Components:
    """The components of variance of values of shape (networks, seeds), by the estimator of the analysis of variance.

    `paired`: what a seed adds to every network alike is no noise (two ways without interaction); otherwise it is (one
    way). NaN where there are fewer than two networks or seeds.
    """
    networks, seeds = values.shape
    if min(networks, seeds) < 2:
        return Components(math.nan, math.nan, math.nan)
    means = values.mean(axis=1, keepdims=True)
    freedom, others = networks - 1, (networks - 1) * (seeds - 1) if paired else networks * (seeds - 1)
    rest = values - means - (values.mean(axis=0) - values.mean() if paired else 0.0)
    noise, between = float((rest**2).sum() / others), float(seeds * means.var(ddof=1))
    ratio = between / noise if noise else math.inf * between
    sd = math.sqrt(max(0.0, (between - noise) / seeds))
    return Components(sd, math.sqrt(noise), float(special.fdtrc(freedom, others, ratio)))


def _lengthened(agreement: Numbers, seeds: float) -> Numbers:
    known = np.maximum(agreement, 0)
    reliability: Numbers = seeds * known / (1 + (seeds - 1) * known)
    return reliability


def _mean(parts: list[Numbers]) -> Numbers:
    mean: Numbers = np.mean(parts, axis=0)
    return mean


def _halvings(seeds: int, rng: np.random.Generator) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Different halvings, as indices; where there are few of them, all."""
    half, found = seeds // 2, set()
    for _ in range(_SPLITS):
        order = rng.permutation(seeds).tolist()
        one, other = sorted((tuple(sorted(order[:half])), tuple(sorted(order[half : 2 * half]))))
        found.add((one, other))
    return sorted(found)
