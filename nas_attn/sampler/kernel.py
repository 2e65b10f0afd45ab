"""Prior covariance of an objective: a Gaussian process over architecture choices and known costs.

The covariance of two networks is a sum: for every place, whether both have the same there (additive effects); a product
over places (interactions); smooth in how often each answer stands anywhere; smooth and linear in the known costs.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas_attn.pricing import Integers

from .features import Features, Floats

CONSTANT = 1.0  # variance of what all networks have in common


@dataclass(frozen=True)
class Layout:
    """Position of each hyper-parameter in the vector of their logarithms, and its prior."""

    places: int
    labels: int
    costs: int

    @cached_property
    def _hyper_parameters(self) -> dict[str, tuple[int, float, float]]:
        """The number, the median and the deviation of the logarithm of each kind."""
        return {
            "additive": (self.places, 0.5 / self.places, 1.3),
            "inverse_length": (self.places, 2.0 / self.places, 1.0),
            "interaction": (1, 0.2, 1.2),
            "count": (1, 0.3, 1.2),
            "count_length": (1, 2.0, 0.7),
            "smooth": (1, 0.7, 1.2),
            "smooth_length": (self.costs, 1.0, 0.7),
            "linear": (self.costs, 0.2, 1.2),
            "warp": (1, 2.0, 1.0),
            "noise": (1, 0.01, 2.0),
        }

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The part of each kind of hyper-parameter."""
        sizes = [size for size, *_ in self._hyper_parameters.values()]
        ends = np.cumsum(sizes).tolist()
        return {
            name: slice(end - size, end) for name, size, end in zip(self._hyper_parameters, sizes, ends, strict=True)
        }

    @cached_property
    def prior(self) -> tuple[Floats, Floats]:
        """The mean and the deviation of each logarithm, which is taken as normal."""
        sizes, medians, deviations = zip(*self._hyper_parameters.values(), strict=True)
        return np.repeat(np.log(medians), sizes), np.repeat(deviations, sizes)

    def values(self, theta: Floats) -> dict[str, Floats]:
        """The hyper-parameters of each kind, from the vector of their logarithms."""
        return {name: np.exp(theta[part]) for name, part in self.slices.items()}


class Kernel:
    """Covariance function of candidates, for one vector of hyper-parameters."""

    def __init__(self, layout: Layout, places: Integers, theta: Floats) -> None:
        """Read the hyper-parameters; `places` gives the place of each column of `Features.one_hot`."""
        self._of = layout.values(theta)
        self._additive, self._inverse_length = self._of["additive"][places], self._of["inverse_length"][places]

    def parts(self, a: Features, b: Features) -> dict[str, Floats]:
        """Each part of the covariance, (candidates of a, candidates of b)."""
        of = self._of
        interaction = (a.one_hot * self._inverse_length) @ b.one_hot.T
        interaction -= of["inverse_length"].sum()
        np.exp(interaction, out=interaction)
        interaction *= of["interaction"]
        parts = {"additive": (a.one_hot * self._additive) @ b.one_hot.T, "interaction": interaction}
        if a.costs.shape[1]:
            parts["smooth"] = _smooth(a.costs / of["smooth_length"], b.costs / of["smooth_length"], of["smooth"])
            parts["linear"] = (a.costs * of["linear"]) @ b.costs.T
        if a.counts.shape[1]:
            parts["count"] = _smooth(a.counts / of["count_length"], b.counts / of["count_length"], of["count"])
        return parts

    def __call__(self, a: Features, b: Features) -> Floats:
        """The covariance, (candidates of a, candidates of b)."""
        total, *others = self.parts(a, b).values()
        total += CONSTANT
        for part in others:
            total += part
        return total

    def variance(self, a: Features) -> Floats:
        """The covariance of each candidate with itself."""
        of = self._of
        fixed = CONSTANT + of["additive"].sum() + of["interaction"].sum()
        fixed += of["smooth"].sum() * bool(a.costs.shape[1]) + of["count"].sum() * bool(a.counts.shape[1])
        variance: Floats = fixed + (a.costs**2 * of["linear"]).sum(axis=1)
        return variance


def _smooth(a: Floats, b: Floats, amplitude: Floats) -> Floats:
    """Squared-exponential covariance of length scale 1."""
    squares = a @ b.T
    squares -= (a**2).sum(axis=1)[:, None] / 2
    squares -= (b**2).sum(axis=1) / 2
    np.exp(squares, out=squares)
    squares *= amplitude
    return squares
