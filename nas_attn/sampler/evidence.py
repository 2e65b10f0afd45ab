"""Fit of the surrogate's hyper-parameters to observations, by their posterior density.

The objective is the process through a saturating curve whose warp is learnt with the rest: Snelson, Rasmussen and
Ghahramani, Warped Gaussian Processes, 2003.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import minimize

from nas_attn.pricing import Integers

from .features import Features, Floats
from .kernel import CONSTANT, Kernel, Layout

JITTER = 1e-8


@dataclass(frozen=True, eq=False)
class Observations:
    """Standardised values, of which more is better, of candidates that may repeat."""

    features: Features
    """Of each different candidate."""
    candidate: Integers
    """Of each value, which of these it is of."""
    values: Floats

    @cached_property
    def times(self) -> Floats:
        """How often each candidate was observed."""
        return np.bincount(self.candidate).astype(np.float64)

    def means(self, values: Floats) -> Floats:
        """The mean of each candidate."""
        return np.bincount(self.candidate, values) / self.times


def warped(values: Floats, top: float, warp: float) -> Floats:
    """Values as the process has them; `top` is the best one observed, and `top + warp` the limit of all."""
    latent: Floats = -warp * np.log((top - values) / warp + 1.0)
    return latent


class Evidence:
    """Negative logarithm of the posterior density of hyper-parameters, with its gradient."""

    def __init__(self, layout: Layout, places: Integers, observed: Observations) -> None:
        """Prepare what does not depend on hyper-parameters."""
        self._layout, self._places, self._observed = layout, places, observed
        one_hot = observed.features.one_hot
        self._alike = np.array([one_hot[:, places == p] @ one_hot[:, places == p].T for p in range(layout.places)])
        self._top = float(observed.values.max())

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """The value and its gradient."""
        observed, layout = self._observed, self._layout
        parts = Kernel(layout, self._places, theta).parts(observed.features, observed.features)
        of = layout.values(theta)
        noise, warp = float(of["noise"][0]), float(of["warp"][0])
        values = warped(observed.values, self._top, warp)
        means = observed.means(values)
        covariance = sum(parts.values(), np.full((len(means), len(means)), CONSTANT))
        covariance[np.diag_indices_from(covariance)] += noise / observed.times + JITTER
        lower = np.linalg.cholesky(covariance)
        inverse = cho_solve((lower, True), np.eye(len(means)))
        weights = inverse @ means
        residuals = values - means[observed.candidate]
        scatter = np.bincount(observed.candidate, residuals**2)
        spare = observed.times - 1
        loss = (
            0.5 * means @ weights + np.log(np.diag(lower)).sum() + 0.5 * (spare * np.log(noise) + scatter / noise).sum()
        )
        below = (self._top - observed.values) / warp
        loss += np.log1p(below).sum()
        pull = inverse - np.outer(weights, weights)
        gradient = self._of_parts(parts, pull, of)
        of_noise = np.diag(pull) * noise / observed.times + spare - scatter / noise
        gradient[layout.slices["noise"]] = 0.5 * of_noise.sum()
        turned = values + warp * below / (1 + below)
        of_warp = (residuals / noise * turned - below / (1 + below)).sum()
        gradient[layout.slices["warp"]] = weights @ observed.means(turned) + of_warp
        centre, deviation = layout.prior
        away = (theta - centre) / deviation
        return float(loss + 0.5 * away @ away), gradient + away / deviation

    def _of_parts(self, parts: dict[str, Floats], pull: Floats, of: dict[str, Floats]) -> Floats:
        """The gradient by the hyper-parameters of the covariance, 0 for the others."""
        slices, features = self._layout.slices, self._observed.features
        gradient = np.zeros(slices["noise"].stop)
        flat = self._alike.reshape(self._layout.places, -1)
        gradient[slices["additive"]] = 0.5 * of["additive"] * (flat @ pull.ravel())
        pulled = {name: pull * part for name, part in parts.items()}
        for name in ("interaction", "count", "smooth"):
            gradient[slices[name]] = 0.5 * pulled[name].sum() if name in pulled else 0.0
        interacting = pulled["interaction"].ravel()
        gradient[slices["inverse_length"]] = 0.5 * of["inverse_length"] * (flat @ interacting - interacting.sum())
        if "count" in pulled:
            by_count = _of_length(features.counts, pulled["count"])
            gradient[slices["count_length"]] = by_count.sum() / of["count_length"] ** 2
        if "smooth" in pulled:
            costs = features.costs
            gradient[slices["smooth_length"]] = _of_length(costs, pulled["smooth"]) / of["smooth_length"] ** 2
            gradient[slices["linear"]] = 0.5 * of["linear"] * ((pull @ costs) * costs).sum(axis=0)
        return gradient


def _of_length(values: Floats, pulled: Floats) -> Floats:
    """Half the sum of the squared differences of each column, weighted."""
    squares: Floats = (pulled.sum(axis=1) @ values**2) - ((pulled @ values) * values).sum(axis=0)
    return squares


def fitted(layout: Layout, places: Integers, observed: Observations, start: Floats | None, iterations: int) -> Floats:
    """The most probable hyper-parameters, by L-BFGS-B from `start` or from the prior's centre."""
    centre, deviation = layout.prior
    found = minimize(
        Evidence(layout, places, observed),
        centre if start is None else start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([centre - 4 * deviation, centre + 4 * deviation], axis=1),
        options={"maxiter": iterations},
    )
    best: Floats = found.x
    return best
