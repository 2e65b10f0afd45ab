"""Who works on a study, on what, and how fast: read from the leases and reservations in its storage."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import optuna
from optuna.trial import FrozenTrial, TrialState

from .lease import RENEWED_EVERY_S, Worker, is_local, is_locked

_RECENTLY_S = 3600.0
"""Over how much of the past the rate is taken."""


@dataclass(frozen=True)
class Training:
    """What a process has reserved: a network with a seed, or what is done once for all networks of a step."""

    step: str
    what: str
    """The key of a network, or a word."""
    seed: int | None
    seconds: float
    """Since it was reserved, or until it was finished."""


@dataclass(frozen=True)
class Working:
    """A process that works on a study, or has died and not been missed yet."""

    worker: Worker
    lives: bool
    minutes: float
    """Since it began."""
    trainings: Sequence[Training]
    """Those that it has reserved now."""
    finished: int
    """How many it has finished."""
    busy: float
    """The share of its time in which it had something reserved, at most one for each process that it trains in."""


@dataclass(frozen=True)
class Activity:
    """What processes do on a study at one moment."""

    workers: Sequence[Working]
    per_hour: float
    """Reservations finished in the last hour, or since the first where that is less, for an hour; NaN for none."""


def activity(leases: optuna.Study, reservations: optuna.Study, wait: bool = True) -> Activity:
    """Who works on a study, by its leases and reservations.

    Whether a process elsewhere lives is seen by its lease being renewed, for which seconds pass, unless not to `wait`.
    """
    began = leases.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    first = [Worker.of(one) for one in began]
    later = first
    if wait and not all(map(is_local, first)):
        time.sleep(1.2 * RENEWED_EVERY_S)
        running = leases.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        later = [Worker.of(one) for one in running]
    renewed = {one.number for one in later if one not in first}
    made = reservations.get_trials(deepcopy=False)
    starts = {one.number: one.datetime_start for one in began}
    return Activity(
        workers=[
            _working(one, is_locked(one) if is_local(one) else one.number in renewed or not wait, starts, made)
            for one in first
        ],
        per_hour=_rate(made),
    )


def _working(
    worker: Worker, lives: bool, starts: dict[int, datetime | None], reservations: Iterable[FrozenTrial]
) -> Working:
    own = [one for one in reservations if one.user_attrs.get("worker") == worker.number]
    running = [_training(one) for one in own if one.state == TrialState.RUNNING]
    seconds = _seconds(starts[worker.number])
    spent = sum(_training(one).seconds for one in own)
    finished = len(own) - len(running)
    return Working(worker, lives, seconds / 60, running, finished, min(1.0, spent / seconds) if seconds else 0.0)


def _training(reservation: FrozenTrial) -> Training:
    item = str(reservation.user_attrs.get("item", ""))
    seconds = _seconds(reservation.datetime_start, reservation.datetime_complete)
    match item.split(" "):
        case [step, key, seed] if seed.isdigit():
            return Training(step, key, int(seed), seconds)
        case [step, *_]:
            return Training(step, item, None, seconds)  # such as a base, the screening of a step, or its front
    raise AssertionError(item)


def _seconds(start: datetime | None, end: datetime | None = None) -> float:
    return max(0.0, ((end or datetime.now()) - start).total_seconds()) if start else 0.0


def _rate(reservations: Iterable[FrozenTrial]) -> float:
    """Finished reservations an hour, of the last hour."""
    ages = [_seconds(one.datetime_complete) for one in reservations if one.datetime_complete is not None]
    recent = [age for age in ages if age <= _RECENTLY_S]
    return len(recent) * 3600.0 / max(recent) if len(recent) > 1 and max(recent) > 0 else float("nan")
