"""Rows and files that were edited, damaged or cannot be written: one clear error, and nothing shown before it."""

import json
import math
import sqlite3
import subprocess
import sys

import optuna
import pytest
from fakes import FakeEvaluator, search
from made_up import evaluation

from nas_attn import cli, load_table
from nas_attn.cost import Readings
from nas_attn.report import write as reporting
from nas_attn.results import read_csv, table, write_csv, written
from nas_attn.space import InputError, parse, write_whole
from nas_attn.study import StudyFolder, find_study, read_objectives, read_rows

FAULTS = [
    ("accuracy", 7.5, "accuracy: found 7.5; allowed: a number from 0 to 1"),
    ("flops", -5, "flops: found -5; allowed: at least 0"),
    ("key", "abcdef9876", "key: found 'abcdef9876'; allowed: '"),
    ("loss", math.inf, "loss: found inf; allowed: a finite number"),
    ("state", "done", "state: found 'done'; "),
    ("architecture", "stage1.block0.branch", "a placement is spelt"),
    ("seeds", 0, "seeds: found 0; allowed: at least 1"),
    ("train_seconds", -1.0, "train_seconds: found -1.0; allowed: a finite number"),
]
ONLY_STORED = [
    ("seed", "x", "seed: found 'x'; allowed: an integer"),
    ("seed", 7, "seed: found 7; allowed: 0"),
    ("params", 1.5, "params: found 1.5; allowed: an integer"),
    ("params", None, "params: found nan; allowed: an integer"),
    ("params", 10**30, "params: found 1000"),
    ("role", True, "role: found True; "),
    ("flopps", 3, "'flopps': unknown name; did you mean 'flops'"),
]


@pytest.fixture
def nas_attn(monkeypatch, capsys):
    """The command line: its exit code, what it printed, and what it said on the error stream."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nas-attn", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study.toml").write_text('space = "space.toml"\n')
    search(tmp_path, FakeEvaluator()).run(3)
    return tmp_path


def edited(folder, text, number=1):
    """The study's database, in which the row of a trial is this text."""
    with sqlite3.connect(folder / "study.db") as database:
        database.execute(
            "update trial_user_attributes set value_json = ? where key = 'evaluation:0' and trial_id ="
            " (select trial_id from trials where number = ?)",
            (text, number),
        )
    database.close()


def fields(folder, number=1):
    return dict(find_study(folder, None, "final").trials[number].user_attrs["evaluation:0"])


@pytest.mark.parametrize(("name", "value", "message"), [*FAULTS, *ONLY_STORED])
def test_a_row_that_was_edited_in_the_database_is_reported_with_its_trial(study, name, value, message):
    edited(study, json.dumps({**fields(study), name: value}))
    with pytest.raises(InputError) as error:
        read_rows(find_study(study, None, "final"))
    assert "trial 1: evaluation:0: " in str(error.value)
    assert message in str(error.value)


def test_a_trained_row_without_what_it_learnt_is_reported_with_its_trial(study):
    edited(study, json.dumps({**fields(study), "accuracy": None, "loss": None}))
    with pytest.raises(InputError, match=r"trial 1: .*: accuracy or loss: found none; allowed: a number, where"):
        read_rows(find_study(study, None, "final"))


def test_a_row_of_a_site_that_the_space_does_not_have_is_reported(study):
    spelling = "stage9.block0.branch=gate"
    said = {**fields(study), "architecture": spelling, "key": parse(spelling).key}
    edited(study, json.dumps(said))
    with pytest.raises(InputError, match=r"trial 1: .*'stage9.block0.branch', which is no site of the study's space"):
        read_rows(find_study(study, None, "final"))


@pytest.mark.parametrize("text", ["{broken", "5", "[1, 2]", '"text"', "null"])
def test_a_row_that_is_no_row_is_reported_with_its_trial(study, text):
    edited(study, text)
    with pytest.raises(InputError, match="trial 1: "):
        read_rows(find_study(study, None, "final"))


def test_a_row_without_a_field_takes_its_default_and_is_reported_where_there_is_none(study):
    said = fields(study)
    edited(study, json.dumps({name: value for name, value in said.items() if name not in ("versions", "reason")}))
    assert len(read_rows(find_study(study, None, "final"))) == 3
    edited(study, json.dumps({name: value for name, value in said.items() if name != "flops"}))
    with pytest.raises(InputError, match="trial 1: evaluation:0: flops: is missing"):
        read_rows(find_study(study, None, "final"))


