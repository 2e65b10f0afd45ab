"""Promotion of networks from one step of a chain to the next."""

import heapq
from collections.abc import Iterable, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Evaluation, across_seeds, losses, table
from nas_attn.settings import StudyFile, measure
from nas_attn.space import Architecture, parse
from nas_attn.statistics import costs_among, posterior
from nas_attn.study import below_floor, over_budget

_BEYOND = 0.1  # how far the point that bounds the volume lies beyond the worst, as a share of the range
_DRAWS = 64  # how often the front is drawn from what is known of networks


def promoted(rows: Iterable[Evaluation], file: StudyFile, networks: int, score: str) -> list[Architecture]:
    """At most this many networks of a step's rows: the plain backbone, then those that add most to the front.

    Where several seeds show how noisy `score` is, those come first that one after the other have the largest expected
    hypervolume improvement of what is chosen. The others go on by layers: a layer is what no other beats in `score` and
    in the costs among the study's objectives, once the layers before are taken away. Of a layer that does not fit whole
    go on those that add most hypervolume to what is chosen of it; of those that add equally much the best by `score`.
    What is over budget, or has failed for a seed, stays behind, and a cost that is not known of all is left out.
    """
    every = list(rows)
    spelt = {row.key: row.architecture for row in every}
    chosen = [key for key in (Architecture().key,) if key in spelt]
    if fit := _fit(every, file, score):
        points = losses(table(fit), _measures(fit, file, score))
        if (drawn := _drawn(every, fit, points, score)) is not None:
            chosen += _chosen(drawn, [row.key for row in fit], chosen, networks, least=0.0)
        ranks = moocore.pareto_rank(points)
        for rank in range(int(ranks.max()) + 1):
            layer = sorted(np.flatnonzero(ranks == rank), key=lambda index: (points[index, 0], fit[index].key))
            keys = [fit[index].key for index in layer]
            new = [key for key in keys if key not in chosen]
            fits = len(chosen) + len(new) <= networks
            chosen += new if fits else _chosen(points[None, layer], keys, chosen, networks)
    return [parse(spelt[key]) for key in chosen[:networks]]


def _fit(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[Evaluation]:
    """One row of each network that may go on."""
    out = {row.key for row in rows if row.state != "complete" or over_budget(row, file.budget)}
    complete = across_seeds(row for row in rows if row.key not in out)
    return [row for row in complete if np.isfinite(row[score]) and not below_floor(row, file.budget)]


def _measures(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[str]:
    return [score, *(name for name in costs_among(file.objectives) if all(np.isfinite(row[name]) for row in rows))]


def _drawn(
    every: Sequence[Evaluation], fit: Sequence[Evaluation], points: NDArray[np.float64], score: str
) -> NDArray[np.float64] | None:
    """Posterior draws of the points, (draws, networks, measures); nothing where noise is unknown."""
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


def _chosen(
    points: NDArray[np.float64], keys: Sequence[str], before: Sequence[str], networks: int, least: float = -1.0
) -> list[str]:
    """The keys that go on beside those before, up to so many in all; the first one breaks a tie.

    `points` are (draws, networks, measures), and volumes means over the draws. A point that adds no more than `least`,
    in shares of the whole, does not go on. What a point adds never grows while others are added, so only the volume of
    the one that seems best is computed again.
    """
    low, span = points.min(axis=(0, 1)), np.ptp(points, axis=(0, 1))
    scaled = (points - low) / np.where(span > 0, span, 1)
    bounded = moocore.Hypervolume(ref=np.full(points.shape[2], 1 + _BEYOND))

    def volume(numbers: Sequence[int]) -> float:
        return float(np.mean([bounded(draw[[*numbers]]) for draw in scaled])) if numbers else 0.0

    already = [number for number, key in enumerate(keys) if key in before]
    chosen, reached = [*already], volume(already)
    queue = [(-np.inf, number, -1) for number in range(len(keys)) if number not in already]
    while queue and len(chosen) - len(already) < networks - len(before):
        gain, number, computed = heapq.heappop(queue)
        if computed == len(chosen):
            if -gain <= least:
                break
            chosen.append(number)
            reached = volume(chosen)
        else:
            heapq.heappush(queue, (-round(volume([*chosen, number]) - reached, 12), number, len(chosen)))
    return [keys[number] for number in chosen[len(already) :]]
