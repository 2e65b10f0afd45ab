"""Variance by the draw of images where folds validate in turn, against least squares by numpy and planted truths."""

import numpy as np
import pytest
from scipy import stats

from nas_attn.results import Outcomes
from nas_attn.statistics import FoldRecords, ImageRecords, image_records, image_variance
from nas_attn.statistics.turns import Turns

OWN = np.full(4, 0.6)
"""Standard deviation of what an image does to one network and not to all."""
NOISE = np.full(4, 0.5)
CONTRASTS = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-0.5, -0.5, 0.5, 0.5]])
ALL = {seeds: np.ones((4, seeds)) for seeds in (2, 3, 4, 6)}
RACED = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])


def simulated(rng, folds, images, met):
    """Records of trainings whose seeds validate on folds in turn, and their means, shape (networks, seeds)."""
    normal, (networks, seeds) = rng.standard_normal, met.shape
    found, means = [], np.full(met.shape, np.nan)
    for fold in range(folds):
        own, values, who, when = OWN[:, None] * normal((networks, images)), [], [], []
        common = 3 * normal(images)
        for seed in range(fold, seeds, folds):
            of_seed = 0.7 * normal(images) + normal()
            for network in np.flatnonzero(met[:, seed]):
                noise = 0.05 * normal() + NOISE[network] * normal(images)
                values.append(common + own[network] + of_seed + noise)
                who.append(network)
                when.append(seed)
                means[network, seed] = values[-1].mean()
        if values:
            found.append(FoldRecords(np.array(values), np.array(who), np.array(when)))
    return ImageRecords(tuple(found), networks), means


def fitted(means):
    """Contrasts of networks and seeds fitted by numpy's least squares: values, variances by residuals, freedom."""
    places = np.argwhere(np.isfinite(means))
    design = np.zeros((len(places), sum(means.shape)))
    design[np.arange(len(places)), places[:, 0]] = 1
    design[np.arange(len(places)), means.shape[0] + places[:, 1]] = 1
    inverse, values = np.linalg.pinv(design), means[tuple(places.T)]
    shares = np.pad(CONTRASTS, ((0, 0), (0, means.shape[1]))) @ inverse
    residuals = np.eye(len(places)) - design @ inverse
    freedom = round(np.trace(residuals))
    variance = values @ residuals @ values / freedom
    return shares @ values, variance * (shares**2).sum(axis=1), freedom, places, shares, residuals


