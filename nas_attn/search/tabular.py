"""Tabular benchmark: results of every network of a space, trained with several seeds."""

import random
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import optuna
import pandas as pd

from nas_attn.pricing import COUNTED, SpacePrices
from nas_attn.results import Evaluation, Latency, across_seeds, directions, front, hypervolume, table
from nas_attn.settings import measure
from nas_attn.space import Architecture, InputError, Placement, SearchSpace, allowed

from .extra_seeds import untrained


@dataclass(frozen=True, repr=False)
class Table:
    """Results of every network of a space with each of several seeds: an `Evaluator`, and a plain Optuna objective.

    Raises `InputError` where the rows are not every network of the space, each trained with the same seeds, or an
    objective is not known.
    """

    name: str
    space: SearchSpace
    rows: tuple[Evaluation, ...]
    """One for each network and seed."""
    objectives: tuple[str, ...] = ("accuracy", "flops")
    """What networks are compared by."""
    jobs: int = 1
    """How many trainings a search begins at once; each is finished as it begins."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if row.state != "complete":
                raise InputError(f"{row.key} with seed {row.seed}: found the state {row.state!r}; allowed: complete")
        for key, seeds in self._by_seed.items():
            if missing := {*self.seeds} - {*seeds}:
                raise InputError(f"{key}: has no row with seed {min(missing)}, which another network has")
        if len(self.rows) != len(self._by_seed) * len(self.seeds):
            raise InputError("found two rows of one network with one seed")
        if len(self._by_seed) != self.space.size:
            raise InputError(f"found {len(self._by_seed)} networks; the space has {self.space.size:,}")
        if unknown := next((each for each in self.space.architectures() if each.key not in self._by_seed), None):
            raise InputError(f"has no row of {unknown}, which is of the space")
        _ = front(self.true, self.objectives)

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self._by_seed):,} networks with {len(self.seeds)} seeds each)"

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that every network was trained with."""
        return tuple(sorted({row.seed for row in self.rows}))

    @cached_property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """One question a slot, with the spelling of everything that may stand there, `none` first."""
        return {slot: tuple(answers) for slot, answers in self._fillings.items()}

    @cached_property
    def known_costs(self) -> Mapping[int, Callable[[Mapping[str, Any]], float]]:
        """By the number of an objective, what it is for given answers, where that is known without training."""
        known = {number: name for number, name in enumerate(self.objectives) if measure(name).source != "learnt"}
        return {number: partial(self._cost, name) for number, name in known.items()}

    @cached_property
    def directions(self) -> tuple[str, ...]:
        """Each objective's direction as `optuna.create_study` takes it."""
        return tuple(f"{direction}imize" for direction in directions(self.objectives).values())

    @cached_property
    def true(self) -> pd.DataFrame:
        """One row a network with the means over its seeds."""
        return table(across_seeds(self.rows))

    @cached_property
    def reference(self) -> Mapping[str, float]:
        """The worst value of each objective on the true front, and a tenth of the front's range beyond.

        Where the front has one value, the range is that of all networks. Ishibuchi et al. (2018), "How to specify a
        reference point in hypervolume calculation for fair performance comparison", recommend a point slightly worse
        than the front's own.
        """
        best = front(self.true, self.objectives)
        found: dict[str, float] = {}
        for name, direction in directions(self.objectives).items():
            beyond = 0.1 * float(np.ptp(best[name]) or np.ptp(self.true[name]))
            found[name] = float(best[name].min()) - beyond if direction == "max" else float(best[name].max()) + beyond
        return found

    def key(self, answers: Mapping[str, Any]) -> str:
        """The key of the network that these answers to `choices` lead to; other answers are passed over.

        Raises `InputError` for a question without an answer, and for an answer that is not offered.
        """
        placements: list[Placement] = []
        for slot, fillings in self._fillings.items():
            answer = answers.get(slot)
            if answer not in fillings:
                raise InputError(f"{slot}: found {answer!r}; {allowed(answer, fillings)}")
            placements += fillings[answer]
        return Architecture(tuple(placements)).key

    def objective(self, seed: int, *, trained: int | None = None) -> Callable[[optuna.Trial], tuple[float, ...]]:
        """Objective function for Optuna: one training of the network that a trial suggests.

        It is that of the seed `trained`; without it, of one that is drawn for each trial by `seed` and its number.
        """
        if trained is not None and trained not in self.seeds:
            raise InputError(f"trained: found {trained}; {allowed(trained, map(str, self.seeds))}")

        def evaluate(trial: optuna.Trial) -> tuple[float, ...]:
            key = self.key({slot: trial.suggest_categorical(slot, answers) for slot, answers in self.choices.items()})
            drawn = random.Random(f"{seed} {trial.number}").choice(self.seeds) if trained is None else trained
            return tuple(float(self._by_seed[key][drawn][name]) for name in self.objectives)

        return evaluate

    def hypervolume_share(self, keys: Iterable[str]) -> float:
        """Hypervolume of the mean values of these networks up to `reference`, as a share of that of all.

        It is 1 where all networks are equal. Raises `InputError` for a key that the table does not have.
        """
        known = [*dict.fromkeys(keys)]
        if unknown := next((key for key in known if key not in self._by_seed), None):
            raise InputError(f"{self.name}: has no network with the key {unknown!r}")
        return self._volume(known) / self._whole if self._whole else 1.0

    def count(self, architecture: Architecture) -> Evaluation:
        """The row of an architecture before it is trained, with its latency where that was measured.

        Raises `InputError` for one that the table does not have.
        """
        if architecture.key not in self._any_seed:
            raise InputError(f"{self.name}: has no network {architecture}")
        row = self._any_seed[architecture.key]
        timed = row.latency if row.latency.source == "measured" else Latency()
        return replace(untrained(row, row.seed), latency=timed, device="")

    def prices(self, space: SearchSpace) -> SpacePrices:
        """What every network of the space costs, by the networks with one slot filled."""

        def counted(filling: tuple[Placement, ...]) -> list[int]:
            row = self._any_seed[Architecture(filling).key]
            return [row[name] for name in COUNTED]

        plain = np.array(counted(()))
        return SpacePrices(plain, tuple(np.array([*map(counted, slot.fillings())]) - plain for slot in space.slots))

    def time(self, row: Evaluation) -> Evaluation:
        """The row as it is: a table times nothing."""
        return row

    def measure(self, row: Evaluation) -> Evaluation:
        """The row as it is: a table times nothing."""
        return row

    def train(self, row: Evaluation) -> Future[Evaluation]:
        """The row with what training found with its seed; it has failed where the table does not have that seed."""
        future: Future[Evaluation] = Future()
        if row.seed not in self.seeds:
            reason = f"the table has the seeds {', '.join(map(str, self.seeds))}"
            future.set_result(replace(row, state="failed", reason=reason))
        else:
            found = self._by_seed[row.key][row.seed]
            measures = {**found.measures, **row.measures}
            trained = {name: found[name] for name in ("state", "train_seconds", "device")}
            future.set_result(replace(row, measures=measures, **trained))
        return future

    def _cost(self, name: str, answers: Mapping[str, Any]) -> float:
        return float(self._any_seed[self.key(answers)][name])

    @cached_property
    def _by_seed(self) -> dict[str, dict[int, Evaluation]]:
        rows: dict[str, dict[int, Evaluation]] = {}
        for row in self.rows:
            rows.setdefault(row.key, {})[row.seed] = row
        return rows

    @cached_property
    def _any_seed(self) -> dict[str, Evaluation]:
        """What does not depend on the seed, by key."""
        return {key: rows[min(rows)] for key, rows in self._by_seed.items()}

    @cached_property
    def _fillings(self) -> dict[str, dict[str, tuple[Placement, ...]]]:
        return {
            slot.name: {str(Architecture(filling)): filling for filling in slot.fillings()} for slot in self.space.slots
        }

    @cached_property
    def _whole(self) -> float:
        return self._volume([*self._by_seed])

    def _volume(self, keys: list[str]) -> float:
        return hypervolume(self.true.loc[keys], self.objectives, self.reference)
