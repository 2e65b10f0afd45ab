"""Posterior of a Gaussian process at candidates, updated in place of being computed anew."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

from .evidence import JITTER
from .features import Features, Floats
from .kernel import Kernel


@dataclass(frozen=True, eq=False)
class Posterior:
    """Gaussian process conditioned on observations, at candidates that stay the same."""

    kernel: Kernel
    candidates: Features
    observed: Features
    lower: Floats
    """Cholesky factor of the observations' covariance."""
    values: Floats
    """What was observed, as the process has it."""
    shared: Floats
    """The factor's solution for the covariance of observations and candidates."""
    variance: Floats
    """Of the candidates."""

    @classmethod
    def prior(cls, kernel: Kernel, candidates: Features) -> "Posterior":
        """Conditioned on nothing."""
        nothing, of_none = np.zeros((0, len(candidates))), np.zeros((0, 0))
        return cls(kernel, candidates, candidates[:0], of_none, np.zeros(0), nothing, kernel.variance(candidates))

    def given(self, networks: Features, values: Floats, noise: Floats) -> "Posterior":
        """Conditioned on more networks, with their values and the variance of each value's noise."""
        across = solve_triangular(self.lower, self.kernel(self.observed, networks), lower=True)
        own = self.kernel(networks, networks) - across.T @ across
        own[np.diag_indices_from(own)] += noise + JITTER
        corner = np.linalg.cholesky(own)
        shared = self.kernel(networks, self.candidates)
        if len(self.values):
            shared -= across.T @ self.shared
        shared = solve_triangular(corner, shared, lower=True, overwrite_b=True, check_finite=False)
        return replace(
            self,
            observed=self.observed.joined(networks),
            lower=np.block([[self.lower, np.zeros_like(across)], [across.T, corner]]),
            values=np.append(self.values, values),
            shared=np.concatenate([self.shared, shared]),
            variance=self.variance - np.einsum("ij,ij->j", shared, shared),
        )

    def at(self, networks: Features) -> tuple[Floats, Floats]:
        """Mean and variance at any networks; nothing is solved anew for the candidates."""
        shared, variance = self.shared, self.variance
        if networks is not self.candidates:
            shared = solve_triangular(self.lower, self.kernel(self.observed, networks), lower=True)
            variance = self.kernel.variance(networks) - np.einsum("ij,ij->j", shared, shared)
        return solve_triangular(self.lower, self.values, lower=True) @ shared, np.maximum(variance, JITTER)
