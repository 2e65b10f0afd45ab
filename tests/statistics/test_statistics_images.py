"""Variance of differences by the draw of images, against the analysis of variance and against simulated truths."""

import numpy as np
import pytest
from scipy import stats

from nas_attn.results import Outcomes
from nas_attn.statistics import FoldRecords, ImageRecords, image_records, image_variance

OWN = np.array([0.0, 0.5, 0.8, 0.2])
"""Standard deviation of what an image does to one network and not to all."""
NOISE = np.array([0.3, 0.9, 0.5, 0.6])
CONTRASTS = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-0.5, -0.5, 0.5, 0.5]])


def simulated(rng, seeds, images, own=OWN, noise=NOISE, by_seed=0.0):
    """What images got, shape (networks, seeds, images), with every effect of images, seeds and networks, and pairs."""
    networks, normal = len(own), rng.standard_normal
    return (
        3 * normal(images)
        + own[:, None, None] * normal((networks, 1, images))
        + 0.7 * normal((seeds, images))
        + normal((seeds, 1))
        + by_seed * normal((networks, seeds, 1))
        + noise[:, None, None] * normal((networks, seeds, images))
    )


def records(values, met=None):
    networks, seeds, images = values.shape
    who, when = (places.ravel() for places in np.indices((networks, seeds)))
    kept = np.ones(len(who), dtype=bool) if met is None else np.asarray(met, dtype=bool).ravel()
    return ImageRecords((FoldRecords(values.reshape(-1, images)[kept], who[kept], when[kept]),), networks)


def test_it_is_the_estimator_of_the_two_way_analysis_of_variance():
    values = simulated(np.random.default_rng(0), 5, 80)
    found = image_variance(records(values), CONTRASTS)
    for contrast, variance in zip(CONTRASTS, found.variances, strict=True):
        table = np.tensordot(contrast, values, 1)
        seeds, images = table.shape
        of_images = seeds * ((table.mean(0) - table.mean()) ** 2).sum() / (images - 1)
        rest = table - table.mean(0) - table.mean(1)[:, None] + table.mean()
        of_rest = (rest**2).sum() / ((seeds - 1) * (images - 1))
        assert variance == pytest.approx((of_images - of_rest) / seeds / images, rel=1e-9)


MET = {
    "all": np.ones((4, 5)),
    "raced": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]],
    "different seeds": [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0]],
}


@pytest.mark.parametrize("met", MET.values(), ids=MET)
def test_it_is_without_bias_whatever_the_seeds(met):
    rng = np.random.default_rng(1)
    images = 50
    drawn = [image_variance(records(simulated(rng, 5, images), met), CONTRASTS).variances for _ in range(300)]
    truth = CONTRASTS**2 @ OWN**2 / images
    error = 3 * np.std(drawn, axis=0) / np.sqrt(len(drawn))
    assert (np.abs(np.mean(drawn, axis=0) - truth) < error).all()
    assert (error < 0.2 * truth).all()


def test_a_network_with_one_seed_is_freed_of_the_mean_noise_of_the_others():
    rng, even = np.random.default_rng(2), np.full(4, 0.5)
    met = [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 0, 0]]
    contrast = np.array([[-1.0, 0, 0, 1]])
    found = [image_variance(records(simulated(rng, 4, 50, even, even), met), contrast).variances for _ in range(400)]
    assert np.mean(found) == pytest.approx(2 * 0.25 / 50, rel=0.15)


def test_where_all_have_one_seed_noise_counts_as_images():
    rng = np.random.default_rng(3)
    found = [image_variance(records(simulated(rng, 1, 50)), CONTRASTS[:2]).variances for _ in range(200)]
    assert np.mean(found, axis=0) == pytest.approx(CONTRASTS[:2] ** 2 @ (OWN**2 + NOISE**2) / 50, rel=0.1)


def test_without_effects_of_images_it_is_cut_off_at_nothing():
    rng, none = np.random.default_rng(4), np.zeros(4)
    found = np.array([image_variance(records(simulated(rng, 3, 60, none)), CONTRASTS).variances for _ in range(100)])
    assert found.min() == 0
    assert 0.3 < (found == 0).mean() < 0.7


