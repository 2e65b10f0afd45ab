import numpy as np
import pytest
from made_up import evaluation
from made_up_trainings import balanced
from scipy.stats import multivariate_t, t

from nas_attn.statistics import Contrasts, Family, additive, adjusted_means, compared, trainings


def against_first(means, seeds=4, variance=1.0, freedom=None):
    """Every network against the first, all of them with the same seeds."""
    known = balanced(means, seeds, variance, freedom)
    fit = additive([{} for _ in means], [False] * len(means), known)
    differences = [{network: 1.0, 0: -1.0} for network in range(1, len(means))]
    return compared(known, fit, Family.single(Contrasts.few(differences, len(means))))


@pytest.fixture
def one_look(monkeypatch):
    """Intervals hold for the seeds at hand, and for no other number of them."""
    monkeypatch.setattr("nas_attn.statistics.simultaneous.widening", lambda *_: 1.0)


@pytest.mark.usefixtures("one_look")
def test_one_difference_alone_has_the_interval_of_the_paired_t_test():
    told = against_first([0.0, 1.0], seeds=5, variance=2.0, freedom=4)
    reach = t.ppf(0.975, 4) * np.sqrt(2 * 2.0 / 5)
    assert told.high[0] - told.values[0] == pytest.approx(reach, rel=0.04)
    assert told.p[0] == pytest.approx(2 * t.sf(1 / np.sqrt(4 / 5), 4), abs=0.015)


@pytest.mark.usefixtures("one_look")
@pytest.mark.parametrize("networks", [4, 9])
def test_many_against_one_are_corrected_as_dunnett_does(networks):
    told = against_first([0.0, *np.linspace(0.2, 2.2, networks - 1)])
    freedom = (networks - 1) * 3
    shape = 0.5 * np.eye(networks - 1) + 0.5
    for value, p in zip(told.values, told.p, strict=True):
        reach = np.full(networks - 1, value / np.sqrt(2 / 4))
        exact = 1 - multivariate_t(shape=shape, df=freedom, seed=1).cdf(reach, lower_limit=-reach)
        assert p == pytest.approx(exact, abs=0.015)
    assert np.array_equal(told.p < 0.05, told.low > 0)


def test_what_would_just_be_shown_is_told_by_the_square_of_the_interval():
    told = against_first([0.0, 0.5, 1.0])
    half = told.high - told.values
    assert told.missing == pytest.approx((half / told.values) ** 2)


def test_nothing_is_known_without_a_degree_of_freedom_and_all_without_noise():
    known = balanced([0.0, 1.0], 1, np.nan, 0)
    fit = additive([{}, {}], [False, False], known)
    told = compared(known, fit, Family.single(Contrasts.few([{0: -1.0, 1: 1.0}], 2)))
    assert told.values[0] == 1
    assert np.isnan([told.low[0], told.high[0], told.p[0]]).all()
    sure = against_first([0.0, 1.0, 0.0], variance=0.0)
    assert (sure.low > 0).tolist() == [True, False]


@pytest.mark.usefixtures("one_look")
def test_networks_that_differ_in_how_noisy_they_are_stray_from_the_first_as_often_as_others(monkeypatch):
    def strayed(study):
        rng = np.random.default_rng(study)
        values = np.exp(0.6 * rng.standard_normal((60, 1))) * rng.standard_normal((60, 5))
        rows = [
            evaluation("none", key=f"{network:02}", seed=seed, state="complete", accuracy=values[network, seed])
            for network, seed in np.ndindex(60, 5)
        ]
        known = adjusted_means(trainings(rows, "accuracy"))
        fit = additive([{} for _ in values], [False] * len(values), known)
        against = Contrasts.few([{network: 1.0, 0: -1.0} for network in range(1, 60)], 60)
        told = compared(known, fit, Family.single(against))
        return bool(((told.low > 0) | (told.high < 0)).any())

    assert sum(map(strayed, range(40))) <= 5
    monkeypatch.setattr("nas_attn.statistics.noise._bartlett", lambda *_: 1.0)
    assert sum(map(strayed, range(40))) > 10
