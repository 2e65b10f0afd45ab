"""Which networks go on from one step of a chain to the next."""

import heapq
from collections.abc import Iterable, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from nas_attn.results import Evaluation, table
from nas_attn.results.front import losses
from nas_attn.results.seeds import across_seeds
from nas_attn.settings import StudyFile
from nas_attn.space import Architecture, parse

from .affordable import over_budget

_BEYOND = 0.1  # how far the point that bounds the volume lies beyond the worst, as a share of the range


def promoted(rows: Iterable[Evaluation], file: StudyFile, networks: int, score: str) -> list[Architecture]:
    """At most this many networks of a step's rows, the bare one first, then the better by layers.

    A layer is what no other beats in `score` (`loss`, `accuracy` or `train_loss`) and in the costs among the study's
    objectives, once the layers before are taken away. Of a layer that does not fit whole go on those that one after
    the other add most hypervolume to what is chosen of it; of those that add equally much the best by `score`.
    What is over budget, or has failed for a seed, stays behind, and a cost that is not known of all is left out.
    """
    every = list(rows)
    bare = [Architecture()] if Architecture().key in {row.key for row in every} else []
    fit = _fit(every, file, score)
    if not fit:
        return bare[:networks]
    points = losses(table(fit), _measures(fit, file, score))
    ranks = moocore.pareto_rank(points)
    chosen = [a.key for a in bare]
    for rank in range(int(ranks.max()) + 1):
        layer = sorted(np.flatnonzero(ranks == rank), key=lambda index: (points[index, 0], fit[index].key))
        keys = [fit[index].key for index in layer]
        new = [key for key in keys if key not in chosen]
        if len(chosen) + len(new) > networks:
            already = [number for number, key in enumerate(keys) if key in chosen]
            order = _by_volume(points[layer], already, len(already) + max(0, networks - len(chosen)))
            new = [keys[number] for number in order]
        chosen += new
    spelt = {row.key: row.architecture for row in every}
    return [parse(spelt[key]) for key in chosen[:networks]]


def _fit(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[Evaluation]:
    """One row of each network that may go on."""
    out = {row.key for row in rows if row.state != "complete" or over_budget(row, file.budget)}
    complete = across_seeds(row for row in rows if row.key not in out)
    return [row for row in complete if np.isfinite(getattr(row, score))]


def _measures(rows: Sequence[Evaluation], file: StudyFile, score: str) -> list[str]:
    costs = [name for name in file.objectives if name not in ("accuracy", "loss")]
    return [score, *(name for name in costs if all(np.isfinite(getattr(row, name)) for row in rows))]


def _by_volume(points: NDArray[np.float64], already: Sequence[int], count: int) -> list[int]:
    """The points that go on beside those that do `already`, up to `count` with them; the first one breaks a tie.

    What a point adds never grows while others are added, so only the one that seems best is looked at again.
    """
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    volume = moocore.Hypervolume(ref=np.full(points.shape[1], 1 + _BEYOND))
    chosen = list(already)
    reached = float(volume(scaled[chosen])) if chosen else 0.0
    queue = [(-np.inf, number, -1) for number in range(len(points)) if number not in chosen]
    while queue and len(chosen) < count:
        _, number, seen = heapq.heappop(queue)
        if seen == len(chosen):
            reached = float(volume(scaled[[*chosen, number]]))
            chosen.append(number)
        else:
            gain = round(float(volume(scaled[[*chosen, number]])) - reached, 12)
            heapq.heappush(queue, (-gain, number, len(chosen)))
    return chosen[len(already) :]