def coverage(runs, seeds, images, own, contrasts, binary=False):
    """How often intervals of a family, with image and seed term, hold the truth for all images and seeds."""
    rng, hits = np.random.default_rng(5), 0
    noise = np.full(len(own), 0.5)
    for _ in range(runs):
        values = simulated(rng, seeds, images, own, noise, by_seed=0.05)
        truth = np.zeros(len(contrasts))
        if binary:
            values = (values > 0).astype(float)
        found = image_variance(records(values), contrasts)
        tables = np.tensordot(contrasts, values.mean(axis=2), 1)
        of_seeds = tables.var(axis=1, ddof=1) / seeds
        reach = np.hypot(
            stats.t.ppf(0.5 + 0.5 * 0.95 ** (1 / len(contrasts)), seeds - 1) * np.sqrt(of_seeds),
            found.quantile * np.sqrt(found.variances),
        )
        hits += (np.abs(tables.mean(axis=1) - truth) <= reach).all()
    return hits / runs


@pytest.mark.parametrize("binary", [False, True])
def test_intervals_with_both_terms_hold_the_truth(binary):
    own, contrasts = np.full(4, 0.8), np.eye(4)[1:] - np.eye(4)[0]
    assert 0.925 <= coverage(400, 8, 100, own, contrasts[:1], binary) <= 0.99
    assert 0.925 <= coverage(400, 8, 100, own, contrasts, binary) <= 0.99


def test_the_quantile_is_that_of_the_largest_of_many():
    values = simulated(np.random.default_rng(6), 6, 400, np.full(31, 1.0), np.full(31, 0.1))
    every = image_variance(records(values), np.eye(31)[1:] - np.eye(31)[0])
    single = image_variance(records(values), (np.eye(31)[1:] - np.eye(31)[0])[:1])
    assert single.quantile == pytest.approx(stats.t.ppf(0.975, 399), rel=0.02)
    correlation = np.full((30, 30), 0.5) + 0.5 * np.eye(30)
    drawn = np.random.default_rng(7).multivariate_normal(np.zeros(30), correlation, 20_000)
    assert every.quantile == pytest.approx(np.quantile(np.abs(drawn).max(axis=1), 0.95), abs=0.12)


def test_degrees_of_freedom_are_those_of_images_where_noise_is_little_and_fewer_where_few_images_differ():
    rng = np.random.default_rng(8)
    quiet = image_variance(records(simulated(rng, 4, 300, np.ones(2), np.full(2, 0.05))), np.array([[-1.0, 1.0]]))
    assert quiet.freedom[0] == pytest.approx(299, rel=0.15)
    right = np.ones((2, 4, 300))
    right[1, :, :12] = 0
    few = image_variance(records(right), np.array([[-1.0, 1.0]]))
    assert few.variances[0] == pytest.approx(np.var([0] * 288 + [1] * 12, ddof=1) / 300)
    assert 20 < few.freedom[0] < 30


def test_a_network_without_images_makes_its_contrasts_unknown():
    values = simulated(np.random.default_rng(9), 3, 40)
    kept = records(values, [[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]])
    found = image_variance(kept, CONTRASTS)
    assert np.isnan(found.variances).tolist() == [False, True, True]
    assert found[:1].variances[0] == pytest.approx(image_variance(records(values), CONTRASTS).variances[0])


def test_records_of_outcomes_are_in_the_order_of_the_networks():
    def outcome(*right):
        return Outcomes("ab" * 32, np.zeros(0, dtype=np.int32), {"accuracy": np.array(right)})

    found = {("b", 7): outcome(True, False), ("a", 0): outcome(True, True), ("elsewhere", 0): outcome(False, False)}
    kept = image_records(["a", "b", "c"], found, "accuracy")
    (fold,) = kept.folds
    assert (fold.who.tolist(), fold.when.tolist(), kept.networks, kept.images) == ([1, 0], [7, 0], 3, 2)
    assert fold.values.tolist() == [[1, 0], [1, 1]]
    assert image_records(["c"], found, "accuracy") is None
