"""Optuna storage of a study, by default a SQLite file in the study's folder."""

import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from nas_attn.settings import measure
from nas_attn.space import InputError, allowed, without_password, without_passwords

from .activity import Activity, activity
from .database import FAULTS, OPENING_FAULTS, database, is_journal, missing
from .identity import new_study_id, open_house, refuse_apart, refuse_copy, refuse_other_versions, settle, study_id
from .lease import OnWaiting, leased
from .patience import open_storage, patient
from .reservations import Reservations

OptunaStudy = optuna.Study
"""The stored form of one step of a study."""

_SQLITE = "sqlite:///"
_LEASE, _RESERVATIONS = "search-lease", "search-reservations"
"""The names of the leases and the reservations beside the steps; no step can be called so."""


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
    """Create the Optuna study of this folder's step, if there is none, with one direction for each objective.

    Raises `InputError` where the storage cannot be written.
    """
    better = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    directions = [better[measure(objective).better] for objective in objectives]
    with _opened(storage_url(folder, storage)) as opened:
        name = f"{_prefix(folder, storage, optuna.get_all_study_names(opened), new=True)}{step}"
        return optuna.create_study(study_name=name, storage=opened, directions=directions, load_if_exists=True)


@contextmanager
def shared(
    folder: Path,
    storage: str | None = None,
    on_waiting: OnWaiting = lambda _message: None,
    artifacts: str | None = None,
    **about: str,
) -> Iterator[Reservations]:
    """Work on a study beside any number of other processes, here and elsewhere; with what keeps them apart.

    They see `about` this process what its lease says: its `device` and its `versions`. A storage that is away is waited
    for meanwhile, with a line for `on_waiting`.

    Raises `InputError` where the folder cannot be written to, or is a copy whose weights would lie apart from the
    other's, as no `artifacts` are named, and where others work with other versions of packages.
    """
    apart = storage is not None and artifacts is None
    with patient(on_waiting), _without_log():
        with _opened(storage_url(folder, storage)) as storage_of_all:
            prefix = _prefix(folder, storage, optuna.get_all_study_names(storage_of_all), new=True)
            leases, reservations = (
                optuna.create_study(study_name=f"{prefix}{name}", storage=storage_of_all, load_if_exists=True)
                for name in (_LEASE, _RESERVATIONS)
            )
        if apart:
            refuse_copy(leases, folder)
        with leased(leases, folder, **about) as lease:
            refuse_other_versions(lease)
            if apart:
                refuse_apart(lease)
                settle(leases, folder)
            else:
                open_house(leases)
            yield Reservations(reservations, lease)


def leases_of(url: str, name: str) -> optuna.Study:
    """The leases of a study by its name in a storage; raises `InputError` where there is none."""
    with _opened(url) as opened:
        names = [one.removesuffix(f".{_LEASE}") for one in optuna.get_all_study_names(opened) if one.endswith(_LEASE)]
        if name not in names:
            raise InputError(f"study: found {name!r} in no place of {without_password(url)}; {allowed(name, names)}")
        return optuna.load_study(study_name=f"{name}.{_LEASE}", storage=opened)


def activity_of(folder: Path, storage: str | None, *, wait: bool = True) -> Activity | None:
    """Who works on this folder's study, as `activity` says; nothing where nobody ever did."""
    leases, reservations = (find_study(folder, storage, name) for name in (_LEASE, _RESERVATIONS))
    return None if leases is None or reservations is None else activity(leases, reservations, wait)


def database_faults(folder: Path, storage: str | None) -> list[str]:
    """What a study's SQLite file says of its own damages; nothing of other databases, which look after themselves."""
    url = storage_url(folder, storage)
    path = Path(url.removeprefix(_SQLITE))
    if not url.startswith(_SQLITE) or not path.exists():
        return []
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        lines = [str(line) for (line,) in connection.execute("PRAGMA quick_check")]
        return [] if lines == ["ok"] else [f"{path}: {line}" for line in lines]
    return [f"{path}: is no SQLite file any more"]


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
    with _without_log():
        try:
            yield open_storage(url, database, partial(_cause, url))
        except InputError:
            raise
        except OPENING_FAULTS as error:
            raise _fault(url, error) from None


@contextmanager
def _without_log() -> Iterator[None]:
    """Within it Optuna logs nothing, such as that another process has ended a trial before.

    Nor does psycopg remark on a query that Ctrl-C has broken off.
    """
    driver = logging.getLogger("psycopg")
    before, of_driver = optuna.logging.get_verbosity(), driver.level
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    driver.setLevel(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
        driver.setLevel(of_driver)


def _fault(url: str, error: Exception) -> InputError:
    return InputError(f"storage {without_password(url)}: cannot be used as an Optuna database: {_cause(url, error)}")


def _cause(url: str, error: Exception) -> str:
    """Why a storage fails, in a line without its password."""
    first = next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)
    return missing(url, error) or without_passwords(first, url)
