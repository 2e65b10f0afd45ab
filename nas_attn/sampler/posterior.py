"""What observations say of networks that were not observed, kept so that one more observation costs little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from .features import Encoding, Features, Floats
from .kernel import JITTER, Kernel, Layout, Observations, bent, fitted

Code = tuple[int, ...]
"""The filling number of each place."""
Seen = Mapping[Code, Sequence[float]]
"""The values of each network, of which more is better, in the order in which the networks were first observed."""

_MOST_FITTED = 300  # networks that decide hyper-parameters
_MOST_HELD = 1000  # networks that the process is conditioned on, when it is built
_FIRST_STEPS, _STEPS = 100, 6  # of the search for hyper-parameters, at first and from where the last ended


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian process given observations, at candidates that stay the same."""

    kernel: Kernel
    candidates: Features
    observed: Features
    lower: Floats
    """Cholesky's factor of the observations' covariance."""
    values: Floats
    """What was observed, as the process has it."""
    shared: Floats
    """The factor's solution for the covariance of observations and candidates."""
    variance: Floats
    """Of the candidates."""

    @classmethod
    def prior(cls, kernel: Kernel, candidates: Features) -> "Posterior":
        """Given nothing."""
        nothing, of_none = np.zeros((0, len(candidates))), np.zeros((0, 0))
        return cls(kernel, candidates, candidates[:0], of_none, np.zeros(0), nothing, kernel.variance(candidates))

    def given(self, networks: Features, values: Floats, noise: Floats) -> "Posterior":
        """Given more networks, with their values and the variance of each value's noise."""
        across = solve_triangular(self.lower, self.kernel(self.observed, networks), lower=True)
        own = self.kernel(networks, networks) - across.T @ across
        own[np.diag_indices_from(own)] += noise + JITTER
        corner = np.linalg.cholesky(own)
        shared = self.kernel(networks, self.candidates)
        if len(self.values):
            shared -= across.T @ self.shared
        shared = solve_triangular(corner, shared, lower=True, overwrite_b=True, check_finite=False)
        lower = np.block([[self.lower, np.zeros_like(across)], [across.T, corner]])
        return replace(
            self,
            observed=_joined(self.observed, networks),
            lower=lower,
            values=np.append(self.values, values),
            shared=np.concatenate([self.shared, shared]),
            variance=self.variance - np.einsum("ij,ij->j", shared, shared),
        )

    @property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and variance at the candidates."""
        weights = solve_triangular(self.lower, self.values, lower=True)
        return weights @ self.shared, np.maximum(self.variance, JITTER)

    def at(self, networks: Features) -> tuple[Floats, Floats]:
        """Mean and variance at any networks."""
        shared = solve_triangular(self.lower, self.kernel(self.observed, networks), lower=True)
        variance = self.kernel.variance(networks) - np.einsum("ij,ij->j", shared, shared)
        return solve_triangular(self.lower, self.values, lower=True) @ shared, np.maximum(variance, JITTER)


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of an objective, of which more is better."""

    theta: Floats
    posterior: Posterior
    rows: dict[Code, int]
    """How often each network was observed."""
    noise: float
    bend: float
    centre: float
    spread: float
    top: float

    @classmethod
    def of(
        cls, encoding: Encoding, candidates: Features, observed: Features, seen: Seen, start: Floats | None
    ) -> "Belief":
        """The belief from these observations, with hyper-parameters of their own.

        `observed` are the features of `seen`. Of more than a thousand networks, the best and others, evenly, count.
        """
        values = np.concatenate([*seen.values()])
        centre, spread = float(values.mean()), float(values.std()) or 1.0
        codes, means = [*seen], np.array([np.mean(found) for found in seen.values()])
        layout = Layout(len(codes[0]), observed.counts.shape[1], observed.costs.shape[1])
        few = _chosen(means, _MOST_FITTED)
        found = [(np.asarray(seen[codes[row]]) - centre) / spread for row in few]
        pair = np.repeat(np.arange(len(few)), [len(one) for one in found])
        group = np.zeros(len(few), dtype=np.int64)
        observations = Observations(observed[few], group, pair, np.concatenate(found))
        theta = fitted(layout, encoding.places, observations, start, _FIRST_STEPS if start is None else _STEPS)
        of = {name: np.exp(theta[part]) for name, part in layout.slices.items()}
        prior = Posterior.prior(Kernel(layout, encoding.places, theta), candidates)
        top = float((values.max() - centre) / spread)
        belief = cls(theta, prior, {}, float(of["noise"][0]), float(of["bend"][0]), centre, spread, top)
        kept = _chosen(means, _MOST_HELD)
        belief = belief.given(observed[kept], {codes[row]: seen[codes[row]] for row in kept})
        return replace(belief, rows={code: len(found) for code, found in seen.items()})

    def given(self, networks: Features, seen: Seen) -> "Belief":
        """The belief given more networks, with unchanged hyper-parameters."""
        if not seen:
            return self
        top = max(self.top, *((value - self.centre) / self.spread for found in seen.values() for value in found))
        posterior = self.posterior
        if top > self.top:
            known = self.value(posterior.values)
            posterior = replace(posterior, values=self._inside(known, top))
        means = np.array([self._inside(np.asarray(found), top).mean() for found in seen.values()])
        times = {code: len(found) for code, found in seen.items()}
        posterior = posterior.given(networks, means, self.noise / np.array([*times.values()], dtype=np.float64))
        return replace(self, posterior=posterior, rows={**self.rows, **times}, top=top)

    def expecting(self, networks: Features) -> "Belief":
        """The belief as it would be if these networks came out as expected."""
        if not len(networks):
            return self
        mean, _ = self.posterior.at(networks)
        return replace(self, posterior=self.posterior.given(networks, mean, np.full(len(mean), self.noise)))

    def value(self, inside: Floats) -> Floats:
        """The objective that a value of the process stands for."""
        reached = self.top + self.bend * -np.expm1(-inside / self.bend)
        value: Floats = self.centre + self.spread * reached
        return value

    def inside(self, values: Floats) -> Floats:
        """What the process has for a value of the objective; what is out of reach is taken to be almost there."""
        highest = self.centre + self.spread * (self.top + self.bend * (1 - 1e-9))
        return self._inside(np.minimum(values, highest), self.top)

    def _inside(self, values: Floats, top: float) -> Floats:
        return bent((values - self.centre) / self.spread, top, self.bend)


def _chosen(values: Floats, number: int) -> NDArray[np.intp]:
    """Which rows count: all, or of too many the best half and, evenly, others."""
    order = np.argsort(-values, kind="stable")
    if len(order) <= number:
        return np.arange(len(order))
    others = order[number // 2 :]
    spaced = others[np.linspace(0, len(others) - 1, number - number // 2).astype(np.intp)]
    return np.sort(np.concatenate([order[: number // 2], spaced]))


def _joined(a: Features, b: Features) -> Features:
    return Features(*(np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("held", "counts", "costs")))
