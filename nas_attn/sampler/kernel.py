"""What is believed of an objective before a network is trained: a Gaussian process over its answers and its prices.

The covariance of two networks is a sum: for every place, whether both hold the same there (additive effects); a product
over places (interactions); smooth in how often each answer stands anywhere; smooth and linear in the known costs. The
objective is the process through a saturating curve whose bend is learnt with the rest.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5; Snelson, Rasmussen and
Ghahramani, Warped Gaussian Processes, 2003.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import minimize

from .features import Features, Floats, Integers

JITTER = 1e-8
_CONSTANT = 1.0  # variance of what all networks have in common


@dataclass(frozen=True)
class Layout:
    """Where each hyper-parameter, all of them logarithms, stands in the vector, and what is expected of it."""

    places: int
    labels: int
    costs: int
    groups: int = 1
    """Of observations, each with a noise of its own."""

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The part of each kind of hyper-parameter."""
        sizes = {
            "additive": self.places,
            "reach": self.places,
            "interaction": 1,
            "count": 1,
            "count_length": 1,
            "smooth": 1,
            "smooth_length": self.costs,
            "linear": self.costs,
            "bend": 1,
            "noise": self.groups,
        }
        ends = np.cumsum([*sizes.values()])
        return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends.tolist(), strict=True)}

    @cached_property
    def prior(self) -> tuple[Floats, Floats]:
        """Median and deviation of each: logarithms are taken as normal."""
        expected = {
            "additive": (0.5 / self.places, 1.3),
            "reach": (2.0 / self.places, 1.0),
            "interaction": (0.2, 1.2),
            "count": (0.3, 1.2),
            "count_length": (2.0, 0.7),
            "smooth": (0.7, 1.2),
            "smooth_length": (1.0, 0.7),
            "linear": (0.2, 1.2),
            "bend": (2.0, 1.0),
            "noise": (0.01, 2.0),
        }
        sizes = [part.stop - part.start for part in self.slices.values()]
        medians, deviations = np.array([*expected.values()]).T
        return np.repeat(np.log(medians), sizes), np.repeat(deviations, sizes)


@dataclass(frozen=True, eq=False)
class Observations:
    """What was observed: values of which more is better, standardised, of networks that may repeat."""

    features: Features
    """Of each different pair of network and group."""
    group: Integers
    """Of each such pair."""
    pair: Integers
    """Of each value, which pair it belongs to."""
    values: Floats

    @cached_property
    def times(self) -> Floats:
        """How often each pair was observed."""
        return np.bincount(self.pair, minlength=len(self.features)).astype(np.float64)

    def means(self, values: Floats) -> Floats:
        """The mean of each pair."""
        return np.bincount(self.pair, values, minlength=len(self.features)) / self.times


def bent(values: Floats, top: float, bend: float) -> Floats:
    """A value as the process has it; `top` is the best one seen, and `top + bend` is out of reach."""
    inside: Floats = -bend * np.log((top - values) / bend + 1.0)
    return inside


class Kernel:
    """The covariance of networks, for one vector of hyper-parameters."""

    def __init__(self, layout: Layout, places: Integers, theta: Floats) -> None:
        """Read the hyper-parameters; `places` says for each column of `Features.held` which place it belongs to."""
        self._of = {name: np.exp(theta[part]) for name, part in layout.slices.items()}
        self._additive, self._reach = self._of["additive"][places], self._of["reach"][places]

    def parts(self, a: Features, b: Features) -> dict[str, Floats]:
        """Each part of the covariance, (networks of a, networks of b)."""
        of = self._of
        far = (a.held * self._reach) @ b.held.T
        far -= of["reach"].sum()
        np.exp(far, out=far)
        parts = {"additive": (a.held * self._additive) @ b.held.T, "interaction": far}
        parts["interaction"] *= of["interaction"]
        if a.costs.shape[1]:
            parts["smooth"] = _smooth(a.costs / of["smooth_length"], b.costs / of["smooth_length"], of["smooth"])
            parts["linear"] = (a.costs * of["linear"]) @ b.costs.T
        if a.counts.shape[1]:
            parts["count"] = _smooth(a.counts / of["count_length"], b.counts / of["count_length"], of["count"])
        return parts

    def __call__(self, a: Features, b: Features) -> Floats:
        """The covariance, (networks of a, networks of b)."""
        total, *others = self.parts(a, b).values()
        total += _CONSTANT
        for part in others:
            total += part
        return total

    def variance(self, a: Features) -> Floats:
        """The covariance of each network with itself."""
        of = self._of
        fixed = _CONSTANT + of["additive"].sum() + of["interaction"].sum()
        fixed += of["smooth"].sum() * bool(a.costs.shape[1]) + of["count"].sum() * bool(a.counts.shape[1])
        variance: Floats = fixed + (a.costs**2 * of["linear"]).sum(axis=1)
        return variance


