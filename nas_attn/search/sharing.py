"""Trainings of a step that several processes share: whose each is, and what the others have found."""

from dataclasses import dataclass, field

import optuna

from nas_attn.results import Evaluation
from nas_attn.study import Unshared, read_rows

from .progress import Known

Training = tuple[str, int]
"""Key and seed."""


@dataclass
class Sharing:
    """Reservations on the trainings of one step, with its rows as all processes have written them so far."""

    study: optuna.Study
    step: str
    reservations: Unshared
    known: Known
    _seen: set[str] = field(init=False, default_factory=set)
    _elsewhere: set[Training] = field(init=False, default_factory=set)
    _stirred: bool = field(init=False, default=False)

    def refresh(self) -> list[Evaluation]:
        """Take in the rows that were written since the last time, and return them."""
        rows = [*read_rows(self.study, self._seen).values()]
        self.known.add(rows)
        self._stirred |= bool(rows)
        return rows

    def take(self, key: str, seed: int) -> bool:
        """Reserve a training; False where another process has it, or has done it already."""
        if not self.reservations.take(self._item(key, seed)):
            return False
        self.refresh()
        if self.known.has(key, seed):
            self.finish(key, seed)
            return False
        return True

    def finish(self, key: str, seed: int) -> None:
        """Give a training back: it is written down, or not needed."""
        self.reservations.finish(self._item(key, seed))

    def before(self, key: str, seed: int) -> set[Training]:
        """The trainings that are reserved earlier than this one of our own; what is finished meanwhile is taken in."""
        before = self._of_step(self.reservations.before(self._item(key, seed)))
        self.refresh()  # afterwards, so that each of them is among the reserved ones or in a row
        return before

    def elsewhere(self) -> set[Training]:
        """The trainings that other living processes have reserved."""
        elsewhere = self._of_step(self.reservations.elsewhere())
        self._stirred |= bool(elsewhere)
        return elsewhere

    def stirred(self) -> bool:
        """Whether anything was reserved elsewhere, or written, since the last call.

        As long as it was, nothing follows from there being nothing left to reserve: another process may have been
        between two trainings at that moment.
        """
        stirred, self._stirred = self._stirred, False
        return stirred

    def given_up(self, elsewhere: set[Training]) -> set[Training]:
        """What others had reserved the last time, have not now, and have not trained."""
        gone, self._elsewhere = self._elsewhere - elsewhere, elsewhere
        if gone:
            self.refresh()
        return {(key, seed) for key, seed in gone if not self.known.has(key, seed)}

    def _item(self, key: str, seed: int) -> str:
        return f"{self.step} {key} {seed}"

    def _of_step(self, items: list[str]) -> set[Training]:
        parts = (item.rsplit(" ", 2) for item in items)
        return {(part[1], int(part[2])) for part in parts if len(part) == 3 and part[0] == self.step}
