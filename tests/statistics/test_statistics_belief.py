import numpy as np
import pytest
from made_up import evaluation

from nas_attn.statistics import posterior


def rows_of(values, done=None):
    done = np.ones(values.shape, dtype=bool) if done is None else done
    return [
        evaluation("none", key=f"n{number}", accuracy=float(values[number, seed]), seed=int(seed), state="complete")
        for number, seed in zip(*np.nonzero(done), strict=True)
    ]


def errors_of(spread, raced, studies=25, networks=16, seeds=4):
    """Errors of networks against their mean in standard deviations of belief, and whether intervals hold them."""
    errors, held = [], []
    for study in range(studies):
        rng = np.random.default_rng(study)
        truth = spread * rng.standard_normal(networks)
        values = truth[:, None] + rng.standard_normal((networks, seeds)) + 3 * rng.standard_normal(seeds)
        done = np.ones(values.shape, dtype=bool)
        if raced:
            done[:, 2:] = False
            done[np.argsort(-values[:, :2].mean(axis=1))[:5], 2:] = True
        draws = posterior(rows_of(values, done), "accuracy").draws
        gains, true = draws - draws.mean(axis=1, keepdims=True), truth - truth.mean()
        low, high = np.quantile(gains, [0.025, 0.975], axis=0)
        held.append((low <= true) & (true <= high))
        errors.append((true - gains.mean(axis=0)) / gains.std(axis=0))
    return np.concatenate(errors), np.concatenate(held)


@pytest.mark.parametrize(("spread", "raced"), [(0.3, False), (1.0, False), (3.0, False), (1.0, True)])
def test_intervals_hold_the_truth_as_often_as_they_say(spread, raced):
    """Of 400 networks 95 % are to be held; 90 % is what a spread that is not known leaves in the worst case."""
    errors, held = errors_of(spread, raced)
    assert 0.9 <= held.mean() <= 0.99
    assert abs(errors.mean()) < 0.1
    assert 0.7 < errors.std() < 1.25


def test_far_apart_networks_are_believed_as_they_were_measured():
    rng = np.random.default_rng(0)
    values = 100 * np.arange(8.0)[:, None] + rng.standard_normal((8, 5))
    belief = posterior(rows_of(values), "accuracy")
    assert belief.draws.mean(axis=0) == pytest.approx(values.mean(axis=1), abs=0.1)
    pooled = (values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()).var(ddof=0) * 40 / 28
    assert belief.noise == pytest.approx(np.sqrt(pooled), rel=0.1)


def test_networks_that_do_not_differ_are_believed_alike():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((30, 5))
    belief = posterior(rows_of(values), "accuracy")
    assert belief.draws.mean(axis=0).std() < 0.5 * values.mean(axis=1).std()


def test_one_seed_each_is_no_belief_and_two_of_two_networks_are():
    rng = np.random.default_rng(0)
    assert np.isnan(posterior(rows_of(rng.standard_normal((5, 1))), "accuracy").draws).all()
    assert np.isfinite(posterior(rows_of(rng.standard_normal((2, 2))), "accuracy").draws).all()
    assert posterior([], "accuracy").networks == ()
