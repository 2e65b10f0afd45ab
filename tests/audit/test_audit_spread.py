import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.audit.choice import spread_out
from nas_attn.space import InputError


def priced(count, seed):
    rng = np.random.default_rng(seed)
    keys = [f"n{number}" for number in range(count)]
    return dict(zip(keys, rng.permutation(count).astype(float), strict=True))


def quantiles(values, number):
    """Which part of the ranking each key stands in; the values are the ranks themselves."""
    return {key: int(value * number // len(values)) for key, value in values.items()}


some = st.integers(1, 60), st.integers(1, 20), st.integers(0, 99), st.booleans()


@given(*some)
def test_as_many_networks_as_asked_for_are_chosen_and_each_part_of_the_prices_gives_one(count, number, seed, scored):
    prices, scores = priced(count, seed), priced(count, seed + 1) if scored else None
    chosen = spread_out(prices, scores, number, seed, "n0")
    assert len(chosen) == len(set(chosen)) == min(count, number)
    assert "n0" in chosen
    assert chosen == sorted(chosen, key=prices.__getitem__)
    assert chosen == spread_out(dict(reversed(prices.items())), scores, number, seed, "n0")
    if count > number:
        assert sorted(map(quantiles(prices, number).__getitem__, chosen)) == list(range(number))


@given(st.integers(0, 99), st.sampled_from(["independent", "equal", "opposite"]))
def test_each_part_of_a_ranking_gives_one_where_the_networks_allow_it(seed, kind):
    prices = priced(600, seed)
    other = {key: 599 - price for key, price in prices.items()}
    scores = {"independent": priced(600, seed + 1), "equal": prices, "opposite": other}[kind]
    chosen = spread_out(prices, scores, 8, seed, "n0")
    assert sorted(map(quantiles(scores, 8).__getitem__, chosen)) == list(range(8))


def test_another_seed_chooses_others():
    prices = priced(200, 0)
    assert spread_out(prices, None, 10, 0, "n0") != spread_out(prices, None, 10, 1, "n0")


def test_networks_without_a_score_are_left_out_but_for_the_bare_one():
    prices = priced(20, 0)
    scores = {"n1": 1.0, "n2": 2.0, "n3": float("nan"), "n4": 0.5}
    assert set(spread_out(prices, scores, 12, 0, "n0")) == {"n0", "n1", "n2", "n4"}
    assert "n0" in spread_out(prices, scores, 2, 0, "n0")


@pytest.mark.parametrize(("number", "bare", "told"), [(3, "x", "x is not among the 5"), (0, "n0", "found 0")])
def test_what_cannot_be_chosen_is_said(number, bare, told):
    with pytest.raises(InputError, match=told):
        spread_out(priced(5, 0), None, number, 0, bare)
