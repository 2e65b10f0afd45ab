"""What each kind does at each slot: an additive fit over all networks, and how far networks are from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from nas_attn.results import Evaluation, Slots
from nas_attn.space import Placement, parse

from .least_squares import AdjustedMeans
from .rank_correlation import Numbers

Level = tuple[str, str]
"""A slot and the kind that stands there: `("stage2", "se")`; several kinds as `cbam+se`."""

Cells = Mapping[str, str]
"""The kind in each slot of a network where anything stands."""

_SDS = 61
"""How many standard deviations of effects are weighed."""


def fillings(network: Evaluation, slots: Slots | None = None) -> Mapping[str, frozenset[Placement]]:
    """What stands in each slot of a network; without the slots of its space, a slot is what a site's name begins with.

    Raises `InputError` where the spelling cannot be read.
    """
    return _filled(
        network.architecture, None if slots is None else tuple((name, tuple(sites)) for name, sites in slots)
    )


@lru_cache(maxsize=2**16)
def _filled(spelling: str, slots: tuple[tuple[str, tuple[str, ...]], ...] | None) -> Mapping[str, frozenset[Placement]]:
    slot_of = {site: name for name, sites in slots or () for site in sites}
    found: dict[str, frozenset[Placement]] = {}
    for placement in parse(spelling).placements:
        slot = slot_of.get(placement.site, placement.site.partition(".")[0])
        found[slot] = found.get(slot, frozenset()) | {placement}
    return found


def cells(filled: Mapping[str, frozenset[Placement]]) -> Cells:
    """The kind in each slot."""
    kinds = {slot: {placement.attention.kind for placement in placements} for slot, placements in filled.items()}
    return {slot: "+".join(sorted(names)) for slot, names in sorted(kinds.items())}


@dataclass(frozen=True, eq=False, slots=True)
class Additive:
    """Networks as sums of what stands in their slots; a row of weights is a combination of networks' means."""

    known: AdjustedMeans
    levels: tuple[Level, ...]
    """Every kind in a slot whose effect the networks can tell apart from the others."""
    design: Numbers
    """1 where a network has a level, shape (networks, levels)."""
    effects: Numbers
    """Weights that give what a level adds where nothing stood, shape (levels, networks)."""
    nuisance_sd: Numbers
    """Standard deviation of what the effect of each other level leaves in that of a level, shape (levels, levels)."""
    weighed: Numbers
    """The information times all that sums are made of, shape (networks, columns)."""
    inverse: Numbers
    """The covariance of the columns, shape (columns, columns)."""
    freedom: int
    """How many degrees of freedom are left over."""
    remainder: float
    """The variance of networks about their sums, noise taken off."""

    def left(self, values: Numbers) -> Numbers:
        """What the sums leave over of columns of shape (networks, columns), in units of their covariance."""
        left: Numbers = self.known.information(values) - self.weighed @ (self.inverse @ (self.weighed.T @ values))
        return left

    def remainders(self, means: Numbers, variances: Numbers) -> Numbers:
        """That variance by the method of moments; 0 where noise explains all, or nothing is left over.

        `means` of shape (networks, draws), `variances` of the noise of shape (draws,).
        """
        if not self.freedom:
            return np.zeros(len(variances))
        squares = (means * self.left(means)).sum(axis=0)
        trainings, seeds = self.known.met.sum(), self.known.met.any(axis=0).sum()
        trace = trainings - seeds - ((self.weighed @ self.inverse) * self.weighed).sum()
        found: Numbers = np.maximum(0.0, (squares - self.freedom * variances) / trace)
        return found


