"""Patience with a storage that is away for a while: restarted, locked, out of reach, or on a full disk."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeVar

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from nas_attn.space import InputError

from .database import METHODS

LONGEST_S = 3600.0
"""How long a storage may be away."""
OPENING_S = 120.0
"""How long one may be that was never there: its URL may be wrong."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_SAID_EVERY_S = 60.0
_LASTING = ("no such table", "no such column", "does not exist", "syntax error", "readonly database", "too long")
_WRONG = ("unable to open database file", "authentication failed", "pg_hba.conf", "Name or service not known")
"""Parts of messages of operational errors that no waiting mends, and of those that say so when a storage is opened."""
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
_ENDS = "set_trial_state_values"
"""The method that ends a trial, which is not to be ended twice."""
_OF_REDIS = ("ConnectionError", "TimeoutError", "BusyLoadingError", "ReadOnlyError")
_OF_GRPC = ("StatusCode.UNAVAILABLE", "OperationalError", "InterfaceError", "TimeoutError")
"""Parts of what a gRPC proxy says that is away, or whose own database is."""

T = TypeVar("T")


@dataclass
class _Patience:
    say: Callable[[str], None]
    over: bool = False
    """Whether the user, or a scheduler, wants an end: then nothing is waited for any more."""
    storages: dict[str, BaseStorage] = field(default_factory=dict)
    """Those that are open, by URL."""


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patient(say: Callable[[str], None]) -> Iterator[None]:
    """Within it, in this thread, each storage is opened once, and used with patience.

    `say` is called with what is waited for; within another `patient` it is that one's.
    """
    if _patience.get() is not None:
        yield
        return
    before = _patience.set(_Patience(say))
    try:
        yield
    finally:
        _patience.reset(before)


def is_passing(error: BaseException | None) -> bool:
    """Whether an error of a storage may be over after a while."""
    while error is not None:
        if isinstance(error, PoolTimeout | InterfaceError | OperationalError):
            return not any(part in str(error) for part in _LASTING)
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.errno in _OF_THE_DISK):
            return True
        if type(error).__module__.startswith("redis.") and type(error).__name__ in _OF_REDIS:
            return True
        if type(error).__module__.startswith("grpc."):
            return any(part in str(error) for part in _OF_GRPC) and not any(part in str(error) for part in _LASTING)
        error = error.__cause__ or error.__context__
    return False


def _may_come(error: Exception) -> bool:
    """Whether a storage that cannot be opened may only be away, as a server that has not begun yet is."""
    return is_passing(error) and not any(part in str(error) for part in _WRONG)


def _patiently(
    say: Callable[[str], None], act: Callable[[], T], cause: Callable[[Exception], str], opens: bool = False
) -> T:
    """What `act` returns, tried again with growing pauses as long as the storage is away; raises what else it raises.

    Raises `InputError` after an hour, or two minutes where it `opens` the storage.
    """
    passes, longest_s = (_may_come, OPENING_S) if opens else (is_passing, LONGEST_S)
    began, said, pause_s = time.monotonic(), -_SAID_EVERY_S, _FIRST_PAUSE_S
    while True:
        try:
            found = act()
        except Exception as error:
            away_s = time.monotonic() - began
            if not passes(error):
                raise
            if away_s > longest_s:
                raise InputError(f"the storage has been away for {away_s / 60:.0f} minutes: {cause(error)}") from None
            if away_s >= said + _SAID_EVERY_S:
                say(f"the storage is away, which is tried again; what is finished is kept: {cause(error)}")
                said = away_s
        else:
            if said >= 0:
                say(f"the storage is there again, after {time.monotonic() - began:.0f} s")
            return found
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def open_storage(url: str, open_it: Callable[[str], BaseStorage], cause: Callable[[Exception], str]) -> BaseStorage:
    """The storage of a URL; within `patient` one whose methods are tried again, `cause` saying in a line what fails."""
    patience = _patience.get()
    if patience is None:
        return open_it(url)
    if url not in patience.storages:
        opened = _patiently(patience.say, partial(open_it, url), cause, opens=True)
        patience.storages[url] = _with_patience(opened, cause)
    return patience.storages[url]


def _with_patience(storage: BaseStorage, cause: Callable[[Exception], str]) -> BaseStorage:
    def called(name: str) -> Callable[..., Any]:
        method = getattr(storage, name)

        @wraps(method)
        def call(_self: BaseStorage, *arguments: Any, **named: Any) -> Any:
            patience, act = _patience.get(), partial(method, *arguments, **named)
            try:
                return act() if patience is None or patience.over else _patiently(patience.say, act, cause)
            except UpdateFinishedTrialError:
                if name != _ENDS:
                    raise
                return False  # another process has ended it at this moment, or we have, and the answer was lost
            except KeyboardInterrupt:
                if patience is not None:
                    patience.over = True
                raise

        return call

    made: BaseStorage = type("PatientStorage", (BaseStorage,), {name: called(name) for name in METHODS})()
    return made
