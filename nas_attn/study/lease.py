"""A study in a shared storage is held by one search at a time, which renews its hold as long as it lives."""

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
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from nas_attn.space import InputError

RENEWED_EVERY_S = 5.0
STALE_AFTER_S = 60.0
"""How long a hold from elsewhere is watched without a sign of life, before it is taken over."""
_LOOKED_AT_EVERY_S = 0.25

_HOLDER, _RENEWED = "holder", "renewed"

OnWaiting = Callable[[str], None]
"""Called with a sentence about who is waited for."""


def machine() -> str:
    """Ten hexadecimal digits that tell this machine from others."""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()}".encode()).hexdigest()[:10]


@contextmanager
def leased(study: optuna.Study, folder: Path, on_waiting: OnWaiting) -> Iterator["Lease"]:
    """The hold on what a study keeps for that purpose alone, for a process that keeps the study's folder to itself.

    Who asks first has it, for Optuna numbers trials: each hold is a running trial, and one of a lower number comes
    before it. So no clock is compared with another machine's. A hold that is not renewed for `STALE_AFTER_S` seconds is
    taken over, and at once where it was this folder's on this machine.

    Raises `InputError` that says who holds the study, where that is alive.
    """
    mine = {"machine": machine(), "host": platform.node(), "pid": os.getpid(), "folder": str(folder.resolve())}
    lease = Lease(study, study.ask())
    lease.trial.set_user_attr(_HOLDER, {**mine, "since": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"})
    lease.check()
    ended = Event()
    thread = Thread(target=lease.renew_until, args=(ended,), name="renews-lease", daemon=True)
    thread.start()
    try:
        for other in _before(study, lease.trial.number):
            _outlive(study, other, mine, on_waiting)
        yield lease
    finally:
        ended.set()
        thread.join()
        with suppress(SQLAlchemyError, OptunaError):  # what cannot be given back is stale soon
            study.tell(lease.trial, state=TrialState.FAIL, skip_if_finished=True)


@dataclass
class Lease:
    """A hold on a study."""

    study: optuna.Study
    trial: optuna.Trial
    _numbers: Iterator[int] = field(init=False, default_factory=count)

    def check(self) -> None:
        """Renew the hold; raises `InputError` where another search has taken it over meanwhile."""
        try:
            self.trial.set_user_attr(_RENEWED, next(self._numbers))
        except UpdateFinishedTrialError:
            later = [told(one) for one in _running(self.study) if one.number > self.trial.number]
            by = later[0] if later else "another search"
            raise InputError(
                f"study {self.study.study_name}: {by} has taken it over, because this search gave no sign of life for "
                f"{STALE_AFTER_S:.0f} s; what was finished before is kept"
            ) from None

    def renew_until(self, ended: Event) -> None:
        """Renew the hold now and then; a storage that is away for a while is asked again."""
        while not ended.wait(RENEWED_EVERY_S):
            try:
                self.check()
            except InputError:
                return  # whoever writes next is told
            except (SQLAlchemyError, OptunaError):
                continue


def told(trial: FrozenTrial) -> str:
    """Who holds a study, in words."""
    holder: Mapping[str, Any] = trial.user_attrs.get(_HOLDER, {})
    if not holder:
        return "a search that has only begun"
    return "a search on {host} (process {pid}, in {folder}, since {since})".format_map(holder)


def _outlive(study: optuna.Study, other: FrozenTrial, mine: Mapping[str, Any], on_waiting: OnWaiting) -> None:
    """Wait until another hold ends or is stale, and tell it so; refuse where it is renewed."""
    holder = other.user_attrs.get(_HOLDER, {})
    dead = all(holder.get(name) == mine[name] for name in ("machine", "folder"))  # or it would keep the folder
    if not dead:
        on_waiting(f"{told(other)} held the study last; looking for up to {STALE_AFTER_S:.0f} s whether it lives")
    patience = time.monotonic() + STALE_AFTER_S
    while not dead and time.monotonic() < patience:
        time.sleep(_LOOKED_AT_EVERY_S)
        now = next((one for one in _before(study, other.number + 1) if one.number == other.number), None)
        if now is None:
            return
        if now.user_attrs.get(_RENEWED) != other.user_attrs.get(_RENEWED):
            raise InputError(
                f"study {study.study_name}: is held by {told(now)}; wait for it, or stop it. One search at a time may "
                "use a study"
            )
    study.tell(other.number, state=TrialState.FAIL, skip_if_finished=True)


def _before(study: optuna.Study, number: int) -> list[FrozenTrial]:
    return [trial for trial in _running(study) if trial.number < number]


def _running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
