"""Screening of thousands of networks, which are scored without training and written in bulk."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import optuna

from nas_attn.results import Evaluation
from nas_attn.settings import Step
from nas_attn.space import Architecture
from nas_attn.study import Unshared, read_rows, write_rows

_CHUNK = 25  # networks that are scored between two times of writing; their rows fit the cell of any database

Score = Callable[[Sequence[Architecture]], Iterable[Evaluation]]
"""The rows of some networks, one after the other; those over budget say so."""
OnProgress = Callable[[int, int], None]
"""Called with the number of networks that are scored, and of all."""


def screen(
    study: optuna.Study,
    step: Step,
    seed: int,
    architectures: Iterable[Architecture],
    score: Score,
    on_progress: OnProgress = lambda _done, _total: None,
    reservations: Unshared | None = None,
) -> None:
    """Give each of these networks a row of this step and seed, if it has none yet.

    The rows are kept with the study, not as trials: they are no proposals, and Optuna takes longer to write a trial
    with its parameters than a supernet to score it. Whatever is raised meanwhile, what `score` has yielded is written
    first; a killed process loses what it has scored of the last 25. Of several processes one scores, the others wait.
    """
    wanted, reservations = list(dict.fromkeys(architectures)), reservations or Unshared()
    with reservations.alone_with(f"{step.name} {seed}"):
        known = read_rows(study)
        keys, kept = {key for key, known_seed in known if known_seed == seed}, len(known)
        left = [architecture for architecture in wanted if architecture.key not in keys]
        done = len(wanted) - len(left)
        on_progress(done, len(wanted))
        for start in range(0, len(left), _CHUNK):
            rows: list[Evaluation] = []
            try:
                for row in score(left[start : start + _CHUNK]):
                    rows.append(replace(row, step=step.name, seed=seed))
                    on_progress(done + len(rows), len(wanted))
            finally:
                reservations.check()
                write_rows(study, rows, kept)
            done, kept = done + len(rows), kept + len(rows)
