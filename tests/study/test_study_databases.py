"""Every storage that Optuna names is taken, and a package that it needs is named where it is missing."""

import builtins

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import nas_attn
from nas_attn.space import InputError
from nas_attn.study import begin_study, find_study, shared

SPACE = 'backbone = "resnet8"\nslots = ["stage1"]\n[kinds]\nse = {}\n'
STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 512
[search]
trials = {trials}
storage = "journal.log"
"""


def written(folder, trials):
    folder.mkdir(exist_ok=True)
    (folder / "space.toml").write_text(SPACE)
    (folder / "study.toml").write_text(STUDY.format(trials=trials))
    return nas_attn.open_study(folder)


def test_a_study_in_a_journal_file_goes_on_and_is_read_by_optuna_itself(tmp_path):
    folder = tmp_path / "study"
    written(folder, 1).run()
    first = nas_attn.open_study(folder).table()
    written(folder, 2).run()
    table = nas_attn.open_study(folder).table()
    assert len(table) == 2
    assert table.iloc[0]["accuracy"] == first.iloc[0]["accuracy"]
    assert not (folder / "study.db").exists()
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    (name,) = [one for one in optuna.get_all_study_names(storage) if one.endswith(".final")]
    values = [trial.values[0] for trial in optuna.load_study(study_name=name, storage=storage).trials if trial.values]
    assert values == table["accuracy"].tolist()


@pytest.fixture
def _bare(monkeypatch):
    """An environment without any driver."""
    known = builtins.__import__

    def without(name, scope=None, names=None, fromlist=(), level=0):
        if not level and name.partition(".")[0] in (
            "psycopg",
            "psycopg2",
            "pymysql",
            "MySQLdb",
            "oracledb",
            "pyodbc",
            "redis",
            "grpc",
        ):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return known(name, scope, names, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("postgresql://me:secret@here/db", "needs the package psycopg2?: pip install '?psycopg"),
        ("postgresql+psycopg://me:secret@here/db", r"needs the package psycopg: pip install 'psycopg\[binary\]'"),
        ("mysql://me:secret@here/db", "needs the package MySQLdb: pip install mysqlclient"),
        ("mysql+pymysql://me:secret@here/db", "needs the package pymysql: pip install pymysql"),
        ("mssql+pyodbc://me:secret@here/db", "needs the package pyodbc: pip install pyodbc"),
        ("redis://:secret@here:6379", "needs the package redis: pip install redis"),
        ("grpc://here:13000", "needs the package grpc: pip install grpcio protobuf"),
        ("postgress://me:secret@here/db", "there is no database 'postgress'; did you mean 'postgresql'"),
        ("study.db", "a SQLite file is sqlite:///study.db"),
    ],
)
def test_what_a_storage_needs_is_named_and_no_password(tmp_path, url, package):
    (tmp_path / "study.db").touch()
    with pytest.raises(InputError, match=package) as raised:
        find_study(tmp_path, url, "final")
    assert "secret" not in str(raised.value)


def test_two_searches_of_one_journal_are_kept_apart(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    journal = str(tmp_path / "journal.log")
    for name in ("one", "other"):
        with shared(tmp_path / name, journal):
            begin_study(tmp_path / name, journal, ["accuracy"], "final")
    names = optuna.get_all_study_names(JournalStorage(JournalFileBackend(journal)))
    assert len([one for one in names if one.endswith(".final")]) == 2
