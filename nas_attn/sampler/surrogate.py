"""Gaussian-process surrogate of one objective over architecture choices and known costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .evidence import Observations, fitted, warped
from .features import Code, Encoding, Features, Floats
from .kernel import Kernel, Layout
from .posterior import Posterior

Evaluated = Mapping[Code, Sequence[float]]
"""The values of each candidate, of which more is better, in the order in which candidates were first evaluated."""

_MOST_FITTED = 300  # candidates that decide hyper-parameters
_MOST_CONDITIONED = 1000  # candidates that the process is conditioned on, when it is built
_FIRST_ITERATIONS, _ITERATIONS = 100, 6  # of the fit of hyper-parameters, at first and from where the last ended


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Posterior of an objective, of which more is better, with its hyper-parameters and its scale."""

    theta: Floats
    posterior: Posterior
    times: dict[Code, int]
    """How often each candidate was evaluated."""
    noise: float
    warp: float
    centre: float
    deviation: float
    top: float

    @classmethod
    def of(
        cls, encoding: Encoding, candidates: Features, features: Features, evaluated: Evaluated, start: Floats | None
    ) -> "Surrogate":
        """The surrogate of these evaluations, with hyper-parameters of their own.

        `features` are those of `evaluated`. Of more than a thousand candidates, the best and others, evenly, count.
        """
        values = np.concatenate([*evaluated.values()])
        centre, deviation = float(values.mean()), float(values.std()) or 1.0
        codes, means = [*evaluated], np.array([np.mean(found) for found in evaluated.values()])
        layout = Layout(len(codes[0]), features.counts.shape[1], features.costs.shape[1])
        few = _chosen(means, _MOST_FITTED)
        found = [(np.asarray(evaluated[codes[row]]) - centre) / deviation for row in few]
        candidate = np.repeat(np.arange(len(few)), [len(one) for one in found])
        observations = Observations(features[few], candidate, np.concatenate(found))
        iterations = _FIRST_ITERATIONS if start is None else _ITERATIONS
        theta = fitted(layout, encoding.places, observations, start, iterations)
        of = layout.values(theta)
        prior = Posterior.prior(Kernel(layout, encoding.places, theta), candidates)
        top = float((values.max() - centre) / deviation)
        surrogate = cls(theta, prior, {}, float(of["noise"][0]), float(of["warp"][0]), centre, deviation, top)
        kept = _chosen(means, _MOST_CONDITIONED)
        surrogate = surrogate.given(features[kept], {codes[row]: evaluated[codes[row]] for row in kept})
        return replace(surrogate, times={code: len(found) for code, found in evaluated.items()})

    def given(self, features: Features, evaluated: Evaluated) -> "Surrogate":
        """The surrogate conditioned on more candidates, with unchanged hyper-parameters."""
        if not evaluated:
            return self
        best = max(value for values in evaluated.values() for value in values)
        top = max(self.top, (best - self.centre) / self.deviation)
        posterior = self.posterior
        if top > self.top:
            posterior = replace(posterior, values=self._latent(self.value(posterior.values), top))
        means = np.array([self._latent(np.asarray(values), top).mean() for values in evaluated.values()])
        times = {code: len(values) for code, values in evaluated.items()}
        posterior = posterior.given(features, means, self.noise / np.array([*times.values()], dtype=np.float64))
        return replace(self, posterior=posterior, times={**self.times, **times}, top=top)

    def expecting(self, features: Features) -> "Surrogate":
        """The surrogate as it would be if these candidates came out as expected."""
        if not len(features):
            return self
        mean, _ = self.posterior.at(features)
        return replace(self, posterior=self.posterior.given(features, mean, np.full(len(mean), self.noise)))

    def expected(self, features: Features) -> Floats:
        """The expected values of any candidates."""
        return self.value(self.posterior.at(features)[0])

    def value(self, latent: Floats) -> Floats:
        """The objective that a value of the process stands for."""
        reached = self.top + self.warp * -np.expm1(-latent / self.warp)
        value: Floats = self.centre + self.deviation * reached
        return value

    def latent(self, values: Floats) -> Floats:
        """The process' value for one of the objective; one beyond the limit is taken to be almost there."""
        highest = self.centre + self.deviation * (self.top + self.warp * (1 - 1e-9))
        return self._latent(np.minimum(values, highest), self.top)

    def _latent(self, values: Floats, top: float) -> Floats:
        return warped((values - self.centre) / self.deviation, top, self.warp)


def _chosen(values: Floats, number: int) -> NDArray[np.intp]:
    """Which rows count: all, or of too many the best half and, evenly, others."""
    order = np.argsort(-values, kind="stable")
    if len(order) <= number:
        return np.arange(len(order))
    others = order[number // 2 :]
    spaced = others[np.linspace(0, len(others) - 1, number - number // 2).astype(np.intp)]
    return np.sort(np.concatenate([order[: number // 2], spaced]))
