"""What may stand behind a study's `storage`: a SQL database, Redis, Optuna's gRPC proxy, or a journal file."""

import logging
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optuna.exceptions import ExperimentalWarning, OptunaError, StorageInternalError
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import (
    BaseJournalBackend,
    JournalFileBackend,
    JournalFileSymlinkLock,
    JournalRedisBackend,
)
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from nas_attn.space import allowed


def _faults() -> tuple[type[Exception], ...]:
    with suppress(ImportError):
        return SQLAlchemyError, OptunaError, import_module("redis.exceptions").RedisError
    return SQLAlchemyError, OptunaError


METHODS = [name for name, one in vars(BaseStorage).items() if callable(one) and not name.startswith("_")]
"""What every storage can do."""
FAULTS = _faults()
"""What a storage raises that cannot be reached or read."""
OPENING_FAULTS: tuple[type[Exception], ...] = (ImportError, OSError, RuntimeError, ValueError, KeyError, *FAULTS)
"""What is raised where it cannot even be opened."""

_LOG = logging.getLogger(__name__)
_checked: set[str] = set()
"""The URLs of databases whose tables are of this version of Optuna."""
_SILENT_S = 60
"""How long a connection may be silent in the midst of a transaction, whose locks stop all others."""
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * _SILENT_S,
}
"""Of a connection to PostgreSQL: without them one that is cut off is missed after hours."""
_TRIES, _PAUSE_S = 10, 0.5
_PROXY_S, _PROXY_PORT = 10.0, 13000
"""How long a gRPC proxy may take to answer at first, and where it listens by Optuna's own default."""
_DATABASES = ("postgresql", "mysql", "mariadb", "sqlite", "oracle", "mssql", "redis", "grpc")
_PACKAGES = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "pymysql": "pymysql",
    "MySQLdb": "mysqlclient",
    "mariadb": "mariadb",
    "oracledb": "oracledb",
    "cx_Oracle": "cx_Oracle",
    "pyodbc": "pyodbc",
    "redis": "redis",
    "grpc": "grpcio protobuf",
}
"""The package to install for a module that is missing."""


def is_journal(storage: str) -> bool:
    """Whether a storage is the path of a journal file, as Optuna takes one, and no URL."""
    return bool(Path(storage).suffix) and not any(sign in storage for sign in (":", "//", "@"))


def database(url: str) -> BaseStorage:
    """The storage of a URL, or of the path of a journal file; raises `ValueError` for the path of another file."""
    if is_journal(url):
        if Path(url).suffix in (".db", ".sqlite", ".sqlite3"):
            raise ValueError(f"a SQLite file is sqlite:///{Path(url).name}; a journal file has an end such as .log")
        _mend_journal(Path(url))
        return JournalStorage(JournalFileBackend(url))
    if url.startswith("redis"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return JournalStorage(_WithoutSnapshots(JournalRedisBackend(url)))
    if url.startswith("grpc:"):
        return _proxied(url)
    tries_left = _TRIES
    while True:
        try:
            return get_storage(_served(url))  # of Optuna's own use, but no other way leads to its cache
        except DBAPIError as error:
            tries_left -= 1
            others_begin = isinstance(error, IntegrityError) or "already exists" in str(error)  # and make the tables
            if not (others_begin and tries_left):
                raise
            time.sleep(_PAUSE_S)


def _served(url: str) -> RDBStorage:
    """The database of a URL; of PostgreSQL one that neither waits for a cut-off connection, nor lets others wait.

    Whether its tables are of this version of Optuna, which takes a tenth of a second, is checked once in a process.
    """
    said = url
    if url.startswith("postgresql://") and find_spec("psycopg") is not None:
        url = url.replace("postgresql", "postgresql+psycopg", 1)  # SQLAlchemy 2.0 means psycopg2
    is_ours = url.startswith("postgresql") and make_url(url).get_driver_name() in ("psycopg", "psycopg2")
    arguments = {name: value for name, value in _LIBPQ.items() if is_ours and name not in make_url(url).query}
    storage = RDBStorage(
        url, engine_kwargs={"connect_args": arguments} if is_ours else None, skip_compatibility_check=said in _checked
    )
    if is_ours:
        event.listen(storage.engine, "connect", _end_when_silent)
        storage.engine.dispose()  # what it has opened before
    _checked.add(said)
    return storage


class _WithoutSnapshots(BaseJournalBackend):
    """The lines of a journal alone: its snapshots are pickles, which anybody may have put into Redis."""

    def __init__(self, backend: BaseJournalBackend) -> None:
        self._backend = backend

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The lines from this one on."""
        return self._backend.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines after all others."""
        self._backend.append_logs(logs)


def _proxied(url: str) -> BaseStorage:
    """The database behind an Optuna gRPC proxy, whose errors are Optuna's."""
    address = urlsplit(url)
    made: type[GrpcStorageProxy] = type(
        "ProxiedStorage", (GrpcStorageProxy,), {name: _as_optunas(name) for name in METHODS}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Protobuf gencode")  # Optuna's is older than the protobuf that is installed
        proxy = made(host=address.hostname or "localhost", port=address.port or _PROXY_PORT)
    try:
        proxy.wait_server_ready(_PROXY_S)
    except ConnectionError:
        raise ConnectionError(f"no gRPC proxy has answered for {_PROXY_S:.0f} s") from None
    return proxy


def _as_optunas(name: str) -> Any:
    @wraps(method := getattr(GrpcStorageProxy, name))
    def call(proxy: GrpcStorageProxy, *arguments: Any, **named: Any) -> Any:
        grpc = import_module("grpc")
        try:
            return method(proxy, *arguments, **named)
        except grpc.RpcError as error:
            raise StorageInternalError(error.details()) from None
        except KeyError:
            if name != "set_trial_param":
                raise
        for study in proxy.get_all_studies():  # Optuna's server, begun again, takes no parameter of trials that it
            proxy.get_all_trials(study._study_id, deepcopy=False)  # has not listed yet
        return method(proxy, *arguments, **named)

    return call


def _end_when_silent(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {1000 * _SILENT_S}")
    connection.commit()


def _mend_journal(path: Path) -> None:
    """Cut off a last line that was not written to its end: what is written after it could never be read again."""
    if not path.exists() or _ends_whole(path):
        return
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        if not _ends_whole(path):  # another process may have been writing
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            with path.open("r+b") as file:
                file.truncate(len(whole))
            _LOG.warning("%s: its last line was not written to its end, and was cut off", path)
    finally:
        lock.release()


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 1))
        return end == 0 or file.read() == b"\n"


def missing(url: str, error: BaseException | None) -> str:
    """Which package a storage needs that is not here, or which databases there are; nothing for other errors."""
    while error is not None:
        if isinstance(error, NoSuchModuleError):
            kind = url.partition(":")[0].partition("+")[0]
            return f"there is no database {kind!r}; {allowed(kind, _DATABASES)}, or the path of a journal file"
        name = "redis" if url.startswith("redis") else (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ImportError) and name:
            return f"needs the package {name}: pip install {_PACKAGES.get(name, name)}"
        error = error.__cause__ or error.__context__
    return ""
