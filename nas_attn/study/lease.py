"""Leases of the processes that work on a study: each has one of its own, and renews it as long as it lives."""

import hashlib
import os
import platform
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from nas_attn.space import InputError, make_folder

from .database import FAULTS

RENEWED_EVERY_S = 5.0
STALE_AFTER_S = 60.0
"""How long a lease from elsewhere is watched without a sign of life, before its work is taken over."""

_HOLDER, _RENEWED = "holder", "renewed"
_LOCKS = ".workers"
"""The folder, in a study's, with a lock for each process that works there."""

OnWaiting = Callable[[str], None]
"""Called with a sentence about what is waited for, or goes on again."""


class TakenOver(InputError):
    """Another process has taken over the work of this one, which gave no sign of life."""


def machine() -> str:
    """Ten hexadecimal digits that tell this machine from others."""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Worker:
    """A process that works on a study, as its lease describes it."""

    number: int
    """Of its lease; an earlier one has a lower number."""
    host: str = "unknown"
    machine: str = ""
    folder: str = ""
    pid: int = 0
    since: str = "just now"
    lock: str = ""
    """The file in its folder that it has locked."""
    device: str = ""
    """What it trains on."""
    versions: str = ""
    """Of the packages that compute its rows."""
    renewed: int = -1
    """How often the lease was renewed."""

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Worker":
        """The process behind a lease; of one that has only begun, its number alone."""
        known: Mapping[str, Any] = trial.user_attrs.get(_HOLDER, {})
        return cls(trial.number, **known, renewed=trial.user_attrs.get(_RENEWED, -1))

    def __str__(self) -> str:
        return f"a process on {self.host} (process {self.pid}, in {self.folder}, since {self.since})"


@dataclass
class _Watched:
    """How long a lease was seen without a renewal: only time between two readings of the storage counts."""

    renewed: int
    read_at: float
    still_s: float = 0.0

    def see(self, renewed: int) -> float:
        now = time.monotonic()
        passed, self.read_at = now - self.read_at, now
        if renewed != self.renewed:
            self.renewed, self.still_s = renewed, 0.0
        else:
            self.still_s += min(passed, RENEWED_EVERY_S)
        return self.still_s


@dataclass
class Lease:
    """A process's own lease: a running trial of an Optuna study of leases. No clock is compared with another's."""

    study: optuna.Study
    trial: optuna.Trial
    me: Mapping[str, Any]
    _numbers: Iterator[int] = field(init=False, default_factory=count)
    _watched: dict[int, _Watched] = field(init=False, default_factory=dict)

    @property
    def number(self) -> int:
        """A later lease has a higher one."""
        return self.trial.number

    def check(self) -> None:
        """Renew the lease; raises `TakenOver` where another process has ended it."""
        try:
            self.trial.set_user_attr(_RENEWED, next(self._numbers))
        except UpdateFinishedTrialError:
            raise TakenOver(
                f"study {self.study.study_name}: another process has taken over the work of this one, because it gave "
                f"no sign of life for {STALE_AFTER_S:.0f} s; what was finished before is kept"
            ) from None

    def workers(self) -> list[Worker]:
        """The processes whose leases have not ended, this one among them, the earliest first."""
        return [Worker.of(one) for one in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))]

    def living(self) -> list[Worker]:
        """Those of `workers` that live; the leases of the others are ended.

        One on this machine is dead once its lock is free, any other once it was seen for `STALE_AFTER_S` without being
        renewed.
        """
        alive = []
        for worker in self.workers():
            if worker.number == self.number or not self._dead(worker):
                alive.append(worker)
            else:
                self.study.tell(worker.number, state=TrialState.FAIL, skip_if_finished=True)
        return alive

    def _dead(self, worker: Worker) -> bool:
        if is_local(worker):
            return not is_locked(worker)
        watched = self._watched.setdefault(worker.number, _Watched(worker.renewed, time.monotonic()))
        return watched.see(worker.renewed) >= STALE_AFTER_S

    def renew_until(self, ended: Event) -> None:
        """Renew the lease every few seconds, also after the storage was away."""
        while not ended.wait(RENEWED_EVERY_S):
            try:
                self.check()
            except TakenOver:
                return  # the next `check` before a row is written raises it
            except FAULTS:
                continue


@contextmanager
def leased(study: optuna.Study, folder: Path, **about: str) -> Iterator[Lease]:
    """A lease of this process, for its work in a study's folder; with its `device` and its `versions`."""
    folder = folder.resolve()
    make_folder(folder / _LOCKS)
    name = f"{machine()}-{secrets.token_hex(8)}.lock"
    lock = FileLock(folder / _LOCKS / name)
    try:
        lock.acquire(timeout=0)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to: {error}") from None
    me: dict[str, Any] = {
        "machine": machine(),
        "host": platform.node(),
        "pid": os.getpid(),
        "folder": str(folder),
        "lock": name,
    }
    me.update(about)
    lease = Lease(study, study.ask(), me)
    ended = Event()
    thread = Thread(target=lease.renew_until, args=(ended,), name="renews-lease", daemon=True)
    try:
        lease.trial.set_user_attr(_HOLDER, {**me, "since": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"})
        lease.check()
        thread.start()
        _remove_locks(study, folder)
        yield lease
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
        with suppress(*FAULTS):  # what cannot be given back is stale soon
            study.tell(lease.trial, state=TrialState.FAIL, skip_if_finished=True)
        lock.release()
        (folder / _LOCKS / name).unlink(missing_ok=True)


def _remove_locks(study: optuna.Study, folder: Path) -> None:
    """Remove the locks of processes that were killed here: before they had a lease, or where others have ended it."""
    ended = {one.lock: one for one in map(Worker.of, study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))}
    for path in (folder / _LOCKS).glob("*.lock"):
        with suppress(FileNotFoundError):
            old = time.time() - path.stat().st_mtime > STALE_AFTER_S
            if (path.name in ended and is_local(ended[path.name])) or (old and path.name.startswith(machine())):
                _is_in_use(path)


def is_local(worker: Worker) -> bool:
    """Whether a process is on this machine, and its folder can be reached, so that its lock tells whether it lives."""
    return worker.machine == machine() and bool(worker.lock) and Path(worker.folder).is_dir()


def is_locked(worker: Worker) -> bool:
    """Whether a local process has its lock; one that nobody has is removed."""
    return _is_in_use(Path(worker.folder) / _LOCKS / worker.lock)


def _is_in_use(path: Path) -> bool:
    try:
        make_folder(path.parent)
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (InputError, OSError):  # in a folder of others
        return True
    lock.release()
    path.unlink(missing_ok=True)
    return False
