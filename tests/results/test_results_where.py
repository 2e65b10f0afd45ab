"""Conditions on rows mean what pandas means by them, and nothing but a condition is one."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.results import selected
from nas_attn.space import InputError

TABLE = pd.DataFrame(
    {
        "accuracy": [0.9, 0.8, float("nan"), 0.7, 0.95],
        "flops": [300_000, 100_000, 200_000, 300_001, 5],
        "architecture": ["none", "stage1=se", "stage1=cbam", "stage2=se", "stage2=eca"],
        "role": ["baseline", "baseline", "search", "search", "search"],
    },
    index=pd.Index(list("vwxyz"), name="key"),
)

numbers = st.sampled_from(["0.8", "0.9", "300_000", "2e5", "5", "-1"])
compared = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
simple = st.one_of(
    st.tuples(st.just("flops"), compared, numbers).map(" ".join),
    st.tuples(numbers, compared, st.just("flops"), compared, numbers).map(" ".join),
    st.tuples(st.sampled_from(["accuracy"]), compared, st.sampled_from(["0.8", "0.9", "0"])).map(" ".join),
    st.tuples(st.just("role"), st.sampled_from(["==", "!="]), st.sampled_from(["'search'", "'x'"])).map(" ".join),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda part: f"not ({part})"),
    ),
    max_leaves=6,
)


@given(conditions)
def test_rows_are_those_that_pandas_selects(condition):
    known = condition.replace(
        "accuracy !=", "accuracy == accuracy and accuracy !="
    )  # what is unknown differs from nothing
    expected = TABLE.query(known, engine="python")
    assert list(selected(TABLE, condition).index) == list(expected.index)


def test_texts_contain_one_another_and_the_index_is_a_column():
    assert list(selected(TABLE, "'se' in architecture and role != 'baseline'").index) == ["y"]
    assert list(selected(TABLE, "'se' not in architecture").index) == ["v", "x", "z"]
    assert list(selected(TABLE, "key == 'x' or key == 'z'").index) == ["x", "z"]
    assert selected(TABLE, "flops < 1").empty


REFUSED = {
    "latency <= 2": "where: found the column 'latency'; allowed: key, accuracy, flops, architecture, role",
    "flop < 3": "where: found the column 'flop'; did you mean 'flops'?",
    "accuracy > 80": "where: accuracy: found 80; it is a share, 0 to 1: 0.8",
    "flops < 2 & accuracy < 1": "where: found '2 & accuracy' in ",
    "flops": "where: found 'flops' in 'flops'; allowed: columns, numbers and texts, compared by <",
    "flops <": "where: found 'flops <': invalid syntax; allowed: ",
    "flops = 3": "where: found 'flops = 3': ",
    "__import__('os').system('touch x') == 0": "where: found \"__import__('os').system('touch x')\" in ",
    "flops.__class__ == 3": "where: found 'flops.__class__' in ",
    "[1] == 1": "where: found '[1]' in ",
    "flops < 2 if 1 else 0": "where: found 'flops < 2 if 1 else 0' in ",
    "flops ** 99 > 2": "where: found 'flops ** 99' in ",
    "flops < True": "where: found 'True' in ",
    "flops is 3": "where: found ",
    "role < 3": "where: role < 3: found a text beside a number",
    "flops in 'abc'": "where: flops in 'abc': found a text beside a number",
    "role in 'search'": "where: role in 'search': in asks whether a column of texts contains a text",
    "": "where: found '': ",
    "flops < 1\0": "where: found ",
    "(" * 500 + "flops < 1" + ")" * 500: "where: found ",
    "not " * 5000 + "flops < 1": "where: found 20,009 letters; allowed: 10,000",
    "not " * 2400 + "flops < 1": "where: found ",
}


@pytest.mark.parametrize("condition", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_condition_is_refused_in_a_line_and_never_run(condition):
    with pytest.raises(InputError) as refused:
        selected(TABLE, condition)
    assert str(refused.value).startswith(REFUSED[condition])
    assert "\n" not in str(refused.value)
    assert "allowed: " in str(refused.value) or "it is a share" in str(refused.value) or "in asks" in str(refused.value)
