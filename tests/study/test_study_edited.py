"""Rows that were edited after they were written: told with where they stand, and nothing is shown."""

import json
import sqlite3

import pytest
from fakes import FakeEvaluator, search

from nas_attn.results import read_csv, write_csv
from nas_attn.space import InputError
from nas_attn.study import StudyFolder, find_study, read_rows

EDITS = [
    ("accuracy", 7.5, "accuracy: found 7.5; allowed: a number from 0 to 1"),
    ("accuracy", -0.1, "accuracy: found -0.1; allowed: a number from 0 to 1"),
    ("accuracy", None, "accuracy: found none"),
    ("loss", float("inf"), "loss: found inf; allowed: a finite number"),
    ("flops", -5, "flops: found -5; allowed: at least 0"),
    ("params", 1.5, "params: found 1.5; allowed: an integer"),
    ("params", 10**30, "params: found 1"),
    ("seed", "x", "seed: found 'x'; allowed: an integer"),
    ("seeds", 0, "seeds: found 0; allowed: at least 1"),
    ("state", "finished", "state: found 'finished'"),
    ("key", "0123456789", "key: found '0123456789'; allowed: '140bedbf9c'"),
    ("architecture", "stage9.block7.branch=se", "found 'stage9.block7.branch', which is no site of the study's space"),
    ("architecture", "stage1.block0.branch=", "architecture"),
    ("latency_ms", "fast", "latency_ms: found 'fast'"),
]


@pytest.fixture
def folder(tmp_path):
    search(tmp_path, FakeEvaluator()).run(2)
    (tmp_path / "study.toml").write_text('space = "space.toml"\n')
    return tmp_path


def edit(folder, text):
    """Put a text in the place of the first row."""
    with sqlite3.connect(folder / "study.db") as database:
        database.execute(
            "update trial_user_attributes set value_json = ? where trial_id = 1 and key like 'eval%'", [text]
        )
    database.close()


def row_of(folder):
    with sqlite3.connect(folder / "study.db") as database:
        query = "select value_json from trial_user_attributes where trial_id = 1 and key like 'eval%'"
        (text,) = database.execute(query).fetchone()
    database.close()
    return json.loads(text)


@pytest.mark.parametrize(("field", "value", "told"), EDITS)
def test_a_row_that_was_edited_in_the_database_is_told_with_its_trial(folder, field, value, told):
    edit(folder, json.dumps({**row_of(folder), field: value}))
    for read in (lambda: read_rows(find_study(folder, None, "final")), lambda: StudyFolder.open(folder).front()):
        with pytest.raises(InputError) as refused:
            read()
        assert "study final: trial 0: evaluation:0: " in str(refused.value)
        assert told in str(refused.value)


@pytest.mark.parametrize("text", ["{broken", "[1, 2]", '"text"', "7", "null", "[" * 3000])
def test_a_row_that_is_no_row_any_more_is_told_with_its_trial(folder, text):
    edit(folder, text)
    with pytest.raises(InputError, match="study final: trial 0: "):
        StudyFolder.open(folder).front()


def test_a_row_without_a_field_that_has_a_usual_value_is_read_and_one_without_its_flops_is_not(folder):
    row = row_of(folder)
    edit(folder, json.dumps({name: value for name, value in row.items() if name not in ("weights_sha256", "role")}))
    assert len(StudyFolder.open(folder).rows()) == 2
    edit(folder, json.dumps({name: value for name, value in row.items() if name != "flops"}))
    with pytest.raises(InputError, match="trial 0: evaluation:0: flops: is missing"):
        StudyFolder.open(folder).rows()


@pytest.mark.parametrize(("field", "value", "told"), [edit for edit in EDITS if "no site" not in edit[2]])
def test_a_row_that_was_edited_in_a_file_is_told_with_its_number(folder, tmp_path, field, value, told):
    path = tmp_path / "rows.csv"
    write_csv(StudyFolder.open(folder).table(), path)
    names, first, *rest = path.read_text().splitlines()
    cells = dict(zip(names.split(","), first.split(","), strict=True))
    changed = {**cells, field: "" if value is None else str(value)}
    path.write_text("\n".join([names, ",".join(changed.values()), *rest]) + "\n")
    with pytest.raises(InputError) as refused:
        read_csv(path)
    assert str(refused.value).startswith(f"{path}: row 1: ")
    assert field in str(refused.value)


def test_a_file_that_a_spreadsheet_wrote_with_semicolons_is_told_as_such(folder, tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(StudyFolder.open(folder).table(), path)
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(InputError, match="semicolons; allowed: commas"):
        read_csv(path)
