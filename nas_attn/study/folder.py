"""A study's folder as a reader sees it: the rows and the front, without anything that trains."""

from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd

from nas_attn.results import Evaluation, front, knee, measured_later, table
from nas_attn.settings import StudyFile, read_study_file
from nas_attn.space import InputError, allowed

from .affordable import over_budget
from .record import is_begun, read_prediction, read_rows
from .storage import find_study


@dataclass(frozen=True)
class StudyFolder:
    """What a study asks and what it has found so far."""

    path: Path
    file: StudyFile

    @classmethod
    def open(cls, path: Path | str) -> "StudyFolder":
        """Read the folder's `study.toml`; raises `InputError` where there is none, or it has faults."""
        return cls(Path(path), read_study_file(Path(path)))

    def study(self) -> optuna.Study:
        """The Optuna study behind the folder; raises `InputError` where none was begun."""
        study = find_study(self.path, self.file.search.storage)
        if study is None or not is_begun(study):
            raise InputError(f"{self.path}: nothing was searched there yet; `nas-attn search {self.path}` begins")
        return study

    def rows(self) -> dict[str, Evaluation]:
        """The row of each architecture by key, held against the budget as the study file states it today."""
        rows = read_rows(self.study())
        return {key: over_budget(row, self.file.budget) or row for key, row in rows.items()}

    def table(self) -> pd.DataFrame:
        """One row an architecture, in the order of first trial."""
        return table(self.rows().values())

    def front(self) -> pd.DataFrame:
        """The rows that no other beats in the study's objectives, within its budget."""
        return front(self.table(), self.file.objectives)

    def prediction(self) -> str | None:
        """How well latencies were predicted, in words; nothing where they were not."""
        left_out = read_prediction(self.study())
        if left_out is None:
            return None
        return (
            f"each of the networks that were timed for it, from the others: {left_out}; "
            f"networks that were measured later: {measured_later(self.table())}"
        )

    def pick(self, which: str) -> Evaluation:
        """A trained row: the knee of the front (`knee`), the most accurate (`best`), or the one with this key.

        Of equally accurate ones the one with the smallest loss is best. Raises `InputError` where there is no such row.
        """
        trained = {key: row for key, row in self.rows().items() if row.state == "complete"}
        if not trained:
            raise InputError(f"{self.path}: no network is trained within the budget yet")
        if which == "knee":
            which = knee(self.table(), self.file.objectives)
        elif which == "best":
            which = max(trained, key=lambda key: (trained[key].accuracy, -trained[key].loss))
        if which not in trained:
            raise InputError(f"pick: found {which!r}; {allowed(which, ['knee', 'best', *trained])}")
        return trained[which]