def _smooth(a: Floats, b: Floats, amplitude: Floats) -> Floats:
    squares = a @ b.T
    squares -= (a**2).sum(axis=1)[:, None] / 2
    squares -= (b**2).sum(axis=1) / 2
    np.exp(squares, out=squares)
    squares *= amplitude
    return squares


class Evidence:
    """The negative logarithm of the posterior density of hyper-parameters, with its gradient."""

    def __init__(self, layout: Layout, places: Integers, seen: Observations) -> None:
        """Prepare what does not depend on hyper-parameters."""
        self._layout, self._places, self._seen = layout, places, seen
        held = seen.features.held
        self._alike = np.array([held[:, places == p] @ held[:, places == p].T for p in range(layout.places)])
        self._top = float(seen.values.max())

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """The value and its gradient."""
        seen, layout = self._seen, self._layout
        parts = Kernel(layout, self._places, theta).parts(seen.features, seen.features)
        noise = np.exp(theta[layout.slices["noise"]])[seen.group]
        bend = float(np.exp(theta[layout.slices["bend"]][0]))
        values = bent(seen.values, self._top, bend)
        means = seen.means(values)
        covariance = sum(parts.values(), np.full((len(means), len(means)), _CONSTANT))
        covariance[np.diag_indices_from(covariance)] += noise / seen.times + JITTER
        lower = np.linalg.cholesky(covariance)
        inverse = cho_solve((lower, True), np.eye(len(means)))
        weights = inverse @ means
        residuals = values - means[seen.pair]
        scatter = np.bincount(seen.pair, residuals**2, minlength=len(means))
        spare = seen.times - 1
        loss = (
            0.5 * means @ weights + np.log(np.diag(lower)).sum() + 0.5 * (spare * np.log(noise) + scatter / noise).sum()
        )
        below = (self._top - seen.values) / bend
        loss += np.log1p(below).sum()
        pull = inverse - np.outer(weights, weights)
        gradient = self._of_parts(parts, pull, theta)
        of_noise = 0.5 * (np.diag(pull) * noise / seen.times + spare - scatter / noise)
        gradient[layout.slices["noise"]] = np.bincount(seen.group, of_noise, minlength=layout.groups)
        turned = values + bend * below / (1 + below)
        of_bend = weights @ seen.means(turned) + ((residuals / noise[seen.pair]) * turned - below / (1 + below)).sum()
        gradient[layout.slices["bend"]] = of_bend
        centre, deviation = layout.prior
        away = (theta - centre) / deviation
        return float(loss + 0.5 * away @ away), gradient + away / deviation

    def _of_parts(self, parts: dict[str, Floats], pull: Floats, theta: Floats) -> Floats:
        layout, seen, gradient = self._layout, self._seen, np.zeros_like(theta)
        of = {name: np.exp(theta[part]) for name, part in layout.slices.items()}
        flat = self._alike.reshape(layout.places, -1)
        gradient[layout.slices["additive"]] = 0.5 * of["additive"] * (flat @ pull.ravel())
        pulled = {name: pull * part for name, part in parts.items()}
        for name in ("interaction", "count", "smooth"):
            gradient[layout.slices[name]] = 0.5 * pulled[name].sum() if name in pulled else 0.0
        interacting = pulled["interaction"].ravel()
        gradient[layout.slices["reach"]] = 0.5 * of["reach"] * (flat @ interacting - interacting.sum())
        if "count" in pulled:
            gradient[layout.slices["count_length"]] = (
                _of_length(seen.features.counts, pulled["count"]).sum() / of["count_length"] ** 2
            )
        if "smooth" in pulled:
            costs = seen.features.costs
            gradient[layout.slices["smooth_length"]] = _of_length(costs, pulled["smooth"]) / of["smooth_length"] ** 2
            gradient[layout.slices["linear"]] = 0.5 * of["linear"] * ((pull @ costs) * costs).sum(axis=0)
        return gradient


def _of_length(values: Floats, pulled: Floats) -> Floats:
    """Half the sum of the squared differences of each column, weighted."""
    squares = (pulled.sum(axis=1) @ values**2) - ((pulled @ values) * values).sum(axis=0)
    total: Floats = squares
    return total


def fitted(layout: Layout, places: Integers, seen: Observations, start: Floats | None, steps: int) -> Floats:
    """The most probable hyper-parameters, found from `start`, or from what is expected, in so many steps."""
    centre, deviation = layout.prior
    found = minimize(
        Evidence(layout, places, seen),
        centre if start is None else start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([centre - 4 * deviation, centre + 4 * deviation], axis=1),
        options={"maxiter": steps},
    )
    best: Floats = found.x
    return best
