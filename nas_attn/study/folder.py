"""A study's folder as a reader sees it: rows and front, without what trains."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
import pandas as pd

from nas_attn.results import (
    OUTCOMES,
    Evaluation,
    Front,
    Kept,
    across_seeds,
    measured_later,
    outcomes_file,
    pareto_front,
    read_outcomes,
    table,
)
from nas_attn.settings import FINAL, Budget, StudyFile, learnt, measure, read_study_file, use_measures
from nas_attn.space import NONE, InputError, allowed, present_key

from .artifacts import Artifacts
from .identity import read_study_id
from .record import WIDTH_MATCHED, is_begun, read_prediction, read_rows
from .retrained import RETRAINED
from .storage import find_study

T = TypeVar("T")


def over_budget(row: Evaluation, budget: Budget) -> Evaluation | None:
    """The row marked as over budget, with the reason; None where nothing known exceeds a limit."""
    for name, limit in budget.limits.items():
        if (value := row[name]) > limit:
            return replace(row, state="over_budget", reason=f"{name} {value:,.6g} > {limit:,.6g}")
    return None


def below_floor(row: Evaluation, budget: Budget) -> Evaluation | None:
    """A row over its seeds marked as over budget, as a learnt measure is worse than allowed; None where none is."""
    for name, floor in budget.floors.items():
        one = measure(name)
        if one.sign * (row[name] - floor) < 0:
            worse = "<" if one.better == "max" else ">"
            return replace(row, state="over_budget", reason=f"{name} {one.spell(row[name])} {worse} {one.spell(floor)}")
    return None


@dataclass(frozen=True)
class StudyFolder:
    """The file of a study and its rows, step by step; without a step, of the last of the chain that was begun."""

    path: Path
    file: StudyFile
    _known: dict[str, Any] | None = field(default=None, repr=False, compare=False)
    """What was read, where everything is read once: studies by their steps, and rows by the names of studies."""

    @classmethod
    def open(cls, path: Path | str) -> "StudyFolder":
        """Read the folder's `study.toml`; raises `InputError` where there is none, or it has faults."""
        return cls(Path(path), read_study_file(Path(path)))

    def once(self) -> "StudyFolder":
        """The same folder, of which each step is read once, as for a page: what is written later is not seen."""
        return replace(self, _known={})

    def study(self, step: str | None = None) -> optuna.Study:
        """The Optuna study behind a step; raises `InputError` where none was begun."""
        if (study := self._begun(step or self.step)) is None:
            raise InputError(f"{self.path}: the step {step!r} was not begun yet; `nas-attn search {self.path}` begins")
        return study

    @property
    def step(self) -> str:
        """The last of the chain that was begun; raises `InputError` where none was."""
        for step in reversed(self.file.steps):
            if self._begun(step.name) is not None:
                return step.name
        raise InputError(f"{self.path}: nothing was searched there yet; `nas-attn search {self.path}` begins")

    def rows(self, step: str | None = None) -> dict[str, Evaluation]:
        """The row of each architecture by key, over its seeds, in the order of first trial.

        It is compared with the budget in the study file of today.
        """
        rows = across_seeds(self._rows_of(self.study(step)))
        return {row.key: below_floor(row, self.file.budget) or row for row in rows}

    def seed_rows(self, step: str) -> list[Evaluation]:
        """The rows of a step seed by seed, compared with the budget as `rows` are."""
        return self._rows_of(self.study(step))

    def all_rows(self) -> list[Evaluation]:
        """Every row of every step and seed, those of `final` last where the chain does not name it."""
        return [row for study in self.studies() for row in self._rows_of(study)]

    def studies(self) -> list[optuna.Study]:
        """The Optuna studies behind the steps that were begun, that of `final` last where no chain names it."""
        names = dict.fromkeys([*(step.name for step in self.file.steps), FINAL])
        return [study for name in names if (study := self._begun(name)) is not None]

    def full_rows(self) -> list[Evaluation]:
        """Every row of networks that were trained as the winner will be, seed by seed.

        Those of a network that is worse than a floor are over budget, but for the plain backbone's, with which all else
        is compared.
        """
        rows = [row for row in self.all_rows() if row.step == FINAL]
        judged = {row.key: below_floor(row, self.file.budget) for row in across_seeds(rows) if row.architecture != NONE}
        below = {key: row for key, row in judged.items() if row is not None}
        return [
            replace(row, state=below[row.key].state, reason=below[row.key].reason) if row.key in below else row
            for row in rows
        ]

    def width_matched(self) -> list[Evaluation]:
        """Every row of width-matched baselines, whatever they cost, for none of them is chosen."""
        study = self._begun(WIDTH_MATCHED)
        return [] if study is None else self._once(WIDTH_MATCHED, lambda: [*read_rows(study).values()])

    @property
    def artifacts(self) -> Artifacts:
        """Where this folder's weights, and what single images got, lie for all who work on the study."""
        url = self.file.search.artifacts
        return Artifacts(self.path, url, "" if url is None else read_study_id(self.path))

    def outcomes(self, rows: Iterable[Evaluation]) -> Kept:
        """What each validation image got in these trainings, as `read_outcomes` says; fetched where it is missing."""
        rows, place = [*rows], self.path / OUTCOMES
        self.artifacts.fetch(*(outcomes_file(place, row.key, row.seed) for row in rows if row.outcomes_sha256))
        return read_outcomes(place, rows, self.file.folds, self.file.fold_of)

    def retrained(self) -> optuna.Study | None:
        """The Optuna study of what was trained for good; None where nothing was."""
        return self._begun(RETRAINED)

    def table(self, step: str | None = None) -> pd.DataFrame:
        """One row an architecture, over its seeds, in the order of first trial."""
        return table(self.rows(step).values())

    def front(self, step: str | None = None) -> Front:
        """The Pareto front in the study's objectives, within its budget."""
        return pareto_front(self.table(step), self.file.objectives)

    def prediction(self) -> str | None:
        """How well latencies were predicted, in words; nothing where they were not."""
        step = self._last_trained
        left_out = read_prediction(self.study(step))
        if left_out is None:
            return None
        return (
            f"each of the networks that were timed for it, from the others: {left_out}; "
            f"networks that were measured later: {measured_later(self.table(step))}"
        )

    def pick(self, which: str) -> Evaluation:
        """A trained row: the knee of the front (`knee`), the best in the leading objective (`best`), or one by its key.

        It is of the last begun step in which a network is trained. Of equally good ones another learnt measure decides.
        Raises `InputError` where there is no such row.
        """
        step, which = self._last_trained, present_key(which)
        trained = {key: row for key, row in self.rows(step).items() if row.state == "complete"}
        if not trained:
            raise InputError(f"{self.path}: no network is trained within the budget yet")
        if which == "knee":
            which = self.front(step).knee or which
        elif which == "best":
            judging = dict.fromkeys((self.file.leading.name, *(one.name for one in learnt())))
            signed = {key: [measure(name).sign * row[name] for name in judging] for key, row in trained.items()}
            which = max(trained, key=lambda key: np.nan_to_num(signed[key], nan=-np.inf).tolist())
        if which not in trained:
            raise InputError(f"pick: found {which!r}; {allowed(which, ['knee', 'best', *trained])}")
        return trained[which]

    @property
    def _last_trained(self) -> str | None:
        """The last step with complete rows, if any."""
        for step in reversed(self.file.steps):
            study = self._begun(step.name)
            if study is not None and any(row.state == "complete" for row in self._rows_of(study)):
                return step.name
        return None

    def _begun(self, step: str) -> optuna.Study | None:
        use_measures(self.file.measures)

        def find() -> optuna.Study | None:
            study = find_study(self.path, self.file.search.storage, step)
            return study if study is not None and is_begun(study) else None

        return self._once(f"step {step}", find)

    def _rows_of(self, study: optuna.Study) -> list[Evaluation]:
        rows = self._once(f"rows of {study.study_name}", lambda: [*read_rows(study).values()])
        return [over_budget(row, self.file.budget) or row for row in rows]

    def _once(self, name: str, read: Callable[[], T]) -> T:
        if self._known is None:
            return read()
        if name not in self._known:
            self._known[name] = read()
        found: T = self._known[name]
        return found
