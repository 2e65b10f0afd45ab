"""Reservations of the processes that work on a study: nothing is trained by two of them."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState, create_trial

from .lease import Lease

_ITEM, _WORKER, _TOKEN = "item", "worker", "token"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0


@dataclass(frozen=True)
class Reservation:
    """What a process has reserved: of the reservations of one item the earliest, with the lowest number, counts."""

    number: int
    item: str
    worker: int
    token: str


class Unshared:
    """Reservations of a process that shares its study with none: each is granted."""

    number = 0
    """Of this process's lease."""
    rank = 0
    """How many earlier processes work on the study."""

    def check(self) -> None:
        """Raise `TakenOver` where another process has taken over the work of this one."""

    def take(self, item: str) -> bool:
        """Reserve an item; False where another process has it."""
        return True

    def finish(self, item: str) -> None:
        """Give an item back: it is done, or not needed."""

    def before(self, item: str) -> list[str]:
        """The items that are reserved earlier than this one of our own."""
        return []

    def elsewhere(self) -> list[str]:
        """The items that other living processes have reserved."""
        return []

    def living(self) -> set[int]:
        """The leases of the processes that work on the study, our own among them."""
        return {self.number}

    def pause(self) -> None:
        """Wait for others, a little longer each time in a row."""

    @contextmanager
    def alone_with(self, item: str) -> Iterator[None]:
        """Within it the item is reserved; before, it is waited for until no other process has it."""
        yield


@dataclass
class Reservations(Unshared):
    """Reservations in a study's storage: each is a running trial of an Optuna study of its own, written at once."""

    study: optuna.Study
    lease: Lease
    _mine: dict[str, Reservation] = field(init=False, default_factory=dict)
    _pause_s: float = field(init=False, default=_FIRST_PAUSE_S)

    @property
    def number(self) -> int:  # type: ignore[override]
        """Of this process's lease."""
        return self.lease.number

    @property
    def rank(self) -> int:  # type: ignore[override]
        """How many earlier processes work on the study."""
        return sum(number < self.number for number in self.living())

    def check(self) -> None:
        """Renew the lease; raises `TakenOver` where another process has taken over the work of this one."""
        self.lease.check()

    def take(self, item: str) -> bool:
        """Reserve an item; False where another process has it. Raises as `check` does."""
        self.check()
        token = secrets.token_hex(8)
        attributes = {_ITEM: item, _WORKER: self.number, _TOKEN: token}
        self.study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=attributes))
        found = [one for one in self._living() if one.item == item]
        if not found:
            self.check()  # our lease was ended at this moment, and so was what it reserves
        for mine in found[1:]:
            if mine.token == token:  # several where the answer of the storage was lost, and it was written again
                self._end(mine)
        if not found or found[0].token != token:
            return False
        first = found[0]
        self._mine[item] = first
        self._pause_s = _FIRST_PAUSE_S
        return True

    def finish(self, item: str) -> None:
        """Give an item back: it is done, or not needed."""
        if (reservation := self._mine.pop(item, None)) is not None:
            self._end(reservation)

    def before(self, item: str) -> list[str]:
        """The items that are reserved earlier than this one of our own."""
        return [one.item for one in self._living() if one.number < self._mine[item].number]

    def elsewhere(self) -> list[str]:
        """The items that other living processes have reserved."""
        return [one.item for one in self._living() if one.worker != self.number]

    def living(self) -> set[int]:
        """The leases of the processes that work on the study, our own among them."""
        return {worker.number for worker in self.lease.living()}

    def pause(self) -> None:
        """Wait for others, a little longer each time in a row; raises as `check` does."""
        self.check()
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    @contextmanager
    def alone_with(self, item: str) -> Iterator[None]:
        """Within it the item is reserved; before, it is waited for until no other process has it."""
        while not self.take(item):
            while item in self.elsewhere():
                self.pause()
        try:
            yield
        finally:
            self.finish(item)

    def _living(self) -> list[Reservation]:
        """The reservations of living processes, the earliest first; those of the others are ended."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        reservations = [
            Reservation(one.number, *(one.user_attrs[name] for name in (_ITEM, _WORKER, _TOKEN))) for one in running
        ]
        if all(one.worker == self.number for one in reservations):
            return reservations
        living = self.living()
        for one in reservations:
            if one.worker not in living:
                self._end(one)
        return [one for one in reservations if one.worker in living]

    def _end(self, reservation: Reservation) -> None:
        self.study.tell(reservation.number, state=TrialState.FAIL, skip_if_finished=True)
