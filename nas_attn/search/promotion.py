"""Which networks go on from one step of a chain to the next."""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Evaluation, across_seeds, losses, table
from nas_attn.sampler import STARTUP
from nas_attn.settings import StudyFile, measure
from nas_attn.space import Architecture, parse
from nas_attn.statistics import costs_among, posterior
from nas_attn.study import over_budget

_BEYOND = 0.1  # how far the point that bounds the volume lies beyond the worst, as a share of the range
_DRAWS = 64  # how often the front is drawn from what is known of networks
_PROMOTED = 3  # of so many networks that a sampler chooses the first is promoted; measured in benchmarks/samplers.py


@dataclass(frozen=True)
class Lead:
    """What an earlier step says of networks."""

    first: Sequence[Architecture]
    """Those that are looked at before a sampler is asked."""
    scores: Mapping[Architecture, float]
    """The mean score of each that the sampler may propose."""


def promoted(rows: Iterable[Evaluation], file: StudyFile, networks: int, score: str) -> list[Architecture]:
    """At most this many networks of a step's rows, the bare one first, then those that are worth most to the front.

    Where several seeds show how sure `score` is, those come first that one after the other are
    expected to add most hypervolume to what is chosen, over draws of what is known. The others go on by layers: a layer
    is what no other beats in `score` and in the costs among the study's objectives, once the layers
    before are taken away. Of a layer that does not fit whole go on those that add most hypervolume to what is chosen of
    it; of those that add equally much the best by `score`. What is over budget, or has failed for a seed, stays
    behind, and a cost that is not known of all is left out.
    """
    every = list(rows)
    bare = [Architecture()] if Architecture().key in {row.key for row in every} else []
    fit = _fit(every, file, score)
    if not fit:
        return bare[:networks]
    points = losses(table(fit), _measures(fit, file, score))
    ranks = moocore.pareto_rank(points)
    chosen = [a.key for a in bare]
    if (drawn := _drawn(every, fit, points, score)) is not None:
        already = [number for number, row in enumerate(fit) if row.key in chosen]
        order = _by_volume(drawn, already, max(0, networks - len(chosen)), least=0.0)
        chosen += [fit[number].key for number in order]
    for rank in range(int(ranks.max()) + 1):
        layer = sorted(np.flatnonzero(ranks == rank), key=lambda index: (points[index, 0], fit[index].key))
        keys = [fit[index].key for index in layer]
        new = [key for key in keys if key not in chosen]
        if len(chosen) + len(new) > networks:
            already = [number for number, key in enumerate(keys) if key in chosen]
            order = _by_volume(points[None, layer], already, max(0, networks - len(chosen)))
            new = [keys[number] for number in order]
        chosen += new
    spelt = {row.key: row.architecture for row in every}
    return [parse(spelt[key]) for key in chosen[:networks]]


def lead(rows: Iterable[Evaluation], file: StudyFile, networks: int, score: str) -> Lead:
    """What a step's rows say to a sampler that chooses this many networks.

    First come those `promoted`, a third and no fewer than it learns from at first. What is over budget, or has failed
    for a seed, may not be proposed.
    """
    every = list(rows)
    scores = {parse(row.architecture): float(row[score]) for row in _fit(every, file, score)}
    return Lead(promoted(every, file, min(networks, max(STARTUP, math.ceil(networks / _PROMOTED))), score), scores)


def _fit(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[Evaluation]:
    """One row of each network that may go on."""
    out = {row.key for row in rows if row.state != "complete" or over_budget(row, file.budget)}
    complete = across_seeds(row for row in rows if row.key not in out)
    return [row for row in complete if np.isfinite(row[score])]


def _measures(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[str]:
    costs = costs_among(file.objectives)
    return [score, *(name for name in costs if all(np.isfinite(row[name]) for row in rows))]


def _drawn(
    every: Sequence[Evaluation], fit: Sequence[Evaluation], points: NDArray[np.float64], score: str
) -> NDArray[np.float64] | None:
    """The points as they may be for all that is known, (draws, networks, measures); nothing where noise is unknown."""
    if measure(score).source != "learnt" or not measure(score).objective:
        return None
    fits = {row.key for row in fit}
    known = posterior((row for row in every if row.key in fits), score)
    if not np.isfinite(known.draws).all():
        return None
    order = [known.keys.index(row.key) for row in fit]
    some = known.draws[:: len(known.draws) // _DRAWS][:_DRAWS, order]
    drawn = np.repeat(points[None], len(some), axis=0)
    drawn[:, :, 0] = -measure(score).sign * some
    return drawn


def _by_volume(points: NDArray[np.float64], already: Sequence[int], more: int, least: float = -1.0) -> list[int]:
    """Up to so many points that go on beside those that do `already`; the first one breaks a tie.

    `points` are (draws, networks, measures), and volumes means over the draws. A point that adds no more than `least`,
    in shares of the whole, does not go on. What a point adds never grows while others are added, so only the one that
    seems best is looked at again.
    """
    low, span = points.min(axis=(0, 1)), np.ptp(points, axis=(0, 1))
    scaled = (points - low) / np.where(span > 0, span, 1)
    bounded = moocore.Hypervolume(ref=np.full(points.shape[2], 1 + _BEYOND))

    def volume(numbers: Sequence[int]) -> float:
        return float(np.mean([bounded(draw[[*numbers]]) for draw in scaled])) if numbers else 0.0

    chosen, reached = list(already), volume(already)
    queue = [(-np.inf, number, -1) for number in range(points.shape[1]) if number not in chosen]
    while queue and len(chosen) < len(already) + more:
        gain, number, seen = heapq.heappop(queue)
        if seen == len(chosen):
            if -gain <= least:
                break
            chosen.append(number)
            reached = volume(chosen)
        else:
            heapq.heappush(queue, (-round(volume([*chosen, number]) - reached, 12), number, len(chosen)))
    return chosen[len(already) :]
