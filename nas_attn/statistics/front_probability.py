"""How sure it is which networks are on the front, and how large the front is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import moocore
import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Evaluation, candidates, losses, table
from nas_attn.settings import Measure, leading, measure

from .posterior import Posterior, posterior
from .rank_correlation import UNKNOWN, Estimate, Numbers, estimate

SURE = 0.95
"""The probability from which a network counts as in."""

Standing = Literal["in", "undecided", "out"]
"""Whether a network is on the front: in with a probability of at least 0.95, out with one of at most 0.05."""


@dataclass(frozen=True, eq=False, slots=True)
class Membership:
    """A front as a set that is known with some probability."""

    measure: Measure
    """The leading objective, by which networks are judged."""
    posterior: Posterior
    estimates: tuple[Estimate, ...]
    """What is known of its value for each network; unknown with one seed each."""
    probability: Numbers
    """That each belongs to the front, shape (networks,); NaN with one seed each."""
    fronts: NDArray[np.bool_]
    """Whether each does in each draw of the posterior, shape (draws, networks); no draws with one seed each."""
    hypervolume: Estimate
    """The volume between the front and the worst value of each objective among the networks."""

    @property
    def networks(self) -> tuple[Evaluation, ...]:
        """A row an architecture."""
        return self.posterior.networks

    def standing(self, number: int) -> Standing:
        """Whether this network is on the front; `undecided` where nothing is known."""
        if self.probability[number] >= SURE:
            return "in"
        return "out" if self.probability[number] <= 1 - SURE else "undecided"

    def value_of_training(self, noise: Numbers) -> Numbers:
        """What one more training of each network is expected to take off the variance p (1 - p) of the undecided ones.

        Shape (networks,), zeros where none is undecided; `noise` is the variance of each one's training. Membership is
        predicted linearly from the training, so that a network counts that others are compared with.
        """
        undecided = [number for number in range(len(self.networks)) if self.standing(number) == "undecided"]
        if not undecided or not len(self.fronts):
            return np.zeros(len(self.networks))
        values = self.posterior.draws - self.posterior.draws.mean(axis=1, keepdims=True)
        values -= values.mean(axis=0)
        on = self.fronts[:, undecided] - self.probability[undecided]
        covariance = on.T @ values / len(values)
        return np.asarray((covariance**2).sum(axis=0) / (values.var(axis=0) + noise))


def membership(rows: Iterable[Evaluation], objectives: Sequence[str], seed: int = 0) -> Membership:
    """Which networks of one step are on the front of these objectives, by its rows of all seeds.

    Of several learnt objectives the leading one counts; costs count as known, as the row of the first seed has them.
    Raises `InputError` as `front` does, and where rows come from several steps.
    """
    judged, costs = leading(objectives), costs_among(objectives)
    named = [name for name in objectives if name == judged.name or name in costs]
    complete = [row for row in rows if row.state == "complete"]
    comparable = candidates(table(complete), named) if complete else table([])
    fit = set(zip(comparable.index, comparable["seed"], strict=True))
    known = posterior((row for row in complete if (row.key, row.seed) in fit), judged.name, seed)
    points = losses(table(known.networks), named)
    if not np.isfinite(known.draws).all() or not len(points):
        nothing, fronts = (UNKNOWN,) * len(points), np.zeros((0, len(points)), dtype=np.bool_)
        return Membership(judged, known, nothing, np.full(len(points), np.nan), fronts, UNKNOWN)
    column = named.index(judged.name) if judged.name in named else None
    drawn = -judged.sign * known.draws if column is not None else np.zeros_like(known.draws[:1])
    fronts = Cheaper.of(costs_of(known.networks, objectives)).front(drawn)
    volumes = _volumes(points, column, drawn, fronts)
    means = np.concatenate([known.draws.mean(axis=0, keepdims=True), known.draws])
    estimates = tuple(estimate(means[:, number]) for number in range(len(points)))
    volume = estimate(np.append(volumes.mean(), volumes))
    return Membership(judged, known, estimates, fronts.mean(axis=0), fronts, volume)


def costs_among(objectives: Iterable[str]) -> list[str]:
    """The objectives that are known for certain: neither the leading one nor any that is learnt."""
    named = list(objectives)
    return [name for name in named if measure(name).source != "learnt" and name != leading(named).name]


def costs_of(networks: Iterable[Evaluation], objectives: Sequence[str]) -> Numbers:
    """What is traded off against the leading objective, shape (networks, costs); less of each is better."""
    named, found = costs_among(objectives), table(networks)
    return losses(found, named) if named else np.zeros((len(found), 0))


@dataclass(frozen=True, eq=False, slots=True)
class Cheaper:
    """Which networks cost less than which, found once for many draws of what they are worth."""

    price: NDArray[np.intp]
    """Which price each network has, shape (networks,)."""
    below: tuple[NDArray[np.intp], ...]
    """Of each price, in ascending order, the highest of those that are less in one cost and more in none."""

    @classmethod
    def of(cls, costs: Numbers) -> "Cheaper":
        """From costs of shape (networks, costs), of which less is better."""
        if not costs.size:
            return cls(np.zeros(len(costs), dtype=np.intp), (np.zeros(0, dtype=np.intp),))
        prices, price = np.unique(costs, axis=0, return_inverse=True)
        below = []
        for number, one in enumerate(prices):
            less = np.flatnonzero((prices[:number] <= one).all(axis=1))
            below.append(less[moocore.is_nondominated(prices[less], maximise=True)] if len(less) > 1 else less)
        return cls(price.reshape(-1), tuple(below))

    def front(self, losses: Numbers) -> NDArray[np.bool_]:
        """Whether no network is as good in all and better in one, shape (draws, networks), of losses of this shape."""
        order = np.argsort(self.price, kind="stable")
        by_network = losses.T[order]
        starts = np.searchsorted(self.price[order], np.arange(len(self.below)))
        least = np.minimum.reduceat(by_network, starts, axis=0)
        cheaper = np.full_like(least, np.inf)
        best = least.copy()
        for number, below in enumerate(self.below):
            if len(below):
                cheaper[number] = best[below].min(axis=0)
                best[number] = np.minimum(best[number], cheaper[number])
        prices = self.price[order]
        front = np.empty(by_network.shape, dtype=np.bool_)
        front[order] = (least[prices] >= by_network) & (cheaper[prices] > by_network)
        return front.T


def _volumes(points: Numbers, column: int | None, drawn: Numbers, fronts: NDArray[np.bool_]) -> Numbers:
    """The front's volume in each draw."""
    worst = points.max(axis=0)
    if column is not None:
        worst[column] = np.quantile(drawn, 0.975)
    volumes = np.zeros(len(drawn))
    for number, (losses_drawn, front) in enumerate(zip(drawn, fronts, strict=True)):
        if column is not None:
            points[:, column] = losses_drawn
        volumes[number] = moocore.hypervolume(points[front], ref=worst)
    return volumes
