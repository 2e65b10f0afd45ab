"""The lease of a study in a shared storage: one search at a time has it, and renews it as long as it lives."""

import hashlib
import os
import platform
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
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from nas_attn.space import InputError

from .database import FAULTS

RENEWED_EVERY_S = 5.0
STALE_AFTER_S = 60.0
"""How long a lease from elsewhere is watched without a sign of life, before it is taken over."""
_WATCHED_EVERY_S = 0.25

_HOLDER, _RENEWED = "holder", "renewed"

OnWaiting = Callable[[str], None]
"""Called with a sentence about who is waited for."""


def machine() -> str:
    """Ten hexadecimal digits that tell this machine from others."""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()}".encode()).hexdigest()[:10]


@contextmanager
def leased(study: optuna.Study, folder: Path, on_waiting: OnWaiting) -> Iterator["Lease"]:
    """The lease of a study, for a process that has locked the study's folder.

    Each lease is a running trial of an Optuna study of its own; the lowest number has it, so no clock is compared with
    another machine's. One that is not renewed for `STALE_AFTER_S` seconds is taken over, and at once where it was this
    folder's on this machine.

    Raises `InputError` that says who has the lease, where that is alive.
    """
    mine = {"machine": machine(), "host": platform.node(), "pid": os.getpid(), "folder": str(folder.resolve())}
    lease = Lease(study, study.ask())
    lease.trial.set_user_attr(_HOLDER, {**mine, "since": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"})
    lease.check()
    ended = Event()
    thread = Thread(target=lease.renew_until, args=(ended,), name="renews-lease", daemon=True)
    thread.start()
    try:
        for other in _running(study):
            if other.number < lease.trial.number:
                _outlive(study, other, mine, on_waiting)
        yield lease
    finally:
        ended.set()
        thread.join()
        with suppress(*FAULTS):  # what cannot be given back is stale soon
            study.tell(lease.trial, state=TrialState.FAIL, skip_if_finished=True)


@dataclass
class Lease:
    """A lease of a study, and the trial that stands for it."""

    study: optuna.Study
    trial: optuna.Trial
    _numbers: Iterator[int] = field(init=False, default_factory=count)

    def check(self) -> None:
        """Renew the lease; raises `InputError` where another search has taken it over."""
        try:
            self.trial.set_user_attr(_RENEWED, next(self._numbers))
        except UpdateFinishedTrialError:
            later = [holder(one) for one in _running(self.study) if one.number > self.trial.number]
            by = later[0] if later else "another search"
            raise InputError(
                f"study {self.study.study_name}: {by} has taken it over, because this search gave no sign of life for "
                f"{STALE_AFTER_S:.0f} s; what was finished before is kept"
            ) from None

    def renew_until(self, ended: Event) -> None:
        """Renew the lease every few seconds, also after the storage was away."""
        while not ended.wait(RENEWED_EVERY_S):
            try:
                self.check()
            except InputError:
                return  # the next `check` before a row is written raises it
            except FAULTS:
                continue


def holder(trial: FrozenTrial) -> str:
    """Who has a lease, in words."""
    known: Mapping[str, Any] = trial.user_attrs.get(_HOLDER, {})
    if not known:
        return "a search that has only begun"
    return "a search on {host} (process {pid}, in {folder}, since {since})".format_map(known)


def _outlive(study: optuna.Study, other: FrozenTrial, mine: Mapping[str, Any], on_waiting: OnWaiting) -> None:
    """Wait until another lease ends or is stale, and end it then; refuse where it is renewed."""
    known = other.user_attrs.get(_HOLDER, {})
    dead = all(known.get(name) == mine[name] for name in ("machine", "folder"))  # or it would have locked the folder
    if not dead:
        on_waiting(f"{holder(other)} used the study last; waiting up to {STALE_AFTER_S:.0f} s for a sign of life")
    patience = time.monotonic() + STALE_AFTER_S
    while not dead and time.monotonic() < patience:
        time.sleep(_WATCHED_EVERY_S)
        now = next((one for one in _running(study) if one.number == other.number), None)
        if now is None:
            return
        if now.user_attrs.get(_RENEWED) != other.user_attrs.get(_RENEWED):
            raise InputError(
                f"study {study.study_name}: is in use by {holder(now)}; wait for it, or stop it. One search at a time "
                "may use a study"
            )
    study.tell(other.number, state=TrialState.FAIL, skip_if_finished=True)


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