def additive(found: Sequence[Cells], alone: Sequence[bool], known: AdjustedMeans) -> Additive:
    """The fit by weighted least squares, in which networks that stand alone, plain ones of another width, are no sums.

    An effect is judged with the others taken to be drawn about 0, with a standard deviation that the others themselves
    show: what does nothing elsewhere helps to know what nothing is (a mixed model with one fixed effect at a time).
    """
    levels = sorted({level for network in found for level in network.items()})
    places, columns = {level: number for number, level in enumerate(levels)}, np.flatnonzero(alone)
    whole = np.zeros((len(found), len(levels) + len(columns)))
    for number, network in enumerate(found):
        whole[number, [places[level] for level in network.items()]] = 1.0
    whole[columns, len(levels) + np.arange(len(columns))] = 1.0
    weighed = known.information(whole)
    normal = whole.T @ weighed
    inverse = np.asarray(np.linalg.pinv(normal, rcond=1e-9, hermitian=True), dtype=np.float64)
    clear = np.abs(normal @ inverse - np.eye(len(normal)))[:, : len(levels)].max(axis=0, initial=0.0) < 1e-6
    kept = tuple(level for level, one in zip(levels, clear, strict=True) if one)
    plain = (inverse @ weighed.T)[: len(levels)][clear]
    freedom = known.rank - _rank(normal)
    nothing = np.zeros((len(kept), len(kept)))
    design = whole[:, : len(levels)][:, clear]
    fit = Additive(known, kept, design, plain, nothing, weighed, inverse, freedom, 0.0)
    if np.isnan(known.variance):
        return fit
    remainder = float(fit.remainders(known.means[:, None], np.array([known.variance]))[0])
    effects, nuisance_sd = _judged(plain, whole, np.flatnonzero(clear).tolist(), known, remainder)
    return replace(fit, effects=effects, nuisance_sd=nuisance_sd, remainder=remainder)


def _judged(
    plain: Numbers, whole: Numbers, places: Sequence[int], known: AdjustedMeans, remainder: float
) -> tuple[Numbers, Numbers]:
    """Weights of each effect, the others drawn about 0, and what those leave in it."""
    values = plain @ known.means
    covariance = known.variance * known.covariance(plain) + remainder * plain @ plain.T
    weighed = known.information(whole)
    normal = whole.T @ weighed
    effects, nuisance_sd = np.empty_like(plain), np.zeros((len(plain), len(plain)))
    for number, place in enumerate(places):
        others = np.arange(len(plain)) != number
        between = _variance_about_0(values[others], covariance[np.ix_(others, others)])
        precisions = np.zeros(len(normal))
        precisions[places] = np.where(others, known.variance / between, 0.0)
        inverse = np.linalg.pinv(normal + np.diag(precisions), rcond=1e-9, hermitian=True)
        effects[number] = inverse[place] @ weighed.T
        taken = effects[number] @ whole[:, places]
        nuisance_sd[number] = np.where(others & np.isfinite(between), taken * np.sqrt(min(between, 1e300)), 0.0)
    return effects, nuisance_sd


def _variance_about_0(values: Numbers, covariance: Numbers) -> float:
    """How far effects lie from 0, squared: the mean over its posterior, flat in the standard deviation."""
    if len(values) < 2:
        return np.inf
    variances, directions = np.linalg.eigh(covariance)
    squares, variances = (directions.T @ values) ** 2, np.maximum(variances, 1e-300)
    grid = np.linspace(0, 3 * np.sqrt(max(squares.max(), variances.max())), _SDS)[1:, None] ** 2
    logs = -0.5 * (np.log(variances + grid) + squares / (variances + grid)).sum(axis=1)
    weights = np.exp(logs - logs.max())
    return float(weights @ grid[:, 0] / weights.sum())


def interactions(fit: Additive, fewest: int = 2) -> tuple[list[tuple[Level, Level]], Numbers]:
    """Pairs of levels that stand together in several networks, and weights of what the pair adds to its sum.

    Shape (pairs, networks); only what other networks can tell apart from the sums.
    """
    pairs = [
        (one, other)
        for one, other in combinations(range(len(fit.levels)), 2)
        if fit.design[:, one] @ fit.design[:, other] >= fewest
    ]
    ones, others = (np.array([pair[end] for pair in pairs], dtype=np.intp) for end in (0, 1))
    both = fit.design[:, ones] * fit.design[:, others]
    left = fit.left(both)
    squares = (both * left).sum(axis=0)
    clear = np.flatnonzero(squares > 1e-6).tolist()
    names = [(fit.levels[pairs[number][0]], fit.levels[pairs[number][1]]) for number in clear]
    return names, (left[:, clear] / squares[clear]).T


def removals(found: Sequence[Mapping[str, frozenset[Placement]]]) -> list[tuple[int, int, Level]]:
    """Pairs of networks, the second of which lacks what the first has in one slot and is otherwise filled alike."""
    filled = {frozenset(network.items()): number for number, network in reversed(list(enumerate(found)))}
    return [
        (number, filled[less], (slot, cells(network)[slot]))
        for number, network in enumerate(found)
        for slot, placements in network.items()
        if (less := frozenset(network.items()) - {(slot, placements)}) in filled
    ]


def _rank(matrix: Numbers) -> int:
    return int(np.linalg.matrix_rank(matrix, tol=1e-8)) if matrix.size else 0
