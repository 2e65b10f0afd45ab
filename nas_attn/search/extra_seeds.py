"""Race of networks that may be on the front: trainings with further seeds, where one helps most."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_attn.results import Evaluation, across_seeds, front, table
from nas_attn.settings import measure
from nas_attn.space import Architecture
from nas_attn.statistics import membership

from .progress import Known

_PLAIN = Architecture().key
_LEAST = 0.1
"""A training is made where it is worth at least this share of what the best one is."""


@dataclass(frozen=True)
class Race:
    """Allocation of further trainings, one by one, once each network has the seeds of its step."""

    known: Known
    objectives: Sequence[str]
    trainings: int
    """How many there may be."""

    def next(self, running: Collection[str]) -> tuple[str, int] | None:
        """The key and the seed of the next training, beside the networks in training; nothing where all is decided.

        The network is the one where a seed is expected to take most off the variance p (1 - p) of being on the front,
        over all that are undecided: one of them, or one that they are compared with (in the spirit of Kone, Jourdan and
        Kaufmann, Pareto Set Identification With Posterior Sampling, AISTATS 2025). Seeds are paired: the plain backbone
        is trained with one before any other network is.
        """
        if self.spent + len(running) >= self.trainings or any(map(self.known.missing, running)):
            return None
        rows = self._rows
        paired = any(row.key == _PLAIN for row in rows)
        for key in self._helpful(rows):
            waits = paired and self._next_seed(key) not in self.known.rows[_PLAIN]
            chosen = _PLAIN if waits and _PLAIN not in running else key
            if chosen not in running:
                return chosen, self._next_seed(chosen)
        return None

    @property
    def spent(self) -> int:
        """How many trainings there were beyond the seeds of the step, in earlier runs too."""
        return sum(seed not in self.known.seeds for rows in self.known.rows.values() for seed in rows)

    def summary(self) -> str:
        """What came of it, to be added to a sentence; nothing where no training may be spent."""
        if not self.trainings:
            return ""
        found = membership(self._rows, self.objectives)
        standings = [found.standing(number) for number in range(len(found.networks))]
        best, undecided = standings.count("in"), standings.count("undecided")
        spent = min(self.spent, self.trainings)  # a verdict may have added seeds
        trained = f"{spent} of {self.trainings} more trainings were spent"
        if undecided or not standings:
            return f"; {trained}: {best} on the front, {undecided} undecided"
        return f"; {trained}: the front is decided, with {best} on it and no network undecided"

    def _helpful(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        """Keys of the networks where a seed helps, the one where it helps most first; none where all is decided."""
        found = membership(rows, self.objectives)
        if not np.isfinite(found.probability).all():
            yield from self._unseeded(rows)
            return
        trained = Counter(seed for seeds in self.known.rows.values() for seed in seeds)
        beside = np.array([max(1, trained[self._next_seed(row.key)]) for row in found.networks])
        value = found.value_of_training(found.posterior.noise**2 * (1 + 1 / beside))
        for number in np.argsort(-value, kind="stable"):
            if value[number] > _LEAST * value.max():
                yield found.networks[number].key

    def _unseeded(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        """While nothing is known of noise: the plain backbone, then those of the front, once each."""
        best = front(table(across_seeds(rows)), self.objectives).index
        for key in dict.fromkeys((_PLAIN, *best)):
            if key in {row.key for row in rows} and len(self.known.rows[key]) == len(self.known.seeds):
                yield key

    def _next_seed(self, key: str) -> int:
        seed = self.known.seeds[0]
        while seed in self.known.rows[key]:
            seed += 1
        return seed

    @property
    def _rows(self) -> list[Evaluation]:
        """The rows of networks that have a result, seed by seed."""
        trained = [list(self.known.rows[key].values()) for key in self.known.trained]
        return [row for rows in trained if all(row.state == "complete" for row in rows) for row in rows]


def untrained(row: Evaluation, seed: int) -> Evaluation:
    """What is known of a row's network before it is trained with another seed."""
    known = {name: value for name, value in row.measures.items() if measure(name).source == "counted"}
    priced = replace(row, seed=seed, state="priced", measures=known, train_seconds=math.nan)
    return replace(priced, weights_sha256="", outcomes_sha256="", learning_curve="")
