"""Width-matched baselines: the plain backbone at other widths, trained beside the space; their rows stand apart."""

from collections import deque
from collections.abc import Collection, Iterable

import optuna

from nas_attn.results import Evaluation
from nas_attn.settings import Budget
from nas_attn.space import present_key
from nas_attn.study import Unshared, Unwritten, write_rows

from .progress import Known
from .sharing import Sharing
from .trainings import Evaluator, OnTrained, train_all

_COMPARING = "held"  # the attribute's name since version 0.1.0


def train_width_matched(
    study: optuna.Study,
    rows: Iterable[Evaluation],
    evaluator: Evaluator,
    on_row: OnTrained = lambda _row: None,
    reservations: Unshared | None = None,
    store: OnTrained = lambda _row: None,
    unwritten: Unwritten | None = None,
) -> None:
    """Train these rows, each for its seed, and write each down once it is known; what others train is waited for.

    Whatever is raised meanwhile, what is finished is written down first; but nothing is once `reservations.check`
    raises. `store` is called with each row before; until it is written it is kept among the `unwritten`, and none that
    an earlier process has left there is trained again.
    """
    reservations, unwritten, left = reservations or Unshared(), unwritten or Unwritten(), deque(rows)
    kept = {(row.key, row.seed): row for row in unwritten.rows()}
    sharing = Sharing(study, study.study_name, reservations, known := Known(Budget(), range(0)))

    def following() -> Evaluation | None:
        for _ in range(len(left)):
            row = left.popleft()
            if sharing.take(row.key, row.seed):
                if (row.key, row.seed) not in kept:
                    return row
                write(kept[row.key, row.seed])
            elif not known.has(row.key, row.seed):
                left.append(row)
        return None

    def write(row: Evaluation) -> None:
        unwritten.keep(row)
        store(row)
        reservations.check()
        write_rows(study, [row], sum(map(len, known.rows.values())))
        sharing.finish(row.key, row.seed)
        unwritten.drop(row)

    train_all(evaluator, following, write, on_row, lambda: _paused(left, reservations))


def _paused(left: Collection[Evaluation], reservations: Unshared) -> bool:
    """Whether others train some that are left; then after a pause."""
    if left:
        reservations.pause()
    return bool(left)


def write_comparing(study: optuna.Study, key: str) -> None:
    """Write down which network is being compared, so that it comes first after a stop; empty for none."""
    study.set_user_attr(_COMPARING, key)


def read_comparing(study: optuna.Study) -> str:
    """The key of the network that was being compared when all stopped; empty where there is none."""
    return present_key(str(study.user_attrs.get(_COMPARING, "")))