@pytest.mark.parametrize("met", [*ALL.values(), RACED], ids=[*map(str, ALL), "raced"])
def test_shares_of_folds_and_what_noise_contains_are_those_of_least_squares(met):
    rng, folds = np.random.default_rng(0), 3
    *_, freedom, places, shares, residuals = fitted(np.where(met, rng.standard_normal(met.shape), np.nan))
    by_fold = np.array([met * (np.arange(met.shape[1]) % folds == fold) for fold in range(min(folds, met.shape[1]))])
    turns, images = Turns(by_fold, [40, 50, 60][: len(by_fold)]), np.array([40, 50, 60])
    for fold, part in enumerate(turns.parts(CONTRASTS)):
        for network in range(4):
            chosen = (places[:, 0] == network) & (places[:, 1] % folds == fold)
            np.testing.assert_allclose(part[:, network], shares[:, chosen].sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(sum(turns.parts(CONTRASTS)), CONTRASTS, atol=1e-12)
    root = rng.standard_normal((4, 4))
    covariance = (root @ root.T)[np.ix_(places[:, 0], places[:, 0])]
    together = places[:, [1]] % folds == places[:, 1] % folds
    of_images = np.where(together, covariance / images[places[:, 1] % folds], 0)
    expected = (shares**2).sum(axis=1) * np.trace(residuals @ of_images) / freedom
    np.testing.assert_allclose(turns.contained(CONTRASTS, root @ root.T), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("met", "images", "contrast"),
    [(ALL[2], 30, 0), (ALL[3], 30, 2), (ALL[4], 80, 0), (ALL[6], 50, 2), (RACED, 400, 1)],
    ids=["two of three folds", "a seed each", "one fold twice", "two seeds each", "raced"],
)
def test_both_terms_together_are_what_a_contrast_really_varies_by(met, images, contrast):
    """Over other seeds and other images; where each fold has one seed, all of it is in the noise of seeds already."""
    rng, said, folds = np.random.default_rng(1), [], 3
    for _ in range(200):
        records, means = simulated(rng, folds, images, met)
        found = image_variance(records, CONTRASTS[[contrast]])
        said.append(fitted(means)[1][contrast] + found.variances[0] - found.contained[0])
    *_, places, shares, _ = fitted(means)
    of_fold = np.zeros((4, folds))
    np.add.at(of_fold, (places[:, 0], places[:, 1] % folds), shares[contrast])
    truth = OWN**2 @ (of_fold**2).sum(axis=1) / images
    truth += (0.05**2 + NOISE**2 / images)[places[:, 0]] @ shares[contrast] ** 2
    error = 3 * np.std(said) / np.sqrt(len(said))
    assert np.mean(said) == pytest.approx(truth, abs=error)
    assert error < 0.2 * truth


def test_the_more_images_judge_the_smaller_the_term_of_images():
    """With as many seeds: 3 folds of 50 images vary by images as 150 images do, and not as 50."""
    rng, sizes = np.random.default_rng(2), {}
    for folds in (1, 2, 3):
        found = [image_variance(simulated(rng, folds, 50, ALL[6])[0], CONTRASTS[2:]) for _ in range(200)]
        assert {one.images for one in found} == {50 * folds}
        sizes[folds] = np.mean([one.variances for one in found])
        assert sizes[folds] == pytest.approx(CONTRASTS[2] ** 2 @ OWN**2 / (50 * folds), rel=0.1)
    assert sizes[1] > sizes[2] > sizes[3]


@pytest.mark.parametrize(("folds", "seeds"), [(3, 3), (2, 6)])
def test_intervals_hold_the_truth_as_often_as_they_say(folds, seeds):
    rng, hits, runs = np.random.default_rng(3), 0, 400
    for _ in range(runs):
        records, means = simulated(rng, folds, 30, ALL[seeds])
        value, of_seeds, freedom, *_ = fitted(means)
        found = image_variance(records, CONTRASTS[2:])
        beyond = (found.quantile**2 * (found.variances - found.contained))[0]
        hits += value[2] ** 2 <= stats.t.ppf(0.975, freedom) ** 2 * of_seeds[2] + beyond
    assert 0.92 <= hits / runs <= 0.985


def test_folds_are_told_apart_by_their_images_and_how_many_have_judged_is_known():
    def outcome(images, *right):
        return Outcomes(images * 32, np.zeros(0, dtype=np.int32), {"accuracy": np.array(right)})

    found = {
        ("b", 1): outcome("cd", True, False, False),
        ("a", 0): outcome("ab", True, True),
        ("b", 0): outcome("ab", False, True),
        ("a", 3): outcome("ab", True, False),
    }
    kept = image_records(["a", "b"], found, "accuracy", folds=4)
    assert ([fold.who.tolist() for fold in kept.folds], kept.images, kept.share) == ([[0, 1, 0], [1]], 5, 0.5)
    assert [fold.when.tolist() for fold in kept.folds] == [[0, 0, 3], [1]]
    assert kept.who.tolist() == [0, 1, 0, 1]
    assert image_records(["a", "b"], {**found, ("a", 1): outcome("ef", True)}, "accuracy", folds=4) is None


def test_a_network_without_images_makes_its_contrasts_unknown():
    records, _ = simulated(np.random.default_rng(4), 3, 40, np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]]))
    found = image_variance(records, CONTRASTS)
    assert np.isnan(found.variances).tolist() == [False, True, True]
