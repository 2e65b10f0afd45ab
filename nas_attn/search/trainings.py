"""Trainings of rows, several at once, and what is needed of an evaluator for it."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Protocol

from nas_attn.pricing import SpacePrices
from nas_attn.results import Evaluation
from nas_attn.space import Architecture, InputError, SearchSpace
from nas_attn.study import STORAGE_FAULTS

OnTrained = Callable[[Evaluation], None]
"""Called with each row that was trained."""


class Evaluator(Protocol):
    """Evaluation of an architecture, the cheapest knowledge first."""

    @property
    def jobs(self) -> int:
        """How many trainings it takes on at once."""

    def prices(self, space: SearchSpace) -> SpacePrices:
        """Parameters, MACs and FLOPs of every architecture, without running anything."""

    def count(self, architecture: Architecture) -> Evaluation:
        """Parameters, MACs and FLOPs, without running anything."""

    def time(self, row: Evaluation) -> Evaluation:
        """The row with its latency, measured or predicted, or with the reason why there is none."""

    def measure(self, row: Evaluation) -> Evaluation:
        """The row with its latency measured, or with the reason why there is none."""

    def train(self, row: Evaluation) -> Future[Evaluation]:
        """The row, some time, with what training finds for its `seed`, or with the reason why there is nothing."""


def train_all(
    evaluator: Evaluator,
    following: Callable[[], Evaluation | None],
    write: Callable[[Evaluation], None],
    report: Callable[[Evaluation], None],
    waiting: Callable[[], bool] = lambda: False,
) -> None:
    """Train rows, up to `evaluator.jobs` at once, as long as there is a following one, or one is worth `waiting` for.

    What is finished is written and then reported, in the order in which it was begun. Whatever is raised,
    `KeyboardInterrupt` among it, what is finished is written and reported first.
    """
    running: dict[Future[Evaluation], None] = {}

    def take(future: Future[Evaluation]) -> None:
        row = future.result()
        write(row)
        del running[future]
        report(row)

    try:
        while True:
            while len(running) < evaluator.jobs and (row := following()) is not None:
                running[evaluator.train(row)] = None
            if not running:
                if waiting():
                    continue
                return
            done = wait(running, return_when=FIRST_COMPLETED).done
            for future in [one for one in running if one in done]:
                take(future)
    except BaseException:
        for future in [*running]:
            if not future.cancel() and future.done() and future.exception() is None:
                with suppress(InputError, *STORAGE_FAULTS):  # what stopped all of them is raised
                    take(future)
        raise
