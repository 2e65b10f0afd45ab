"""The latency of networks that were not timed, from a few that were: what the parts of a network take adds up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

_Numbers = NDArray[np.float64]
_Column = tuple[str, ...]

GROUPS = ("plain", "all", "kind", "part")
"""What a latency is the sum of: the plain backbone; what work takes whoever does it; what the same work takes more or
less in a kind; and what a part takes beside that. The weights of a group have one prior width."""

SURE = 0.01
"""How far the plain backbone may be from its own timing: it is the unit of all others."""


@dataclass(frozen=True, slots=True)
class Part:
    """What an answer puts into a slot of a network."""

    name: str
    """Slot and answer: parts of one name are one."""
    kind: str
    modules: int
    """How many attentions it puts there."""
    macs: int
    """Their multiply-accumulates for one image."""
    elements: int
    """Their other operations: one for each element that is computed, or taken by a reduction."""

    @property
    def work(self) -> tuple[int, int, int]:
        """What takes time, in three units."""
        return self.modules, self.macs, self.elements


Network = Sequence[Part]
"""The parts that a network has beside the plain backbone."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A latency that was not measured."""

    latency_ms: float
    low_ms: float
    """The lower end of its 95 % interval."""
    high_ms: float
    """The upper end of its 95 % interval."""


@dataclass(frozen=True)
class Prediction:
    """A linear model of the latency, with what it does not know.

    Bayesian linear regression: weights with a normal prior, an error that grows with the latency, and the
    widths of both where the timed networks are likeliest (C. M. Bishop, Pattern Recognition and Machine Learning, 2006,
    section 3.5). Intervals are stretched so that 95 % of the timed networks are in those that the others give them.
    """

    timed: tuple[Network, ...]
    latencies_ms: tuple[float, ...]
    plain_ms: float
    """The latency of the plain backbone."""
    units: tuple[float, float, float]
    """The mean work of a part, in which work is told."""
    widths: Mapping[str, float]
    """Of the prior of each group, in milliseconds, and of the relative error (`error`)."""

    def of(self, network: Network) -> Forecast:
        """The latency of a network with its 95 % interval, within which a measurement would be."""
        told = _told(network, self.units)
        known = np.array([told.get(column, 0.0) for column in self._columns])
        prior = np.sum([(self.widths[column[0]] * value) ** 2 for column, value in told.items()])
        shared = self._scaled @ (known * self._width_by_column)
        mean = self.plain_ms + float(shared @ self._inverse @ self._beyond_plain)
        spread = np.sqrt(max(prior - shared @ self._inverse @ shared, 0.0) + (self.widths["error"] * mean) ** 2)
        around = float(self._stretch * spread)
        return Forecast(mean, max(mean - around, 0.0), mean + around)

    @cached_property
    def left_out_ms(self) -> tuple[float, ...]:
        """The latency of each timed network as all the others predict it."""
        off, _ = self._left_out
        return tuple(float((1 - share) * latency) for share, latency in zip(off, self.latencies_ms, strict=True))

    @cached_property
    def _columns(self) -> tuple[_Column, ...]:
        return tuple(dict.fromkeys(column for network in self.timed for column in _told(network, self.units)))

    @cached_property
    def _width_by_column(self) -> _Numbers:
        return np.array([self.widths[column[0]] for column in self._columns])

    @cached_property
    def _scaled(self) -> _Numbers:
        """What each timed network consists of, by the width of a weight and as a share of its latency."""
        rows = [_told(network, self.units) for network in self.timed]
        told = np.array([[row.get(column, 0.0) for column in self._columns] for row in rows])
        return np.asarray(told * self._width_by_column / np.array(self.latencies_ms)[:, None])

    @cached_property
    def _beyond_plain(self) -> _Numbers:
        """What each timed network takes more than the plain backbone, as a share of its latency."""
        return np.asarray(1 - self.plain_ms / np.array(self.latencies_ms))

    @cached_property
    def _inverse(self) -> _Numbers:
        covariance = self._scaled @ self._scaled.T + self.widths["error"] ** 2 * np.eye(len(self.timed))
        return np.asarray(np.linalg.inv(covariance))

    @cached_property
    def _left_out(self) -> tuple[_Numbers, _Numbers]:
        """What of each timed network's latency the others leave unexplained, and its spread, as shares of it."""
        precision = np.diag(self._inverse)
        return self._inverse @ self._beyond_plain / precision, 1 / np.sqrt(precision)

    @cached_property
    def _stretch(self) -> float:
        """How many spreads the interval reaches, so that it holds 95 % of the networks that were left out."""
        off, spreads = self._left_out
        reached = np.sort(np.abs(off) / spreads)
        return float(reached[min(int(np.ceil(0.95 * (len(reached) + 1))), len(reached)) - 1])

    @property
    def evidence(self) -> float:
        """The logarithm of how likely the timed networks are under these widths, but for a constant."""
        _, volume = np.linalg.slogdet(self._inverse)
        return float(volume - self._beyond_plain @ self._inverse @ self._beyond_plain) / 2


def fit_latency(timed: Sequence[Network], latencies_ms: Sequence[float]) -> Prediction:
    """The model under which these timed networks, the plain backbone among them, are likeliest."""
    work = np.array([part.work for part in dict.fromkeys(part for network in timed for part in network)], dtype=float)
    means = work.mean(axis=0) if len(work) else np.ones(3)
    modules, macs, elements = np.where(means > 0, means, 1.0).tolist()
    usual = float(np.median(latencies_ms))
    plain_ms = next((latency for network, latency in zip(timed, latencies_ms, strict=True) if not network), usual)

    def model(logs: _Numbers) -> Prediction:
        widths = {"plain": SURE * plain_ms, **dict(zip((*GROUPS[1:], "error"), np.exp(logs).tolist(), strict=True))}
        return Prediction(tuple(timed), tuple(latencies_ms), plain_ms, (modules, macs, elements), widths)

    start = np.log([0.1 * usual, 0.03 * usual, 0.01 * usual, 0.01])
    bounds = [(np.log(1e-5 * usual), np.log(1e2 * usual))] * 3 + [(np.log(1e-3), np.log(1.0))]
    found = minimize(lambda logs: -model(logs).evidence, start, method="L-BFGS-B", bounds=bounds)
    return model(found.x)


def _told(network: Network, units: tuple[float, float, float]) -> dict[_Column, float]:
    """What a network consists of: a number for each weight of the model."""
    told: dict[_Column, float] = {("plain",): 1.0}
    for part in network:
        for column, value in _columns(part, units):
            told[column] = told.get(column, 0.0) + value
    return told


def _columns(part: Part, units: tuple[float, float, float]) -> Iterator[tuple[_Column, float]]:
    work = [amount / unit for amount, unit in zip(part.work, units, strict=True)]
    for name, amount in zip(("modules", "macs", "elements"), work, strict=True):
        yield ("all", name), amount
        yield ("kind", part.kind, name), amount
    yield ("part", part.name), sum(work)
