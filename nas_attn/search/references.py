"""Width-matched baselines: the plain backbone at other widths, trained beside the space; their rows stand apart."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait

import optuna

from nas_attn.results import Evaluation
from nas_attn.study import read_rows, write_rows

from .loop import Evaluator

_HELD = "held"

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
    waiting, running = deque(rows), set[Future[Evaluation]]()

    def write(row: Evaluation) -> None:
        check_hold()
        write_rows(study, [row], len(read_rows(study)))

    try:
        while waiting or running:
            while waiting and len(running) < evaluator.jobs:
                running.add(evaluator.train(waiting.popleft()))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                write(future.result())
                running.remove(future)
                on_row(future.result())
    except BaseException:
        for future in running:
            if not future.cancel() and future.done() and future.exception() is None:
                write(future.result())
        raise


def write_comparing(study: optuna.Study, key: str) -> None:
    """Write down which network is being compared, so that it comes first after a stop; empty for none."""
    study.set_user_attr(_HELD, key)


def read_comparing(study: optuna.Study) -> str:
    """The key of the network that was being compared when all stopped; empty where there is none."""
    return str(study.user_attrs.get(_HELD, ""))