def test_nothing_is_shown_of_a_study_in_which_a_row_is_wrong(study, nas_attn):
    edited(study, json.dumps({**fields(study), "accuracy": 7.5}))
    for command in ("front", "report"):
        code, shown, message = nas_attn(command, study)
        assert (code, shown) == (2, "")
        assert message.startswith("error: study final: trial 1: evaluation:0: accuracy: found 7.5")
    assert not (study / "report.html").exists()


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        (("facts", '{"height": 8}'), reporting.report_study),
        (("slots", "[1]"), reporting.report_study),
        (("asked", '{"objectives": 3}'), lambda folder: read_objectives(find_study(folder, None, "final"))),
        (("asked", "7"), lambda folder: search(folder, FakeEvaluator())),
    ],
)
def test_what_else_is_kept_of_a_study_is_reported_where_it_is_damaged(study, damage, read):
    with sqlite3.connect(study / "study.db") as database:
        database.execute("update study_user_attributes set value_json = ? where key = ?", damage[::-1])
    database.close()
    with pytest.raises(InputError, match=rf"study final: {damage[0]}"):
        read(study)


@pytest.mark.parametrize(("name", "value", "message"), FAULTS)
def test_a_cell_that_was_edited_in_a_file_is_reported_with_its_row(tmp_path, name, value, message):
    path = tmp_path / "rows.csv"
    right = evaluation(state="complete", accuracy=0.5, loss=1.0)
    write_csv(table([right]), path)
    lines = path.read_text().splitlines()
    names, cells = lines[0].split(","), lines[1].split(",")
    cells[names.index(name)] = "" if value is None else str(value)
    path.write_text("\n".join([lines[0], lines[1], ",".join(cells)]) + "\n")
    for read in (read_csv, lambda _: load_table(tmp_path)):
        with pytest.raises(InputError) as error:
            read(path)
        assert f"{path}: row 2: " in str(error.value)
        assert message in str(error.value)


def test_a_trained_row_without_what_it_learnt_is_reported_with_its_line(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation(state="complete", accuracy=math.nan, loss=math.nan)]), path)
    with pytest.raises(InputError, match=r"rows.csv: row 1: accuracy or loss: found none; allowed: a number, where"):
        read_csv(path)


def test_a_width_matched_baseline_is_called_by_its_width_and_by_nothing_else(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation(role="width-matched", key=f"width={share:g}") for share in (1.5, 2, 0.25)]), path)
    assert [*read_csv(path).index] == ["width=1.5", "width=2", "width=0.25"]
    write_csv(table([evaluation(role="width-matched", key="wide"), evaluation(key="width=2")]), path)
    with pytest.raises(
        InputError, match=r"row 1: key: found 'wide'; allowed: a width.*\n.*row 2: key: found 'width=2'"
    ):
        read_csv(path)


def test_a_file_of_a_spreadsheet_with_semicolons_is_reported_as_such(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation()]), path)
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(InputError, match="its cells stand between semicolons"):
        read_csv(path)


def test_many_faults_are_reported_together_and_not_all(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation(accuracy=7.5)] * 30), path)
    with pytest.raises(InputError) as error:
        read_csv(path)
    lines = str(error.value).splitlines()
    assert "row 10" in lines[9]
    assert lines[10:] == ["... and 20 more"]


def test_an_architecture_is_parsed_once_however_many_rows_it_has(tmp_path, monkeypatch):
    path, parsed = tmp_path / "rows.csv", []
    spellings = [f"stage1.block{n}.branch=se(reduction=8)" for n in range(20)]
    write_csv(table(evaluation(one, seed=seed) for one in spellings for seed in range(5)), path)
    written._key_and_sites.cache_clear()
    monkeypatch.setattr(written, "parse", lambda one: parsed.append(one) or parse(one))
    assert len(read_csv(path)) == 100
    assert sorted(parsed) == sorted(spellings)


