"""The latency of networks that were not timed, from a few that were: what the parts of a network take adds up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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

    name: str  # slot and answer: parts of one name are one
    kind: str
    modules: int  # how many attentions it puts there
    macs: int  # their multiply-accumulates for one image
    elements: int  # their other operations: one for each element that is computed, or taken by a reduction

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
    """Bayesian linear regression of the latency on what a network consists of.

    The weights have a normal prior, the error grows with the latency, and the widths of both are those under which the
    timed networks are likeliest (C. M. Bishop, Pattern Recognition and Machine Learning, 2006, section 3.5). Intervals
    are stretched so that 95 % of the timed networks are in those that the others give them.
    """

    timed: tuple[Network, ...]
    latencies_ms: tuple[float, ...]
    plain_ms: float
    """The latency of the plain backbone."""
    units: tuple[float, float, float]
    """The mean work of a part, in which work is given."""
    widths: Mapping[str, float]
    """Of the prior of each group, in milliseconds, and of the relative error (`error`)."""

    def of(self, network: Network) -> Forecast:
        """The latency of a network with the 95 % interval of a measurement."""
        columns, rows = self._design
        weighed = self._weighed(network)
        shared = rows @ np.array([weighed.get(column, 0.0) for column in columns])
        mean = self.plain_ms + float(shared @ self._inverse @ self._beyond_plain)
        variance = sum(value**2 for value in weighed.values()) - float(shared @ self._inverse @ shared)
        around = self._stretch * float(np.sqrt(max(variance, 0.0) + (self.widths["error"] * mean) ** 2))
        return Forecast(mean, max(mean - around, 0.0), mean + around)

    @cached_property
    def left_out_ms(self) -> tuple[float, ...]:
        """The latency of each timed network as all the others predict it."""
        off, _ = self._left_out
        return tuple(((1 - off) * np.array(self.latencies_ms)).tolist())

    def _weighed(self, network: Network) -> dict[_Column, float]:
        """What a network consists of, each times the prior width of its weight."""
        amounts = defaultdict[_Column, float](float, {("plain",): 1.0})
        for part in network:
            work = [amount / unit for amount, unit in zip(part.work, self.units, strict=True)]
            for name, amount in zip(("modules", "macs", "elements"), work, strict=True):
                amounts["all", name] += amount
                amounts["kind", part.kind, name] += amount
            amounts["part", part.name] += sum(work)
        return {column: self.widths[column[0]] * amount for column, amount in amounts.items()}

    @cached_property
    def _design(self) -> tuple[list[_Column], _Numbers]:
        """What there is in the timed networks, and how much of it in each, as a share of its latency."""
        weighed = [self._weighed(network) for network in self.timed]
        columns = list(dict.fromkeys(column for row in weighed for column in row))
        rows = np.array([[row.get(column, 0.0) for column in columns] for row in weighed])
        return columns, rows / np.array(self.latencies_ms)[:, None]

    @cached_property
    def _beyond_plain(self) -> _Numbers:
        """What each timed network takes more than the plain backbone, as a share of its latency."""
        return np.asarray(1 - self.plain_ms / np.array(self.latencies_ms))

    @cached_property
    def _inverse(self) -> _Numbers:
        _, rows = self._design
        return np.asarray(np.linalg.inv(rows @ rows.T + self.widths["error"] ** 2 * np.eye(len(rows))))

    @cached_property
    def _left_out(self) -> tuple[_Numbers, _Numbers]:
        """What the others leave of each timed network's latency, and its standard deviation, as shares of it."""
        precision = np.diag(self._inverse)
        return self._inverse @ self._beyond_plain / precision, 1 / np.sqrt(precision)

    @cached_property
    def _stretch(self) -> float:
        """Half of the interval in standard deviations, so that it holds 95 % of the networks that were left out."""
        off, deviations = self._left_out
        ratios = np.sort(np.abs(off) / deviations)
        return float(ratios[min(int(np.ceil(0.95 * (len(ratios) + 1))), len(ratios)) - 1])

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
