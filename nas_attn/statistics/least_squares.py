"""Least-squares means of networks over seeds that need not match, with seed effects removed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Evaluation
from nas_attn.space import InputError

from .rank_correlation import Numbers


@dataclass(frozen=True, eq=False, slots=True)
class Trainings:
    """The complete trainings of one step, as numbers."""

    networks: tuple[Evaluation, ...]
    """A row an architecture, that of its first seed, in the order in which architectures come."""
    values: Numbers
    """Of the measure, shape (trainings,)."""
    who: NDArray[np.intp]
    """Which network each training is of."""
    when: NDArray[np.intp]
    """Which seed it had, counted from 0 in the order of seeds."""

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many seeds each network was trained with, shape (networks,)."""
        return np.bincount(self.who, minlength=len(self.networks))

    @property
    def spread(self) -> float:
        """Pooled standard deviation of a network's values over its seeds; NaN where none has two."""
        freedom = int((self.counts - 1).sum())
        means = np.bincount(self.who, self.values, len(self.networks)) / self.counts
        squares = float(((self.values - means[self.who]) ** 2).sum())
        return math.sqrt(squares / freedom) if freedom else math.nan

    @property
    def met(self) -> Numbers:
        """1 where a network was trained with a seed, shape (networks, seeds)."""
        block = np.zeros((len(self.networks), self.when.max(initial=-1) + 1))
        block[self.who, self.when] = 1
        return block


def trainings(rows: Iterable[Evaluation], name: str) -> Trainings:
    """The complete rows with a finite value; the last one of an architecture and seed.

    Raises `InputError` where rows come from several steps.
    """
    trained = [row for row in rows if row.state == "complete" and np.isfinite(row[name])]
    if len(steps := {row.step for row in trained}) > 1:
        raise InputError(f"found rows of the steps {', '.join(sorted(steps))}; what one says is no seed of another")
    kept = {(row.key, row.seed): row for row in trained}
    first: dict[str, Evaluation] = {}
    for row in sorted(kept.values(), key=lambda row: row.seed):
        first.setdefault(row.key, row)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(key for key, _ in kept))}
    seeds = sorted({seed for _, seed in kept})
    return Trainings(
        tuple(first[key] for key in numbers),
        np.array([row[name] for row in kept.values()], dtype=np.float64),
        np.array([numbers[key] for key, _ in kept], dtype=np.intp),
        np.array([seeds.index(seed) for _, seed in kept], dtype=np.intp),
    )


@dataclass(frozen=True, eq=False, slots=True)
class AdjustedMeans:
    """Adjusted means of networks: a network's own value, plus what a seed does to all, plus noise."""

    means: Numbers
    """Each network's, averaged over the seeds, shape (networks,); only differences have the covariance below."""
    covariance: Numbers
    """Of differences of the means, in units of the noise's variance, shape (networks, networks)."""
    information: Numbers
    """Its pseudo-inverse: what the trainings tell of the networks, once seed effects are removed."""
    variance: float
    """Of the noise; NaN where no training is left to tell it."""
    freedom: int
    """Degrees of freedom of the variance, from residuals within networks, pooled over all of them."""

    def comparable(self, contrasts: Numbers) -> NDArray[np.bool_]:
        """Which contrasts of networks, shape (contrasts, networks), the seeds that networks share can tell."""
        left = np.abs(contrasts - contrasts @ self.covariance @ self.information).max(axis=1, initial=0.0)
        return np.asarray(left < 1e-6, dtype=np.bool_)


def adjusted_means(known: Trainings, sign: float = 1.0) -> AdjustedMeans:
    """Networks and seeds fitted by least squares to the values times a sign, which makes more better.

    Searle, Linear Models for Unbalanced Data, chapter 4.
    """
    values = sign * known.values
    met, counts = known.met, known.counts.astype(np.float64)
    shared = met / np.maximum(met.sum(axis=0), 1)
    information = np.diag(counts) - shared @ met.T
    covariance = np.linalg.pinv(information, rcond=1e-9, hermitian=True)
    sums = np.bincount(known.who, values, minlength=len(counts))
    by_seed = np.bincount(known.when, values, minlength=met.shape[1])
    means = covariance @ (sums - shared @ by_seed)
    effects = (by_seed - met.T @ means) / np.maximum(met.sum(axis=0), 1)
    residuals = values - means[known.who] - effects[known.when]
    freedom = len(values) - met.shape[1] - int(np.linalg.matrix_rank(information, tol=1e-8))
    variance = float(residuals @ residuals / freedom) if freedom > 0 else np.nan
    return AdjustedMeans(means + effects.mean() if len(effects) else means, covariance, information, variance, freedom)