def reading(**known):
    right = {"median_ms": 1.0, "low_ms": 0.9, "high_ms": 1.1, "iqr_ms": 0.1, "calls": 300, "device": "a processor"}
    return {**right, **known}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (reading(median_ms=-2.0), "reading: median_ms: found -2.0"),
        (reading(calls="x"), "reading: calls: found 'x'"),
        (reading(device=3), "reading: device: found 3"),
        (reading(more=1), "'more': unknown name"),
        (5, "found 5; allowed: a table"),
    ],
)
def test_a_latency_that_was_edited_is_reported_with_its_line(tmp_path, said, message):
    path = tmp_path / "latency.jsonl"
    lines = [{"question": {"a": 0}, "reading": reading()}, {"question": {"a": 1}, "reading": said}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"question": {"a')
    assert Readings(path).get({"a": 0}).calls == 300
    with pytest.raises(InputError) as error:
        Readings(path).get({"a": 1})
    assert f"{path}:2: " in str(error.value)
    assert message in str(error.value)


def unwritable(folder):
    (folder / "file").write_text("a file")
    (folder / "folder").mkdir()
    return {
        "below a file": folder / "file" / "rows.csv",
        "a folder": folder / "folder",
        "a name too long": folder / ("x" * 300),
        "a NUL": folder / "a\0b",
        "nowhere": folder / "no" / "rows.csv",
        "no writing for anybody": folder.__class__("/proc/rows.csv"),
    }


@pytest.mark.parametrize(
    "where", ["below a file", "a folder", "a name too long", "a NUL", "nowhere", "no writing for anybody"]
)
def test_a_place_where_nothing_can_be_written_is_reported_in_one_line(tmp_path, where):
    path = unwritable(tmp_path)[where]
    before = sorted(tmp_path.rglob("*"))
    for write in (lambda: write_whole(path, b"x"), lambda: write_csv(table([evaluation()]), path)):
        with pytest.raises(InputError, match=r"cannot be written: .") as error:
            write()
        assert "\n" not in str(error.value)
        assert "None" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    write_whole(tmp_path / ("x" * 255), b"content")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"content"]


@pytest.mark.parametrize(
    ("options", "message"), [("size=64k", "No space left"), ("size=64k,ro", "Read-only file system")]
)
def test_a_full_disk_and_a_read_only_one_are_reported_in_one_line(tmp_path, options, message):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(InputError, match=f"rows.csv: cannot be written: {message}"):
            write_whole(tmp_path / "rows.csv", b"x" * 200_000)
        assert not [*tmp_path.iterdir()]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_what_cannot_be_cleaned_up_hides_no_message(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(InputError, match=r"rows.csv: cannot be written: Permission denied"):
        write_whole(tmp_path / "rows.csv", b"x")


STORAGES = [
    "postgresql://u:SECRET@h/db",
    "postgres//u:SECRET@h/db",
    "postgresql://u:SEC@RET@h:port/db",
    "nosuch://u:SECRET@h/db?password=SECRET",
    "postgresql://u:SECRET",
    "redis://:SECRET@h",
    "sqlite:////nowhere/at/all/study.db?password=SECRET",
]


@pytest.mark.parametrize("url", STORAGES)
def test_no_password_of_a_storage_is_printed_whatever_is_wrong_with_it(tmp_path, url, nas_attn):
    said = 'space = "space.toml"\n[search]\n'
    files = [
        f'{said}storage = "{url}"\n',
        f'{said}storage = ["{url}"]\n',
        f'{said}storge = "{url}"\n',
        f'{said}sampler = "{url}"\n',
        f'{said}trials = "{url}"\n',
        f'search = "{url}"\n',
        f'{said}storage = {{url = "{url}"}}\n',
        f'{said}[search."{url}"]\nx = 1\n',
    ]
    for text in files:
        (tmp_path / "study.toml").write_text(text)
        code, shown, message = nas_attn("front", tmp_path)
        assert code == 2
        assert not [part for part in ("SEC", "RET") if part in shown + message]


@pytest.mark.parametrize("url", STORAGES)
def test_no_password_stands_in_the_settings_of_a_page(tmp_path, url):
    (tmp_path / "study.toml").write_text(
        f'# before: {url}\nspace = "space.toml"\n[search]\nstorage = "{url}"\n[trainer]\napi_key = "SECRET"\n'
    )
    shown = reporting._settings(StudyFolder.open(tmp_path))
    assert 'space = "space.toml"' in shown
    assert "SEC" not in shown
    assert "RET" not in shown


def test_rows_of_a_study_come_back_as_they_were_written(study):
    rows = read_rows(find_study(study, None, "final"))
    assert [row.key for row in rows.values()] == [parse(row.architecture).key for row in rows.values()]
    assert [(row["accuracy"], row.seed) for row in rows.values()] == [(0.652, 0), (0.534, 0), (0.8012, 0)]
    assert optuna.load_study(study_name="final", storage=f"sqlite:///{study}/study.db").trials
