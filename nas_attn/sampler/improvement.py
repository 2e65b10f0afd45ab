"""Expected hypervolume improvement of a front by networks of known costs and an uncertain value.

The volume that a network of costs c and value y adds is the integral, over all costs z from c to the reference, of how
far y exceeds the best value that the front has for costs up to z. That best value is constant on the cells of a grid,
so the expectation is a finite sum of volumes times expected improvements, in closed form for any number of costs.
"""

from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.special import ndtr

from .features import Floats

_MOST_CELLS = 2_000_000  # times levels; a front of more is thinned


@dataclass(frozen=True, eq=False)
class HypervolumeCells:
    """Volume above each level of a front, from any costs to the reference; less of every cost is better."""

    levels: Floats
    """The front's values, from the reference value upwards."""
    volumes: RegularGridInterpolator
    """From costs, (networks, costs), to the volume where the front stands at each level, (networks, levels)."""

    def improvement(self, costs: Floats, improvements: Floats) -> Floats:
        """The expected volume that each network adds, given its expected improvement of each level."""
        edges = self.volumes.grid
        inside = np.clip(costs, [edge[0] for edge in edges], [edge[-1] for edge in edges])
        gained: Floats = (self.volumes(inside) * improvements).sum(axis=1)
        return gained


def hypervolume_cells(
    costs: Floats, values: Floats, lowest: Floats, reference: tuple[Floats, float]
) -> HypervolumeCells:
    """The cells of networks with these costs, (networks, costs), and values, of which more is better.

    `lowest` is the least of each cost that counts; `reference` gives the worst costs and the worst value.
    """
    worst, least = reference
    inside = (costs < worst).all(axis=1) & (values > least)
    costs, values = np.maximum(costs[inside], lowest), values[inside]
    best = on_front(costs, values)
    costs, values = costs[best], values[best]
    while (len(values) + 2.0) ** costs.shape[1] * (len(values) + 1) > _MOST_CELLS:
        kept = np.argsort(values)[::-1][::2]
        costs, values = costs[kept], values[kept]
    edges = [np.unique([low, *column, high]) for low, column, high in zip(lowest, costs.T, worst, strict=True)]
    height = np.full([len(edge) - 1 for edge in edges], least)
    corners = tuple(np.searchsorted(edge, column) for edge, column in zip(edges, costs.T, strict=True))
    np.maximum.at(height, corners, values)
    for axis in range(height.ndim):
        height = np.maximum.accumulate(height, axis=axis)
    levels = np.unique([least, *values])
    volumes = np.zeros([*(len(edge) for edge in edges), len(levels)])
    cells = np.indices(height.shape).reshape(height.ndim, -1)
    sizes = np.prod(np.meshgrid(*map(np.diff, edges), indexing="ij"), axis=0)
    volumes[(*cells, np.searchsorted(levels, height.ravel()))] = sizes.ravel()
    for axis in range(height.ndim):
        volumes = np.flip(np.cumsum(np.flip(volumes, axis), axis), axis)
    return HypervolumeCells(levels, RegularGridInterpolator(edges, volumes))


def on_front(costs: Floats, values: Floats) -> NDArray[np.bool_]:
    """Whether each network is on the front: no other is at least as good in everything and better in something."""
    points = np.column_stack([costs, -values])
    kept: NDArray[np.bool_] = moocore.is_nondominated(points) if len(points) else np.zeros(0, dtype=np.bool_)
    return kept


def expected_improvement(mean: Floats, variance: Floats, levels: Floats, warp: float) -> Floats:
    """How far values are expected to exceed each level, (networks, levels): the mean of their positive part.

    A value is `warp * (1 - exp(-u / warp))` of a normal u of this mean and variance; levels are given as u too. So what
    is left to the curve's end is lognormal, and this is a put option's price (Black and Scholes, 1973).
    """
    deviation = np.sqrt(variance)[:, None]
    above = (mean[:, None] - levels) / deviation
    left = np.exp(-mean / warp + variance / (2 * warp**2))
    far: Floats = np.exp(-levels / warp) * ndtr(above) - left[:, None] * ndtr(above - deviation / warp)
    return np.maximum(warp * far, 0.0)
