"""Rows that are finished and not in the storage yet: kept in the study's folder, whatever becomes of the process."""

import json
import logging
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import optuna

from nas_attn.results import Evaluation, read_row, written_row
from nas_attn.settings import sealed, unsealed, with_nan, with_null
from nas_attn.space import InputError, first_line, make_folder, write_whole

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unwritten:
    """The folder of such rows; without one they are lost with the process."""

    folder: Path | None = None

    @classmethod
    def of(cls, folder: Path, study: optuna.Study) -> "Unwritten":
        """Those of one step of a study's folder."""
        return cls(folder / "unwritten" / study.study_name.rpartition(".")[2])

    def keep(self, row: Evaluation) -> None:
        """Keep a finished row until it stands in the storage; raises `InputError` where that cannot be."""
        if self.folder is not None:
            make_folder(self.folder)
            write_whole(self.folder / _name(row), json.dumps(sealed(with_null(written_row(row)))).encode())

    def drop(self, row: Evaluation) -> None:
        """Forget a row that stands in the storage."""
        if self.folder is not None:
            (self.folder / _name(row)).unlink(missing_ok=True)

    def rows(self) -> list[Evaluation]:
        """Those that a process could not write down before it ended; a damaged one is named in the log."""
        return [*self._files().values()]

    def written(self, known: Container[tuple[str, int]]) -> list[Path]:
        """The files of rows that stand in the storage by now, as their keys and seeds are known there."""
        return [path for path, row in self._files().items() if (row.key, row.seed) in known]

    def _files(self) -> dict[Path, Evaluation]:
        rows = {}
        for path in [] if self.folder is None else sorted(self.folder.glob("*.json")):
            try:
                rows[path] = read_row(with_nan(unsealed(json.loads(path.read_bytes()))), str(path), None)
            except FileNotFoundError:
                continue  # another process has written its row down, and dropped it
            except (InputError, ValueError, OSError, RecursionError) as error:
                _LOG.warning("%s: is no row, so its network is trained again: %s", path, first_line(error))
        return rows


def _name(row: Evaluation) -> str:
    return f"{row.step}-{row.key}-seed{row.seed}.json"
