import numpy as np
import pytest
from made_up import evaluation

from nas_attn.space import InputError
from nas_attn.statistics import Contrasts, adjusted_means, trainings


def rows_of(values):
    """A row for each finite number of a block of networks by seeds."""
    return [
        evaluation(f"stage{number}.b=se", key=f"n{number}", accuracy=float(value), seed=seed, state="complete")
        for number, line in enumerate(values)
        for seed, value in enumerate(line)
        if np.isfinite(value)
    ]


@pytest.fixture(scope="module")
def gaps():
    """8 networks by 5 seeds, a third of which was not trained."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((8, 5)) + 2 * rng.standard_normal(5)
    values[rng.random((8, 5)) < 0.35] = np.nan
    return values


def test_networks_and_seeds_are_fitted_as_a_regression_on_dummies_fits_them(gaps):
    who, when = np.nonzero(np.isfinite(gaps))
    design = np.concatenate([np.eye(8)[who], np.eye(5)[when][:, 1:]], axis=1)
    y = gaps[who, when]
    solved, squares, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    found = adjusted_means(trainings(rows_of(gaps), "accuracy"))
    assert found.freedom == len(y) - rank
    assert found.variance == pytest.approx(squares[0] / found.freedom)
    assert found.means - found.means[0] == pytest.approx(solved[:8] - solved[0])
    inverse = np.linalg.inv(design.T @ design)[:8, :8]
    against = np.eye(8)[1:] - np.eye(8)[0]
    assert found.covariance(against) == pytest.approx(against @ inverse @ against.T)
    assert found.variances(Contrasts.many(against)) == pytest.approx(np.diag(against @ inverse @ against.T))
    drawn = against @ found.drawn(200_000, np.random.default_rng(0))[0]
    assert np.cov(drawn) == pytest.approx(found.variance * found.covariance(against), rel=0.05, abs=0.01)
    assert against @ np.linalg.pinv(found.information(np.eye(8))) @ against.T == pytest.approx(
        found.covariance(against)
    )


def test_less_loss_is_more_worth_and_a_shift_of_a_seed_changes_no_difference(gaps):
    found, less = (
        adjusted_means(trainings(rows_of(gaps), "accuracy")),
        adjusted_means(trainings(rows_of(gaps), "accuracy"), -1.0),
    )
    moved = adjusted_means(trainings(rows_of(gaps + np.array([0, 5, -3, 1, 0])), "accuracy"))
    assert less.means - less.means[0] == pytest.approx(found.means[0] - found.means)
    assert moved.means - moved.means[0] == pytest.approx(found.means - found.means[0])
    assert moved.variance == pytest.approx(found.variance)


def test_networks_that_are_linked_by_no_seed_are_not_compared():
    values = np.full((4, 4), np.nan)
    values[:2, :2], values[2:, 2:] = [[1.0, 2.0], [3.0, 4.5]], [[1.0, 2.0], [3.0, 4.5]]
    found = adjusted_means(trainings(rows_of(values), "accuracy"))
    one = np.eye(4)
    assert found.comparable(Contrasts.many(np.array([one[0] - one[1], one[2] - one[3], one[0] - one[2]]))).tolist() == [
        True,
        True,
        False,
    ]
    assert found.freedom == 2


def test_one_seed_each_tells_no_noise():
    found = adjusted_means(trainings(rows_of([[1.0], [2.0], [4.0]]), "accuracy"))
    assert found.freedom == 0
    assert np.isnan(found.variance)
    assert found.means - found.means[0] == pytest.approx([0, 1, 3])


def test_the_last_row_of_a_network_and_seed_counts_and_failed_ones_do_not():
    rows = [*rows_of([[1.0, 2.0]]), *rows_of([[3.0]])]
    rows.append(evaluation("none", accuracy=9.0, state="failed"))
    known = trainings(rows, "accuracy")
    assert sorted(known.values.tolist()) == [2.0, 3.0]
    assert known.counts.tolist() == [2]
    assert len(trainings([], "loss").networks) == 0


def test_rows_of_two_steps_are_refused():
    rows = rows_of([[1.0]])
    other = evaluation("none", accuracy=1.0, state="complete", step="scratch")
    with pytest.raises(InputError, match="steps final, scratch"):
        trainings([*rows, other], "accuracy")


def test_the_spread_over_seeds_is_pooled_over_networks(gaps):
    known = trainings(rows_of(gaps), "accuracy")
    lines = [line[np.isfinite(line)] for line in gaps]
    squares = sum(((line - line.mean()) ** 2).sum() for line in lines)
    expected = squares / sum(len(line) - 1 for line in lines)
    assert known.spread == pytest.approx(np.sqrt(expected))
    assert np.isnan(trainings(rows_of(gaps[:, :1]), "accuracy").spread)
