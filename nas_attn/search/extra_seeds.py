"""Race of networks that may be on the front: trainings with further seeds, where one helps most."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_attn.results import Evaluation, across_seeds, front, table
from nas_attn.settings import measure
from nas_attn.space import Architecture
from nas_attn.statistics import membership

from .progress import Known

_PLAIN = Architecture().key


@dataclass(frozen=True)
class Race:
    """Allocation of further trainings, one by one, once each network has the seeds of its step."""

    known: Known
    objectives: Sequence[str]
    trainings: int
    """How many there may be."""

    def next(self, running: Collection[str]) -> tuple[str, int] | None:
        """The key and the seed of the next training, beside the networks in training; nothing where all is decided.

        The network is the one where a seed takes most off the variance of being on the front: that is p (1 - p), and
        one seed more than n takes 1 / n - 1 / (n + 1) of it. Seeds are paired: the plain backbone is trained with one
        before any other network is.
        """
        if self.spent + len(running) >= self.trainings or any(map(self.known.missing, running)):
            return None
        rows = self._rows
        for key in self._undecided(rows):
            waits = _PLAIN in {row.key for row in rows} and self._next_seed(key) not in self.known.rows[_PLAIN]
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
        undecided = standings.count("undecided")
        rest = f"{undecided} undecided" if undecided else "no other is undecided"
        trained = f"{self.spent} of {self.trainings} more trainings were spent"
        return f"; {trained}: {standings.count('in')} on the front, {rest}"

    def _undecided(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        """Keys, the one where a seed helps most first."""
        found = membership(rows, self.objectives)
        if not np.isfinite(found.probability).all():
            yield from self._unseeded(rows)
            return
        seeds = np.array([len(self.known.rows[row.key]) for row in found.networks])
        value = found.probability * (1 - found.probability) / (seeds * (seeds + 1))
        for number in np.argsort(value)[::-1]:
            if found.standing(number) == "undecided":
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
        complete = (key for key in self.known.trained if self.known.verdict(key).state == "complete")
        return [row for key in complete for row in self.known.rows[key].values()]


def untrained(row: Evaluation, seed: int) -> Evaluation:
    """What is known of a row's network before it is trained with another seed."""
    known = {name: value for name, value in row.measures.items() if measure(name).source == "counted"}
    priced = replace(row, seed=seed, state="priced", measures=known, train_seconds=math.nan)
    return replace(priced, weights_sha256="", outcomes_sha256="")
