"""Names that count up, folded into ranges and unfolded again."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.space import fold
from nas_attn.space.ranges import natural, unfold

NAMES = st.text("ab.019" + string.digits, max_size=6)
COUNTED = st.builds(
    lambda head, numbers, tail: [f"{head}{number}{tail}" for number in numbers],
    st.sampled_from(["block", "block0", "a1.b", ""]),
    st.sets(st.integers(0, 120), max_size=30),
    st.sampled_from(["", ".branch", "x"]),
)


@given(st.lists(COUNTED, max_size=4), st.lists(NAMES, max_size=10), st.randoms(use_true_random=False))
def test_folded_names_unfold_to_the_same_names(counted, others, rng):
    names = list(dict.fromkeys([name for run in counted for name in run] + others))
    for order in (names, sorted(names, key=natural), rng.sample(names, len(names))):
        assert sorted(name for text in fold(order) for name in unfold(text)) == sorted(names)


@given(st.integers(0, 200), st.integers(0, 30))
def test_a_run_of_names_is_one_range(first, more):
    names = [f"stage2.block{number}.branch" for number in range(first, first + more + 1)]
    numbers = f"{first}-{first + more}" if more else f"{first}"
    assert fold(names) == [f"stage2.block{numbers}.branch"]
    assert unfold(fold(names)[0]) == names


def test_zeros_before_a_number_are_kept():
    assert fold(["b01", "b02", "b00", "b007"]) == ["b00-2", "b007"]
    assert unfold("b00-2") == ["b00", "b01", "b02"]
    assert fold(["b09", "b10"]) == ["b09", "b10"]


def test_an_earlier_number_counts_up_where_the_rest_is_alike():
    assert fold(["s1.b0", "s2.b0", "s1.b1"]) == ["s1.b0-1", "s2.b0"]
    assert fold(["s1.b0", "s2.b0", "s1.b1", "s2.b1"]) == ["s1-2.b0-1"]
    assert unfold("s1-2.b0-1") == ["s1.b0", "s1.b1", "s2.b0", "s2.b1"]


@given(st.sets(NAMES), st.randoms(use_true_random=False))
def test_the_order_of_names_changes_nothing(names, rng):
    assert fold(names) == fold(rng.sample(sorted(names), len(names)))


@given(st.lists(NAMES, unique=True))
def test_natural_order_puts_every_name_at_one_place(names):
    assert len({natural(name) for name in names}) == len(names)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_natural_order_is_by_number(one, other):
    assert (natural(f"block{one}.x") < natural(f"block{other}.x")) == (one < other)


@pytest.mark.parametrize("text", ["b3-2", "b10-9.x", "b0-10000", "b0-99999999999999999999"])
def test_a_range_that_counts_down_or_never_ends_is_refused(text):
    with pytest.raises(ValueError, match=r"counts down|more than"):
        unfold(text)


def test_the_longest_range_is_read():
    assert len(unfold("b0-9999")) == 10_000
