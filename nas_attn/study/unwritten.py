"""Rows that are finished and not in the storage yet: kept in the study's folder, whatever becomes of the process."""

import json
import logging
from pathlib import Path

from nas_attn.results import Evaluation, read_row, written_row
from nas_attn.settings import sealed, unsealed, with_nan, with_null
from nas_attn.space import InputError, first_line, make_folder, write_whole

_LOG = logging.getLogger(__name__)


def keep_row(folder: Path, row: Evaluation) -> None:
    """Keep a finished row until it stands in the storage; raises `InputError` where that cannot be."""
    make_folder(folder)
    write_whole(_file(folder, row), json.dumps(sealed(with_null(written_row(row)))).encode())


def drop_row(folder: Path, row: Evaluation) -> None:
    """Forget a row that stands in the storage."""
    _file(folder, row).unlink(missing_ok=True)


def kept_rows(folder: Path, step: str) -> list[Evaluation]:
    """The rows of a step that a process could not write down before it ended; a damaged one is named in the log."""
    rows = []
    for path in sorted(folder.glob(f"{step}-*.json")):
        try:
            row = read_row(with_nan(unsealed(json.loads(path.read_bytes()))), str(path), None)
        except (InputError, ValueError, OSError, RecursionError) as error:
            _LOG.warning("%s: is no row, so its network is trained again: %s", path, first_line(error))
            continue
        if row.step == step:
            rows.append(row)
    return rows


def _file(folder: Path, row: Evaluation) -> Path:
    return folder / f"{row.step}-{row.key}-seed{row.seed}.json"
