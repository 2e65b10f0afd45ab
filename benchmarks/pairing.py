"""Gain of comparing a network with the plain backbone of the same seed."""

from collections.abc import Iterable

import numpy as np

from nas_attn.results import Evaluation
from nas_attn.statistics import UNKNOWN, Estimate, Numbers, estimate, truth
from nas_attn.statistics.rank_correlation import RESAMPLES


def paired_factor(rows: Iterable[Evaluation], seed: int = 0) -> dict[str, Estimate]:
    """The variance of a difference to the plain backbone of the same seed, over that of one to another seed's.

    For each learnt measure the median over architectures, with an interval over resamples of architectures and of
    seeds: 1 where pairing gains nothing, 0.01 where it gains much, above 1 where it harms. The rows are those of one
    step. Unknown without the plain backbone, another one and two seeds.
    """
    known, rng = truth(rows), np.random.default_rng(seed)
    return {name: _factor(values, known.plain, rng) for name, values in known.values.items()}


def _factor(values: Numbers, plain: int | None, rng: np.random.Generator) -> Estimate:
    networks, seeds = values.shape
    if plain is None or min(networks, seeds) < 2:
        return UNKNOWN
    others = np.delete(values, plain, axis=0)
    drawn = np.concatenate([[range(seeds)], rng.integers(seeds, size=(RESAMPLES, seeds))])
    base, candidates = values[plain][drawn], others[:, drawn]
    with np.errstate(invalid="ignore", divide="ignore"):
        factors = (candidates - base).var(axis=2) / (candidates.var(axis=2) + base.var(axis=1))
    counted = np.concatenate([[range(networks - 1)], rng.integers(networks - 1, size=(RESAMPLES, networks - 1))])
    chosen = factors[counted, np.arange(len(counted))[:, None]]
    defined = np.isfinite(chosen).any(axis=1)
    medians = np.full(len(chosen), np.nan)
    medians[defined] = np.nanmedian(chosen[defined], axis=1)
    return estimate(medians)
