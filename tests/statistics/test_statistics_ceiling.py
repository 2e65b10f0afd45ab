import math
from itertools import combinations

import numpy as np
import pytest
from made_up_audit import simulated
from pairing import paired_factor
from scipy.stats import f_oneway, spearmanr

from nas_attn.statistics import UNKNOWN, ceiling, components, resamples
from nas_attn.statistics.noise_ceiling import spearman_brown


def noisy(networks, seeds, between, noise, alike=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return (
        between * rng.normal(size=(networks, 1))
        + alike * rng.normal(size=(1, seeds))
        + noise * rng.normal(size=(networks, seeds))
    )


def limit(values):
    rng = np.random.default_rng(0)
    return ceiling(values, resamples(len(values), rng), rng)[0]


@pytest.mark.parametrize(("single", "seeds", "whole"), [(0.5, 1, 0.5), (0.5, 2, 2 / 3), (0.2, 4, 0.5), (-0.3, 3, 0)])
def test_a_mean_over_seeds_is_as_reliable_as_spearman_and_brown_say(single, seeds, whole):
    assert spearman_brown(single, seeds) == pytest.approx(whole)


def test_agreement_is_the_mean_over_all_pairs_of_seeds():
    values = noisy(20, 4, 1, 1)
    pairs = [spearmanr(values[:, one], values[:, other]).statistic for one, other in combinations(range(4), 2)]
    known = limit(values)
    r = np.mean(pairs)
    assert known.agreement.value == pytest.approx(r)
    assert known.reliability.value == pytest.approx(4 * r / (1 + 3 * r))
    assert known.reachable.value == pytest.approx(math.sqrt(4 * r / (1 + 3 * r)))
    assert known.agreement.low < r < known.agreement.high


def test_the_split_half_of_four_seeds_is_the_mean_over_three_halvings():
    values = noisy(20, 4, 1, 1)
    halves = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    told = [spearmanr(values[:, list(a)].mean(axis=1), values[:, list(b)].mean(axis=1)).statistic for a, b in halves]
    assert limit(values).split_half.value == pytest.approx(np.mean(told))


def test_a_perfect_ranking_without_noise_reaches_the_ceiling():
    """With 4,000 networks the standard error of a correlation is below 0.01; the formula is that of linear ones."""
    rng = np.random.default_rng(1)
    worth = rng.normal(size=4000)
    values = worth[:, None] + 1.2 * rng.normal(size=(4000, 3))
    r = np.mean([spearmanr(values[:, a], values[:, b]).statistic for a, b in combinations(range(3), 2)])
    reached = spearmanr(worth, values.mean(axis=1)).statistic
    assert math.sqrt(spearman_brown(r, 3)) == pytest.approx(reached, abs=0.02)


def test_one_seed_sets_no_ceiling():
    known = limit(noisy(10, 1, 1, 1))
    assert (known.seeds, known.agreement, known.reachable) == (1, UNKNOWN, UNKNOWN)


def test_the_components_of_variance_are_found_again():
    """Of 400 networks with 5 seeds: standard errors are 3.5 % and 1.8 %, so 10 % is three of them and more."""
    values = noisy(400, 5, between=2.0, noise=0.7, alike=3.0)
    known = components(values)
    assert (known.between, known.noise) == pytest.approx((2.0, 0.7), rel=0.1)
    assert known.p < 1e-9
    assert components(values, paired=False).noise > 1.5, "what a seed adds to all is noise where it is not paired"


def test_the_unpaired_f_test_is_that_of_scipy():
    values = noisy(12, 3, between=0.4, noise=1.0)
    assert components(values, paired=False).p == pytest.approx(f_oneway(*values).pvalue)


def test_networks_that_differ_by_noise_alone_do_not_differ():
    values = noisy(300, 4, between=0.0, noise=1.0)
    known = components(values)
    assert known.between < 0.15
    assert known.p > 0.01


def test_without_several_networks_and_seeds_there_are_no_components():
    assert math.isnan(components(noisy(1, 4, 1, 1)).p)
    assert math.isnan(components(noisy(4, 1, 1, 1)).noise)


@pytest.mark.parametrize(("alike", "expected"), [(0.0, 1.0), (0.2, 0.0004 / (0.0004 + 0.04))])
def test_the_paired_factor_is_what_is_left_when_seeds_are_shared(alike, expected):
    """Variance (noise + noise) / (noise + alike + noise + alike); of 30 seeds its standard error is near a quarter."""
    rows, _ = simulated(networks=12, seeds=30, alike=alike)
    found = paired_factor(rows)
    assert found["loss"].value == pytest.approx(expected, rel=0.5)
    assert found["loss"].low < found["loss"].value < found["loss"].high
    assert found["accuracy"].value == pytest.approx(found["loss"].value), "accuracy is 1 - loss here"


def test_the_paired_factor_needs_the_bare_network_and_two_seeds():
    rows, _ = simulated(networks=4, seeds=3)
    assert paired_factor(row for row in rows if row.architecture != "none")["loss"] == UNKNOWN
    assert paired_factor(row for row in rows if row.seed == 0)["loss"] == UNKNOWN
    assert paired_factor([])["loss"] == UNKNOWN
