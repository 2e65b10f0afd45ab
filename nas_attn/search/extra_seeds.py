"""Trainings with further seeds, where it is not settled whether a network is on the front."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_attn.results import Evaluation, across_seeds, front, table
from nas_attn.settings import measure
from nas_attn.space import Architecture
from nas_attn.statistics import Membership, membership

from .progress import Known


@dataclass(frozen=True)
class Race:
    """Spends trainings one by one, once each network has the seeds of its step."""

    known: Known
    objectives: Sequence[str]
    trainings: int
    """How many there may be."""

    def next(self, running: Collection[str]) -> tuple[str, int] | None:
        """The key and the seed of the next training, beside the networks in training; nothing where all is settled.

        The network is the one whose membership of the front is most in doubt, as far as a seed still helps: doubt is
        p (1 - p), and one seed more than n takes 1 / n - 1 / (n + 1) off the variance. Seeds are paired: the bare
        network is trained with one before any other is.
        """
        if self.spent + len(running) >= self.trainings or any(map(self.known.missing, running)):
            return None
        bare, rows = Architecture().key, self._rows
        for key in self._in_doubt(rows):
            seed = self._next_seed(key)
            waits_for_bare = bare in {row.key for row in rows} and seed not in self.known.rows[bare]
            chosen = bare if waits_for_bare and bare not in running else key
            if chosen not in running:
                return chosen, self._next_seed(chosen)
        return None

    @property
    def spent(self) -> int:
        """How many trainings there were beyond the seeds of the step, in earlier runs too."""
        return sum(seed not in self.known.seeds for rows in self.known.rows.values() for seed in rows)

    def said(self) -> str:
        """What came of it, to be added to a sentence; nothing where no training may be spent."""
        if not self.trainings:
            return ""
        found = membership(self._rows, self.objectives)
        standings = [found.standing(number) for number in range(len(found.networks))]
        sure, open_ = standings.count("in"), standings.count("undecided")
        rest = f"{open_} undecided" if open_ else "no other is undecided"
        return f"; {self.spent} of {self.trainings} more trainings were spent: {sure} on the front, {rest}"

    def _in_doubt(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        """Keys, the one that a seed is best spent on first."""
        found = membership(rows, self.objectives)
        if not np.isfinite(found.probability).all():
            yield from self._unseeded(rows)
            return
        value = [_value(found, number, len(self.known.rows[row.key])) for number, row in enumerate(found.networks)]
        yield from (found.networks[number].key for number in np.argsort(value)[::-1] if value[number] > 0)

    def _unseeded(self, rows: Sequence[Evaluation]) -> Iterator[str]:
        """While nothing is known of noise: the bare network, then those of the front, once each."""
        best = front(table(across_seeds(rows)), self.objectives).index
        for key in dict.fromkeys((Architecture().key, *best)):
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
        settled = (key for key in self.known.trained if self.known.verdict(key).state == "complete")
        return [row for key in settled for row in self.known.rows[key].values()]


def untrained(row: Evaluation, seed: int) -> Evaluation:
    """What is known of a row's network before it is trained with another seed."""
    known = {name: value for name, value in row.measures.items() if measure(name).source == "counted"}
    return replace(row, seed=seed, state="priced", measures=known, train_seconds=math.nan, weights_sha256="")


def _value(found: Membership, number: int, seeds: int) -> float:
    if found.standing(number) != "undecided":
        return 0.0
    probability = float(found.probability[number])
    return probability * (1 - probability) / (seeds * (seeds + 1))
