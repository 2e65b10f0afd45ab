"""A storage that is away for a while is waited for, and one that cannot be there is not."""

import errno
import sqlite3
import time
from dataclasses import replace

import pytest
from fakes import FakeEvaluator, begun, search, study_file
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from working import searched

from nas_attn.space import InputError
from nas_attn.study import StudyFolder, find_study, patience, read_rows, shared


def operational(text):
    return OperationalError("SELECT 1", {}, Exception(text))


def chained(error):
    try:
        raise StorageInternalError("during the commit") from error
    except StorageInternalError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (operational("connection to server failed: Connection refused"), True),
        (operational("server closed the connection unexpectedly"), True),
        (operational("the database system is starting up"), True),
        (operational("database is locked"), True),
        (operational("database or disk is full"), True),
        (operational("disk I/O error"), True),
        (operational("deadlock detected"), True),
        (chained(operational("SSL SYSCALL error: EOF detected")), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (operational("no such table: trials"), False),
        (operational('database "other" does not exist'), False),
        (operational("attempt to write a readonly database"), False),
        (ProgrammingError("SELECT", {}, Exception("syntax")), False),
        (IntegrityError("INSERT", {}, Exception("UNIQUE")), False),
        (FileNotFoundError(2, "no such file"), False),
        (KeyError("no such study"), False),
        (InputError("bad"), False),
    ],
)
def test_which_faults_pass(error, passes):
    assert patience.is_passing(error) is passes


def test_a_locked_database_is_waited_for_and_said_once(tmp_path):
    search(tmp_path, FakeEvaluator()).run(2)
    connection, said = sqlite3.connect(tmp_path / "study.db"), []

    def waited(line):
        said.append(line)
        connection.rollback()

    class Locking(FakeEvaluator):
        def train(self, row):
            if not said:
                connection.execute("BEGIN EXCLUSIVE")
            return super().train(row)

    file = study_file()
    with shared(tmp_path, None, waited) as reservations:
        searching = search(tmp_path, Locking(), file=file)
        searching = replace(searching, reservations=reservations)
        assert searching.run(4).startswith("4 of 4")
    away, again = said
    assert "database is locked" in away
    assert "what is finished is kept" in away
    assert "there again, after" in again
    assert len(read_rows(begun(tmp_path))) == 4


def test_a_storage_that_stays_away_ends_the_work(monkeypatch):
    monkeypatch.setattr(patience, "LONGEST_S", 0.1)
    said = []
    with pytest.raises(InputError, match="has been away for 0 minutes: it refuses"):
        patience._patiently(said.append, fails, lambda _: "it refuses")
    assert len(said) == 1


def fails():
    raise operational("postgresql://me:secret@host refuses")


def opened(faults):
    """A storage behind a URL that cannot be opened as long as there are faults, and what is said meanwhile."""
    said, left = [], [*faults]

    def open_it(_url):
        if left:
            raise left.pop(0)
        return InMemoryStorage()

    with patience.patient(said.append):
        patience.open_storage("postgresql://host/db", open_it, str)
    return said


def test_a_server_that_has_not_begun_yet_is_waited_for():
    refused, starting = (operational(text) for text in ("Connection refused", "the database system is starting up"))
    away, there = opened([refused, starting, refused])
    assert "the storage is away, which is tried again" in away
    assert "the storage is there again, after" in there


@pytest.mark.parametrize(
    "text",
    [
        'connection failed: FATAL:  password authentication failed for user "me"',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "me", database "db", no encryption',
        "failed to resolve host 'nohost': [Errno -2] Name or service not known",
        'FATAL:  database "other" does not exist',
        "unable to open database file",
    ],
)
def test_a_storage_that_cannot_be_there_is_not_waited_for(text):
    with pytest.raises(OperationalError):
        opened([operational(text)])


def test_a_server_that_does_not_come_is_waited_for_two_minutes(monkeypatch):
    assert patience.OPENING_S == 120.0
    monkeypatch.setattr(patience, "OPENING_S", 0.1)
    with pytest.raises(InputError, match=r"has been away for 0 minutes: .*Connection refused"):
        opened(20 * [operational("Connection refused")])


def test_a_storage_that_was_never_there_is_reported_at_once(tmp_path):
    said = []
    with (
        pytest.raises(InputError, match="cannot be used as an Optuna database"),
        shared(tmp_path, "sqlite:////nowhere/at/all/study.db", said.append),
    ):
        pass
    assert said == []


@pytest.mark.parametrize("torn", [b'{"op_code": 4, "work', b"\x00\x00", b"{"])
def test_a_journal_whose_last_line_is_torn_goes_on(tmp_path, torn, caplog):
    folder, journal = tmp_path / "study", str(tmp_path / "journal.log")
    folder.mkdir()
    searched(folder, journal, 3, 0.0)
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(torn)
    assert searched(folder, journal, 5, 0.0) == "5 of 5 networks are trained"
    assert "was cut off" in caplog.text
    assert searched(folder, journal, 6, 0.0) == "6 of 6 networks are trained"  # what follows it can be read
    assert len(read_rows(find_study(folder, journal, "final"))) == 6


def test_what_is_only_read_has_no_patience(tmp_path):
    search(tmp_path, FakeEvaluator()).run(2)
    (tmp_path / "study.db").write_bytes(b"no database, but sixteen bytes")
    (tmp_path / "study.toml").write_text('space = "space.toml"\n')
    began = time.monotonic()
    with pytest.raises(InputError, match="cannot be used as an Optuna database"):
        StudyFolder.open(tmp_path).rows()
    assert time.monotonic() - began < 60
