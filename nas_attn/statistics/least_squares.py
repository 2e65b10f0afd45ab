"""Least-squares means of networks over seeds that need not match, with seed effects removed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array
from scipy.sparse.csgraph import connected_components

from nas_attn.results import Evaluation
from nas_attn.space import InputError

from .contrasts import Contrasts
from .noise import Noise, noise
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
    """Adjusted means of networks: a network's own value, plus what a seed does to all, plus noise.

    In units of the noise's variance the covariance of differences of the means is a diagonal and a few columns, so that
    what is computed of it grows with the networks and not with their square.
    """

    means: Numbers
    """Each network's, averaged over the seeds, shape (networks,); only differences have the covariance."""
    met: Numbers
    """1 where a network was trained with a seed, shape (networks, seeds)."""
    root: Numbers
    """A root of what seed effects add to the covariance, shape (networks, columns)."""
    linked: NDArray[np.intp]
    """Networks of one number share seeds, at least by way of others, shape (networks,)."""
    variance: float
    """Of the noise, pooled over all networks; NaN where no training is left to tell it."""
    freedom: int
    """Degrees of freedom of the variance, from residuals within networks."""
    noise: Noise
    """That of each network."""

    @property
    def counts(self) -> Numbers:
        """How many seeds each network was trained with, shape (networks,)."""
        counts: Numbers = self.met.sum(axis=1)
        return counts

    @property
    def seeds(self) -> int:
        """How many seeds the network has that has the most."""
        return int(self.counts.max(initial=0))

    @property
    def rank(self) -> int:
        """How many differences of networks are known."""
        return len(self.means) - len(set(self.linked.tolist()))

    def information(self, values: Numbers) -> Numbers:
        """The inverse of the covariance times columns of shape (networks, columns)."""
        shared = self.met.T / np.maximum(self.met.sum(axis=0), 1)[:, None]
        product: Numbers = self.counts[:, None] * values - self.met @ (shared @ values)
        return product

    def comparable(self, contrasts: Contrasts) -> NDArray[np.bool_]:
        """Which of them the seeds that networks share can tell."""
        groups = (self.linked[:, None] == np.unique(self.linked)).astype(np.float64)
        return np.asarray(np.abs(contrasts @ groups).max(axis=1, initial=0.0) < 1e-6, dtype=np.bool_)

    def covariance(self, weights: Numbers) -> Numbers:
        """Of contrasts of these weights, shape (contrasts, networks), in units of the noise's variance."""
        by_seeds = weights @ self.root
        covariance: Numbers = (weights / self.counts) @ weights.T + by_seeds @ by_seeds.T
        return covariance

    def variances(self, contrasts: Contrasts) -> Numbers:
        """Of the contrasts, in units of the noise's variance, shape (contrasts,)."""
        variances: Numbers = contrasts.squares(1 / self.counts) + ((contrasts @ self.root) ** 2).sum(axis=1)
        return variances

    def drawn(self, number: int, rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
        """Noise in the means, and what trainings make of its variances: the pooled one, and each network's share of it.

        Of shape (networks, number), (number,), and (networks, number) or, where all draws are alike, (networks, 1).
        """
        true, pooled, shares = self.noise.drawn(number, self.freedom, rng)
        drawn = rng.standard_normal((len(self.means), number))
        drawn *= np.sqrt(true / self.counts[:, None])
        drawn += math.sqrt(self.variance) * self.root @ rng.standard_normal((self.root.shape[1], number))
        return drawn, pooled, shares


def adjusted_means(known: Trainings, sign: float = 1.0) -> AdjustedMeans:
    """Networks and seeds fitted by least squares to the values times a sign, which makes more better.

    Searle, Linear Models for Unbalanced Data, chapter 4.
    """
    values = sign * known.values
    met, counts = known.met, known.counts.astype(np.float64)
    own = met / counts[:, None]
    spectrum, directions = np.linalg.eigh(np.diag(met.sum(axis=0)) - met.T @ own)
    root = directions[:, spectrum > 1e-9] / np.sqrt(spectrum[spectrum > 1e-9])
    sums = np.bincount(known.who, values, minlength=len(counts))
    by_seed = np.bincount(known.when, values, minlength=met.shape[1])
    effects = root @ (root.T @ (by_seed - own.T @ sums))
    means = (sums - met @ effects) / counts
    residuals = values - means[known.who] - effects[known.when]
    squares = np.bincount(known.who, residuals**2, len(counts)).astype(np.float64)
    leverage = ((root[known.when] - (own @ root)[known.who]) ** 2).sum(axis=1)
    left = counts - 1 - np.bincount(known.who, leverage, len(counts))
    freedom = len(values) - len(counts) - root.shape[1]
    variance = float(squares.sum() / freedom) if freedom > 0 else np.nan
    spread = noise(squares, left, variance)
    return AdjustedMeans(means, met, own @ root, _linked(met), variance, freedom, spread)


def _linked(met: Numbers) -> NDArray[np.intp]:
    """A number for each network that those have in common which seeds link."""
    if not met.size:
        return np.zeros(len(met), dtype=np.intp)
    _, groups = connected_components(block_array([[None, met], [met.T, None]]))
    return np.asarray(groups[: len(met)], dtype=np.intp)
