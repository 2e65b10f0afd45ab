"""Learning curves are short texts in rows, which say what was measured, and tables in pandas."""

import json
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import evaluation

import nas_attn
from nas_attn.results import across_seeds, read_csv, read_curve, spelt_curve, table, write_csv
from nas_attn.space import InputError

numbers = st.floats(1e-6, 1e6) | st.just(math.nan) | st.just(math.inf)
trainings = st.lists(st.tuples(numbers, numbers), max_size=400)


@given(trainings)
def test_a_curve_keeps_twenty_epochs_at_most_with_both_ends_and_three_digits(values):
    epochs = [(number, {"train_loss": loss, "val/f1": other}) for number, (loss, other) in enumerate(values, 1)]
    curve = read_curve(spelt_curve(epochs))
    if not curve:
        return
    kept = curve.pop("epoch")
    assert len(kept) <= 20
    assert (kept[0], kept[-1]) == (1, len(values))
    assert len(kept) == min(20, len(values))
    for name, column in curve.items():
        for epoch, value in zip(kept, column, strict=True):
            measured = dict(epochs)[epoch][name]
            assert (value is None) == (not math.isfinite(measured))
            assert value is None or value == pytest.approx(measured, rel=5e-3)


def test_what_was_measured_once_is_in_the_row_already():
    assert spelt_curve([]) == ""
    assert spelt_curve([(1, {"train_loss": 2.0, "accuracy": 0.1})]) == ""
    last = {"train_loss": 1.0, "accuracy": 0.5}
    assert json.loads(spelt_curve([(1, {"train_loss": 2.0}), (2, last)])) == {"epoch": [1, 2], "train_loss": [2.0, 1.0]}


BROKEN = [
    "x",
    "[]",
    "1",
    "{}",
    '{"train_loss": [1]}',
    '{"epoch": [1, 2], "train_loss": [1]}',
    '{"epoch": [2, 1], "train_loss": [1, 2]}',
    '{"epoch": [1], "train_loss": ["a"]}',
    '{"epoch": [1.5], "train_loss": [1]}',
    '{"epoch": [1], "train_loss": [NaN]}',
    '{"epoch": [null], "train_loss": [1]}',
    '{"epoch": [true], "train_loss": [1]}',
    '{"epoch": "1", "train_loss": "1"}',
    "[" * 3000,
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_curve_is_refused_with_its_place(text, tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation(learning_curve='{"epoch":[1,2],"train_loss":[2,1]}')]), path)
    whole = pd.read_csv(path)
    whole["learning_curve"] = text
    whole.to_csv(path, index=False)
    with pytest.raises(
        InputError, match=r"row 1: learning_curve: found .*; allowed: JSON such as \{\"epoch\": \[1, 2\]"
    ):
        read_csv(path)


def test_rows_of_before_are_read_without_curves_and_as_before(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(table([evaluation(accuracy=0.9, loss=0.3, state="complete")]), path)
    old = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="learning_curve").assign(format_version="3")
    old.to_csv(path, index=False)
    assert read_csv(path)["learning_curve"].tolist() == [""]
    assert nas_attn.learning_curves(read_csv(path)).empty
    write_csv(read_csv(path), tmp_path / "again.csv")
    again = pd.read_csv(tmp_path / "again.csv", dtype=str, keep_default_na=False)
    shared = [name for name in old if name != "format_version"]
    pd.testing.assert_frame_equal(again[shared], old[shared])


def test_curves_are_a_table_that_pandas_takes():
    """The area under each curve, by pandas, is that of the numbers that were noted."""
    curves = {0: [2.0, 1.0, 0.5], 1: [2.2, 1.1, 0.4]}
    rows = [
        evaluation(
            seed=seed,
            state="complete",
            accuracy=0.5 + seed / 10,
            learning_curve=spelt_curve([(epoch, {"train_loss": loss}) for epoch, loss in enumerate(losses, 1)]),
        )
        for seed, losses in curves.items()
    ]
    found = nas_attn.learning_curves(table([*rows, evaluation("stage1.block0.branch=se")]))
    assert found.groupby("seed")["train_loss"].sum().to_dict() == pytest.approx({0: 3.5, 1: 3.7})
    assert list(found.columns) == ["architecture", "step", "seed", "epoch", "train_loss"]
    assert set(found.index) == {rows[0].key}
    (mean,) = across_seeds(rows)
    assert nas_attn.learning_curves(table([mean]))["train_loss"].tolist() == curves[0]
    with pytest.raises(InputError, match="learning_curves: the table has no column 'learning_curve'"):
        nas_attn.learning_curves(pd.DataFrame({"accuracy": [1.0]}))
