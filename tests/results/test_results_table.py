import math
from dataclasses import replace
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import evaluation

from nas_attn.results import evaluation as evaluation_of
from nas_attn.results import evaluations, front, known_columns, read_csv, spelt_curve, table, write_csv
from nas_attn.results.rows import row_columns
from nas_attn.settings import MEASURES
from nas_attn.space import InputError, parse

ROW = evaluation()

texts = st.one_of(
    st.sampled_from(
        ["", "nan", "NA", "none", "null", "1234567890", "12345e6789", "007", "True", '"', "a,b", " a ", "\r"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
whole = st.integers(min_value=1, max_value=2**63 - 1)
real = st.floats(min_value=0, allow_infinity=False) | st.just(math.nan)
share = st.floats(min_value=0, max_value=1)
by_type = {int: whole, float: real, str: texts}
spellings = st.sampled_from(["none", "stage1.block0-1.branch=se(reduction=8)", "stage2.block0.pre=cbam stage3.x=eca"])


def _strategy(kind):
    kind = kind.__origin__ if hasattr(kind, "__metadata__") else kind  # what stands under a range
    return by_type[kind] if kind in by_type else st.sampled_from(get_args(kind))


rows = st.builds(
    lambda accuracy, loss, **known: evaluation_of(**known).but(
        key="width=1.5" if known["role"] == "width-matched" else parse(known["architecture"]).key,
        accuracy=accuracy if known["state"] == "complete" else math.nan,
        loss=loss if known["state"] == "complete" else math.nan,
    ),
    **{
        **{name: _strategy(kind) for name, (kind, _) in row_columns().items()},
        "architecture": spellings,
        "accuracy": share,
        "loss": share,
        "learning_curve": st.lists(real, max_size=30).map(
            lambda losses: spelt_curve([(epoch, {"train_loss": loss}) for epoch, loss in enumerate(losses, 1)])
        ),
    },
)


def spelt(row):
    return repr(known_columns(row))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def test_a_table_has_a_column_for_every_field_but_the_key_which_is_its_index():
    made = table([ROW])
    assert made.index.name == "key"
    assert ["key", *made.columns] == [*row_columns()]
    assert made.loc["h40bedbf9c"].to_dict() == pytest.approx(
        {name: value for name, value in known_columns(ROW).items() if name != "key"}, nan_ok=True
    )


def test_the_types_of_the_columns_do_not_depend_on_there_being_rows():
    pd.testing.assert_series_equal(table([]).dtypes, table([ROW]).dtypes)
    assert table([]).index.dtype == table([ROW]).index.dtype
    assert str(table([])["macs"].dtype) == "int64"
    assert str(table([])["accuracy"].dtype) == "float64"


@given(st.lists(rows, max_size=4))
def test_the_rows_of_a_table_are_those_it_was_made_of(some):
    assert list(map(spelt, evaluations(table(some)))) == list(map(spelt, some))


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, max_size=4))
def test_a_file_gives_back_the_very_table_that_was_written(folder, some):
    path = folder / "rows.csv"
    write_csv(table(some), path)
    pd.testing.assert_frame_equal(read_csv(path), table(some), check_exact=True)


def test_writing_leaves_nothing_beside_the_file_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("what was there")
    write_csv(table([ROW]), path)
    assert list(tmp_path.iterdir()) == [path]
    assert evaluations(read_csv(path))[0]["params"] == ROW["params"]


def test_a_table_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([ROW]), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="'params' is missing"):
        write_csv(table([ROW]).drop(columns="params"), path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.rows\.csv: cannot be written: No such file"):
        write_csv(table([ROW]), tmp_path / "nowhere" / "rows.csv")
    with pytest.raises(InputError, match=r"rows\.csv: there is no such file"):
        read_csv(tmp_path / "rows.csv")


def test_a_file_of_a_version_that_knew_fewer_columns_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([ROW]), path)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.drop(columns=["weights_sha256", "role"]).to_csv(path, index=False)
    expected = table([replace(ROW, weights_sha256="", role="search")])
    pd.testing.assert_frame_equal(read_csv(path), expected)
    pd.testing.assert_frame_equal(table(evaluations(table([ROW]).drop(columns=["weights_sha256", "role"]))), expected)


def test_every_missing_and_every_unknown_column_is_named_at_once(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([ROW]), path)
    path.write_text(path.read_text().replace("macs", "mac", 1).replace("flops,", "", 1))
    with pytest.raises(InputError) as error:
        read_csv(path)
    assert "'macs' is missing" in str(error.value)
    assert "'flops' is missing" in str(error.value)
    assert "unknown column 'mac'; did you mean 'macs'?" in str(error.value)


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("params", "many", "params: found 'many'"),
        ("state", "done", "state: found 'done'"),
        ("loss", "low", "loss: found"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_with_its_row_and_column(tmp_path, column, cell, told):
    path = tmp_path / "rows.csv"
    write_csv(table([ROW]), path)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame[column] = cell
    frame.to_csv(path, index=False)
    with pytest.raises(InputError, match=f"row 1: {told}"):
        read_csv(path)


def test_a_line_with_too_few_cells_and_an_empty_file_are_told(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([ROW]), path)
    path.write_text(path.read_text() + "h40bedbf9c,none\n")
    with pytest.raises(InputError, match="row 2: found 2 cells"):
        read_csv(path)
    path.write_text("")
    with pytest.raises(InputError, match="'key' is missing"):
        read_csv(path)


def test_a_missing_number_in_a_whole_column_is_not_read_as_one():
    with pytest.raises(InputError, match="params: found nan"):
        evaluations(table([ROW]).astype({"params": "float64"}).assign(params=math.nan))
    with pytest.raises(InputError, match=r"params: found 1\.5; a whole number"):
        evaluations(table([ROW]).assign(params=1.5))


def test_rows_that_differ_in_one_field_differ_in_one_cell():
    made = table([ROW, replace(ROW, key="other", seed=3)])
    assert (made.iloc[0].fillna(0) != made.iloc[1].fillna(0)).sum() == 1


def test_measures_of_a_study_are_read_where_no_study_is_open(tmp_path):
    cells = {"accuracy": math.nan, "loss": math.nan}
    rows = table(
        [evaluation(state="complete", **cells), evaluation("stage1-3.block0.branch=gate", state="complete", **cells)]
    )
    rows = rows.drop(columns=["accuracy", "accuracy_std"]).assign(val_map=[-0.2, 0.31], val_map_std=[math.nan, 0.01])
    write_csv(rows, tmp_path / "rows.csv")
    found = read_csv(tmp_path / "rows.csv")
    assert found["val_map"].tolist() == [-0.2, 0.31]
    assert found["val_map_std"].tolist()[1] == 0.01
    assert front(found, {"val_map": "max", "flops": "min"}).index[0] == found.index[1]
    with pytest.raises(InputError, match="whether more or less is better is not known"):
        front(found, ["val_map", "flops"])
    assert "val_map" not in MEASURES


def test_a_column_without_a_deviation_is_still_unknown(tmp_path):
    rows = table([evaluation(state="complete", accuracy=0.5)]).assign(val_map=[0.3])
    with pytest.raises(InputError, match="unknown column 'val_map'"):
        write_csv(rows, tmp_path / "rows.csv")
