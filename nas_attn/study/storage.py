"""Optuna storage of a study, by default a SQLite file in the study's folder."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from nas_attn.settings import measure
from nas_attn.space import InputError, without_password, without_passwords

from .database import FAULTS, OPENING_FAULTS, database, is_journal, missing
from .identity import new_study_id, refuse_copy, settle, study_id
from .lease import OnWaiting, leased

OptunaStudy = optuna.Study
"""The stored form of one step of a study."""

_SQLITE = "sqlite:///"
_LEASE = "search-lease"
"""The name of the lease beside the steps; no step can be called so."""


def storage_url(folder: Path, storage: str | None) -> str:
    """The URL of a study's storage, or the path of its journal file; relative paths are so to the study's folder."""
    url = storage or f"{_SQLITE}study.db"
    if url.startswith(_SQLITE):
        return f"{_SQLITE}{folder.absolute() / url.removeprefix(_SQLITE)}"
    return str(folder.absolute() / url) if is_journal(url) else url


def find_study(folder: Path, storage: str | None, step: str) -> optuna.Study | None:
    """The Optuna study of this folder's step, or nothing where none was begun.

    Raises `InputError` where the storage cannot be read.
    """
    url = storage_url(folder, storage)
    if (url.startswith(_SQLITE) or is_journal(url)) and not Path(url.removeprefix(_SQLITE)).exists():
        return None
    with _opened(url) as opened:
        names = optuna.get_all_study_names(opened)
        prefix = _prefix(folder, storage, names)
        if f"{prefix}{_LEASE}" in names:
            refuse_copy(optuna.load_study(study_name=f"{prefix}{_LEASE}", storage=opened), folder)
        name = f"{prefix}{step}"
        begun = prefix is not None and name in names
        return optuna.load_study(study_name=name, storage=opened) if begun else None


def begin_study(folder: Path, storage: str | None, objectives: Sequence[str], step: str) -> optuna.Study:
    """Create the Optuna study of this folder's step, with one direction for each objective.

    Raises `InputError` where the storage cannot be written.
    """
    better = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    directions = [better[measure(objective).better] for objective in objectives]
    with _opened(storage_url(folder, storage)) as opened:
        name = f"{_prefix(folder, storage, optuna.get_all_study_names(opened), new=True)}{step}"
        return optuna.create_study(study_name=name, storage=opened, directions=directions)


@contextmanager
def hold(
    folder: Path, storage: str | None = None, on_waiting: OnWaiting = lambda _message: None
) -> Iterator[Callable[[], None]]:
    """Keep a study for this process alone: its folder, and its part of a storage that others may share.

    Yields a function to call before anything is written, which raises `InputError` where another search has taken the
    study over. Raises `InputError` where another search is using it.
    """
    with _locked(folder):
        if storage is None:
            yield lambda: None
            return
        with _opened(storage_url(folder, storage)) as opened:
            name = f"{_prefix(folder, storage, optuna.get_all_study_names(opened), new=True)}{_LEASE}"
            study = optuna.create_study(study_name=name, storage=opened, load_if_exists=True)
            refuse_copy(study, folder)
        with leased(study, folder, on_waiting) as lease:
            settle(study, folder)
            yield lease.check


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".search.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{folder}: another search is running there; wait for it, or stop it") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to: {error}") from None
    try:
        yield
    finally:
        lock.release()


def _prefix(folder: Path, storage: str | None, names: Collection[str], new: bool = False) -> str | None:
    """The start of the names of steps where studies share a storage; where the folder has none yet, None or a new one.

    `names` are those of all studies in the storage.
    """
    if storage is None:
        return ""
    name = study_id(folder, names) or (new_study_id(folder) if new else None)
    return name and f"{name}."


@contextmanager
def storage_faults(folder: Path, storage: str | None) -> Iterator[None]:
    """Within it a storage that fails is an `InputError`; what it contains is kept."""
    try:
        yield
    except FAULTS as error:
        raise _fault(storage_url(folder, storage), error) from None


@contextmanager
def _opened(url: str) -> Iterator[BaseStorage]:
    """The database behind a URL, without Optuna's log; every failure is an `InputError`."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield database(url)
    except InputError:
        raise
    except OPENING_FAULTS as error:
        raise _fault(url, error) from None
    finally:
        optuna.logging.set_verbosity(before)


def _fault(url: str, error: Exception) -> InputError:
    cause = missing(url, error)
    if not cause:
        cause = without_passwords(next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__), url)
    return InputError(f"storage {without_password(url)}: cannot be used as an Optuna database: {cause}")
