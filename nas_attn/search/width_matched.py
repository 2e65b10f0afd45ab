"""Width-matched baselines: the plain backbone at other widths, trained beside the space; their rows stand apart."""

from collections.abc import Callable, Iterable
from functools import partial

import optuna

from nas_attn.results import Evaluation
from nas_attn.space import present_key
from nas_attn.study import read_rows, write_rows

from .trainings import Evaluator, train_all

_COMPARING = "held"  # the attribute's name since version 0.1.0

OnTrained = Callable[[Evaluation], None]
"""Called with each row that was trained."""


def train_width_matched(
    study: optuna.Study,
    rows: Iterable[Evaluation],
    evaluator: Evaluator,
    on_row: OnTrained = lambda _row: None,
    check_hold: Callable[[], None] = lambda: None,
) -> None:
    """Train these rows, each for its seed, and write each down once it is known.

    Whatever is raised meanwhile, `KeyboardInterrupt` among it, what is finished is written down first; but nothing is
    once `check_hold` raises.
    """

    def write(row: Evaluation) -> None:
        check_hold()
        write_rows(study, [row], len(read_rows(study)))

    train_all(evaluator, partial(next, iter(rows), None), write, on_row)


def write_comparing(study: optuna.Study, key: str) -> None:
    """Write down which network is being compared, so that it comes first after a stop; empty for none."""
    study.set_user_attr(_COMPARING, key)


def read_comparing(study: optuna.Study) -> str:
    """The key of the network that was being compared when all stopped; empty where there is none."""
    return present_key(str(study.user_attrs.get(_COMPARING, "")))
