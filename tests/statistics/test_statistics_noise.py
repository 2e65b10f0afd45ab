import numpy as np
import pytest
from made_up_trainings import trained
from scipy import stats

from nas_attn.statistics import adjusted_means, trainings
from nas_attn.statistics.noise import noise


def told(values):
    """What networks' own trainings tell of their noise, of values of shape (networks, trainings)."""
    squares = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    own = np.full(len(values), values.shape[1] - 1.0)
    return noise(squares, own, squares.sum() / own.sum())


@pytest.mark.parametrize(("networks", "each"), [(3, 8), (24, 3), (200, 5)])
def test_networks_differ_in_their_noise_where_bartletts_test_says_so(networks, each):
    rng = np.random.default_rng(7)
    studies = [
        np.exp(0.3 * rng.standard_normal((networks, 1))) * rng.standard_normal((networks, each)) for _ in "x" * 40
    ]
    differ = [np.isfinite(told(values).alike) for values in studies]
    assert differ == [stats.bartlett(*values).pvalue <= 0.05 for values in studies]
    assert any(differ)


def test_the_common_variance_and_how_far_it_counts_are_found_where_they_are_known():
    rng = np.random.default_rng(0)
    true = 2.0 * 6 / rng.chisquare(6, 20_000)
    found = told(np.sqrt(true)[:, None] * rng.standard_normal((len(true), 4)))
    assert found.alike == pytest.approx(6, rel=0.1)
    assert found.common == pytest.approx(2, rel=0.03)
    assert found.freedom == pytest.approx(9, rel=0.1)


def test_what_is_divided_by_a_shrunk_error_has_students_distribution_with_both_degrees_of_freedom():
    rng = np.random.default_rng(1)
    true = 3 / rng.chisquare(3, 20_000)
    values = np.sqrt(true)[:, None] * rng.standard_normal((len(true), 5))
    found = told(values)
    ratios = values.mean(axis=1) / np.sqrt(found.variances / 5)
    assert stats.kstest(ratios, "t", args=(7,)).statistic < 0.02
    assert stats.kstest(ratios, "norm").statistic > 0.02


def test_what_is_drawn_has_the_moments_of_what_was_fitted():
    rng = np.random.default_rng(2)
    values = np.exp(0.4 * rng.standard_normal((400, 1))) * rng.standard_normal((400, 6))
    found = told(values)
    true, pooled, shares = found.drawn(300, 2000, rng)
    assert np.log(true).mean() == pytest.approx(np.log(np.exp(0.4 * rng.standard_normal(10_000)) ** 2).mean(), abs=0.1)
    assert np.log(shares * pooled).std() == pytest.approx(np.log(found.variances).std(), rel=0.1)
    assert np.median(pooled) == pytest.approx(values.var(axis=1, ddof=1).mean(), rel=0.15)


def test_the_residuals_of_each_network_have_its_share_of_the_degrees_of_freedom():
    rows = [row for row in trained(3, networks=9, seeds=6) if row.seed < 3 or row["flops"] % 3e6]
    known = adjusted_means(trainings(rows, "accuracy"))
    who, when = trainings(rows, "accuracy").who, trainings(rows, "accuracy").when
    design = np.concatenate([np.eye(9)[who], np.eye(6)[when]], axis=1)
    left = 1 - np.diag(design @ np.linalg.pinv(design))
    assert known.noise.own == pytest.approx(np.bincount(who, left))
    assert known.noise.own.sum() == pytest.approx(known.freedom)


def test_two_networks_are_equally_noisy_and_a_network_of_one_training_is_as_the_others():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((2, 6)) * [[1.0], [9.0]]
    left = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0)
    left += values.mean()
    assert np.isinf(noise((left**2).sum(axis=1), np.full(2, 2.5), 1.0).alike)
    squares, own = np.array([1.0, 90.0, 2.0, 80.0, 0.0]) * 8, np.array([8.0, 8.0, 8.0, 8.0, 0.0])
    found = noise(squares, own, squares.sum() / own.sum())
    assert np.isfinite(found.alike)
    assert found.variances[-1] == pytest.approx(found.common)
