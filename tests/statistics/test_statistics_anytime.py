"""Intervals that hold after any number of seeds, against exact and simulated probabilities."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, t

from nas_attn.statistics import anytime
from nas_attn.statistics.anytime import boundary, widening

LEVELS = (0.05, 0.004, 1e-4)


def crossing(level, looks):
    """The probability that the mean of normal noise crosses the boundary at any look, by integrating look by look."""
    bounds = [boundary(level, int(seeds)) * np.sqrt(seeds) for seeds in looks]
    place = np.linspace(-bounds[0], bounds[0], 801)
    density, crossed = norm.pdf(place, scale=np.sqrt(looks[0])), 2 * norm.sf(bounds[0], scale=np.sqrt(looks[0]))
    for before, seeds, bound in zip(looks, looks[1:], bounds[1:], strict=False):
        mass, step = density * np.gradient(place), np.sqrt(seeds - before)
        crossed += mass @ (norm.sf(bound - place, scale=step) + norm.sf(bound + place, scale=step))
        further = np.linspace(-bound, bound, 801)
        density = norm.pdf(further[:, None] - place, scale=step) @ mass
        place = further
    return crossed


@pytest.mark.parametrize("level", LEVELS)
def test_noise_crosses_the_boundary_no_more_often_than_is_said_at_any_of_1_000_seeds(level):
    looks = np.unique([*range(2, 30), *np.geomspace(30, 1000, 40).astype(int)])
    assert 0.6 * level < crossing(level, looks) < level


def test_the_integral_is_what_the_normal_distribution_of_all_looks_says():
    looks = np.arange(2, 6)
    shape = np.sqrt(np.minimum.outer(looks, looks) / np.maximum.outer(looks, looks))
    bounds = np.array([boundary(0.05, int(seeds)) for seeds in looks])
    exact = multivariate_normal.cdf(bounds, cov=shape, abseps=1e-5, lower_limit=-bounds)
    assert crossing(0.05, looks) == pytest.approx(1 - exact, abs=2e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_the_boundary_is_below_the_one_that_holds_at_every_moment(level):
    """Which is Robbins': a walk with steps of 1 stays below sqrt((n + r) (2 log(1 / level) + log((n + r) / r)))."""
    for seeds in (2, 5, 20, 200):
        always = np.sqrt((seeds + 0.3) * (2 * np.log(1 / level) + np.log((seeds + 0.3) / 0.3)))
        assert norm.isf(level / 2) < boundary(level, seeds) < always / np.sqrt(seeds)


def test_the_boundary_that_holds_at_every_moment_is_that_of_the_package_confseq(monkeypatch):
    """Which tests its `normal_mixture_bound` of two sides by this value, for the rho that is best at 100."""
    monkeypatch.setattr(anytime, "_SEEDS", 100 / (2 * np.log(20) + np.log(1 + 2 * np.log(20))))
    monkeypatch.setattr(anytime, "_WHOLE", 0.0)
    assert 10 * boundary(0.05, 100) == pytest.approx(30.35209, abs=1e-5)


@pytest.mark.parametrize("networks", [2, 5])
def test_paired_differences_with_unknown_noise_cross_it_as_seldom(networks):
    """Noise is pooled over networks: with two of them there is 1 degree of freedom after 2 seeds."""
    values = np.random.default_rng(0).standard_normal((10_000, networks, 12))
    crossed = np.zeros(10_000, dtype=bool)
    for seeds in range(2, 13):
        some, freedom = values[:, :, :seeds], (networks - 1) * (seeds - 1)
        left = some - some.mean(2, keepdims=True) - some.mean(1, keepdims=True) + some.mean((1, 2), keepdims=True)
        errors = np.sqrt((left**2).sum((1, 2)) / freedom * 2 / seeds)
        once = t.isf(0.025, freedom)
        gains = some[:, 1].mean(1) - some[:, 0].mean(1)
        crossed |= np.abs(gains / errors) > once * widening(once, seeds, freedom)
    assert 0.03 < crossed.mean() < 0.05
