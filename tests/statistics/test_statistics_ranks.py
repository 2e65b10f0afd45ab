import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from nas_attn.statistics import UNKNOWN, Estimate, estimate, kendall, resamples, spearman

values = st.lists(st.integers(0, 6), min_size=9, max_size=9)


@given(values, values, st.integers(0, 9))
def test_correlations_of_every_resample_are_those_of_scipy_on_the_networks_drawn(first, second, seed):
    drawn = np.random.default_rng(seed).multinomial(9, [1 / 9] * 9, size=4).astype(float)
    one, other = np.array(first, dtype=float), np.array(second, dtype=float)
    ours = zip(spearman(one, other, drawn), kendall(one, other, drawn), drawn.astype(int), strict=True)
    for rho, tau, counts in ours:
        x, y = np.repeat(one, counts), np.repeat(other, counts)
        if len(set(x)) > 1 and len(set(y)) > 1:
            assert rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
            assert tau == pytest.approx(kendalltau(x, y).statistic, abs=1e-9)
        else:
            assert np.isnan([rho, tau]).all()


def test_the_first_resample_is_the_sample_and_each_draws_as_many_networks():
    drawn = resamples(7, np.random.default_rng(0))
    assert drawn[0].tolist() == [1] * 7
    assert set(drawn.sum(axis=1)) == {7}
    assert drawn[1:].mean() == pytest.approx(1)
    assert drawn[1:].var() == pytest.approx(6 / 7, rel=0.1), "binomial: n p (1 - p)"


def test_an_estimate_leaves_out_resamples_that_do_not_define_it():
    known = estimate(np.array([0.5, np.nan, *np.linspace(0, 1, 101)]))
    assert (known.value, known.low, known.high) == pytest.approx((0.5, 0.025, 0.975))
    assert estimate(np.array([np.nan, 1.0])) == UNKNOWN


def test_an_estimate_is_told_with_its_interval():
    told = Estimate(0.05, -0.2, 0.301)
    assert str(told) == "0.05 (\N{MINUS SIGN}0.20 to 0.30)"
    assert told.inline == "0.05, \N{MINUS SIGN}0.20 to 0.30"
    assert str(UNKNOWN) == UNKNOWN.inline == "-"


def test_the_interval_of_a_correlation_holds_the_true_one_as_often_as_it_says():
    """Of 200 studies of 24 networks; three standard errors of a share of 0.95 of 200 are 0.046."""
    rng, true, held = np.random.default_rng(3), 6 / np.pi * np.arcsin(0.6 / 2), 0
    for _ in range(200):
        x = rng.normal(size=24)
        y = 0.6 * x + 0.8 * rng.normal(size=24)
        known = estimate(spearman(x, y, resamples(24, rng)))
        held += known.low <= true <= known.high
    assert held / 200 == pytest.approx(0.95, abs=0.046)
