"""Posterior of a learnt measure of each network, given its noisy trainings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import softmax

from nas_attn.results import Evaluation

from .least_squares import trainings
from .rank_correlation import Numbers

DRAWS = 2000
"""How many times the posterior is drawn from."""

_SDS = np.concatenate([np.linspace(0, 3, 61), np.geomspace(3.1, 1000, 60)])
"""Standard deviations between networks, in those of the noise: the grid that is weighed."""

_WEIGHTS = np.gradient(_SDS)
"""What each value weighs beforehand: all are as likely (Gelman, Bayesian Analysis 1 (3), 2006)."""


@dataclass(frozen=True, eq=False, slots=True)
class Posterior:
    """Posterior of a measure of each network, drawn from; networks may have different seeds."""

    networks: tuple[Evaluation, ...]
    """A row an architecture, that of its first seed, in the order in which architectures come."""
    draws: Numbers
    """Each network's value over all seeds, shape (draws, networks), drawn together.

    Differences of two columns are what is known of a difference. NaN where no network has two seeds.
    """
    noise: float
    """Standard deviation from one seed to the next of what a seed does to one network and not to all; NaN as above."""
    trainings: Numbers
    """How many seeds each network was trained with, shape (networks,)."""

    @property
    def keys(self) -> list[str]:
        """The architectures' keys."""
        return [network.key for network in self.networks]


def posterior(rows: Iterable[Evaluation], name: str, seed: int = 0) -> Posterior:
    """What the complete rows of one step say of each architecture; they need not all have the same seeds.

    A value is the network's, plus what its seed does to every network, plus noise. Networks are taken to be drawn from
    one normal distribution, of unknown standard deviation, so that few trainings are trusted less than many; seed
    effects are free (Gelman et al., Bayesian Data Analysis, section 5.4).

    Raises `InputError` where rows come from several steps.
    """
    known = trainings(rows, name)
    seeds = np.eye(known.met.shape[1])[known.when]
    draws, noise = _posterior(known.values, known.who, seeds, np.random.default_rng(seed))
    return Posterior(known.networks, draws, noise, known.counts.astype(np.float64))


def _posterior(
    values: Numbers, who: NDArray[np.intp], seeds: Numbers, rng: np.random.Generator
) -> tuple[Numbers, float]:
    """Draws of the networks' values, shape (draws, networks), and the standard deviation of the noise.

    `seeds` has a column for each seed, 1 where a training had it. The standard deviation between networks is drawn from
    its marginal posterior over a grid; then the noise, seed effects and networks, given what was drawn.
    """
    counts = np.bincount(who)
    freedom = len(values) - len(counts) - seeds.shape[1] + 1
    if not len(values) or freedom < 1:
        return np.full((DRAWS, len(counts)), np.nan), np.nan
    networks = csr_array((np.ones(len(who)), (who, np.arange(len(who)))), shape=(len(counts), len(who)))
    sums, both = networks @ values, networks @ seeds
    fits = [_Fit.of(values, seeds, sums, both, counts, sd) for sd in _SDS.tolist()]
    weights = softmax([fit.evidence for fit in fits] + np.log(_WEIGHTS))
    draws = np.empty((DRAWS, len(counts)))
    variances = np.empty(DRAWS)
    start = 0
    for fit, number in zip(fits, rng.multinomial(DRAWS, weights), strict=True):
        part = slice(start, start := start + number)
        draws[part], variances[part] = fit.drawn(number, sums, both, counts, rng)
    return draws, float(np.sqrt(np.median(variances)))


@dataclass(frozen=True, eq=False, slots=True)
class _Fit:
    """Seed effects by generalised least squares, for one standard deviation between networks."""

    sd: float
    evidence: float
    """Logarithm of the marginal likelihood, but for a constant."""
    effects: Numbers
    root: Numbers
    """A root of their covariance, in units of the noise's variance."""
    squares: float
    freedom: int

    @classmethod
    def of(
        cls,
        values: Numbers,
        seeds: Numbers,
        sums: Numbers,
        both: Numbers,
        counts: NDArray[np.intp],
        sd: float,
    ) -> "_Fit":
        shrink = sd**2 / (1 + counts * sd**2)
        precision = seeds.T @ seeds - both.T @ (shrink[:, None] * both)
        moment = seeds.T @ values - both.T @ (shrink * sums)
        effects = np.linalg.solve(precision, moment)
        squares = max(float(values @ values - shrink @ sums**2 - moment @ effects), 0.0)
        freedom = len(values) - len(effects)
        _, volume = np.linalg.slogdet(precision)
        scaled = max(squares, 1e-300)
        evidence = -0.5 * (np.log1p(counts * sd**2).sum() + volume + freedom * np.log(scaled))
        root = np.linalg.cholesky(np.linalg.inv(precision))
        return cls(sd, float(evidence), np.asarray(effects, dtype=np.float64), root, squares, freedom)

    def drawn(
        self,
        number: int,
        sums: Numbers,
        both: Numbers,
        counts: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> tuple[Numbers, Numbers]:
        """Networks' values averaged over the seeds, and the noise's variance, so many times."""
        variances = self.squares / rng.chisquare(self.freedom, number)
        noise = np.sqrt(variances)[:, None]
        effects = self.effects + noise * (rng.standard_normal((number, len(self.effects))) @ self.root.T)
        shrink = self.sd**2 / (1 + counts * self.sd**2)
        means = shrink * (sums - effects @ both.T)
        networks = means + noise * np.sqrt(shrink) * rng.standard_normal((number, len(counts)))
        return networks + effects.mean(axis=1, keepdims=True), variances
