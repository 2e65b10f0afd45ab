"""Rows of networks that failed, and the files beside the study that keep the end of each traceback."""

from dataclasses import replace
from pathlib import Path

from nas_attn.results import Evaluation
from nas_attn.space import make_folder, write_whole
from nas_attn.training import TrainingFailed, last_lines


def failed_row(row: Evaluation, failure: Exception, folder: Path | None) -> Evaluation:
    """The row, failed for this reason, which names a file of the folder where the end of a traceback is kept.

    Raises `InputError` where that cannot be written.
    """
    trace, reason = failure.trace if isinstance(failure, TrainingFailed) else last_lines(failure), str(failure)
    if trace and folder is not None:
        path = folder / f"{row.key}-seed{row.seed}.txt"
        make_folder(folder)
        about = f"{row.architecture}\nstep {row.step}, seed {row.seed}, {row.versions}"
        write_whole(path, f"{about}\n\n{trace}\n".encode())
        reason = f"{reason}; see {folder.name}/{path.name}"
    return replace(row, state="failed", reason=reason, learning_curve=getattr(failure, "learning_curve", ""))
