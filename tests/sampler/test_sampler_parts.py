import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from nas_attn.sampler.evidence import Evidence, Observations, warped
from nas_attn.sampler.features import Encoding
from nas_attn.sampler.improvement import expected_improvement, hypervolume_cells
from nas_attn.sampler.kernel import Kernel, Layout
from nas_attn.sampler.posterior import Posterior
from nas_attn.sampler.surrogate import Surrogate

LABELS = [["a", "b", "c"], ["a", "b", "c"], ["x", "y", "y"]]


def made_up(networks, costs=2, draws=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.unique(rng.integers(0, 3, (3 * networks, 3)), axis=0)[:networks]
    prices = rng.gamma(2, 1, (len(codes), costs))
    encoding = Encoding(LABELS, prices)
    features = encoding(codes, prices)
    layout = Layout(3, features.counts.shape[1], costs)
    candidate = np.repeat(np.arange(len(codes)), draws)
    seen = Observations(features, candidate, rng.normal(size=len(candidate)))
    theta = layout.prior[0] + 0.3 * rng.normal(size=len(layout.prior[0]))
    return codes, prices, encoding, layout, seen, theta


def test_the_covariance_is_the_sum_that_it_says():
    codes, prices, encoding, layout, seen, theta = made_up(7)
    of = {name: np.exp(theta[part]) for name, part in layout.slices.items()}
    logs = np.log(prices)
    scaled = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    counts = np.array([[[*map(LABELS.__getitem__, range(3))][p][c] for p, c in enumerate(code)] for code in codes])
    counted = np.array([[(row == label).sum() for label in "abcxy"] for row in counts]) * 2 / np.sqrt(3)
    expected = np.empty((len(codes), len(codes)))
    for i, one in enumerate(codes):
        for j, other in enumerate(codes):
            alike = (one == other).astype(float)
            alike[2] = (alike[2] + (counts[i, 2] == counts[j, 2])) / 2
            expected[i, j] = (
                1
                + of["additive"] @ alike
                + of["interaction"][0] * np.prod(np.exp(-of["inverse_length"] * (1 - alike)))
                + of["count"][0] * np.exp(-(((counted[i] - counted[j]) / of["count_length"]) ** 2).sum() / 2)
                + of["smooth"][0] * np.exp(-(((scaled[i] - scaled[j]) / of["smooth_length"]) ** 2).sum() / 2)
                + (of["linear"] * scaled[i] * scaled[j]).sum()
            )
    kernel = Kernel(layout, encoding.places, theta)
    assert kernel(seen.features, seen.features) == pytest.approx(expected)
    assert kernel.variance(seen.features) == pytest.approx(np.diag(expected))


def test_the_evidence_is_the_density_of_all_draws_and_of_the_hyper_parameters():
    _, _, encoding, layout, seen, theta = made_up(6)
    kernel = Kernel(layout, encoding.places, theta)
    each = seen.features[seen.candidate]
    noise = np.full(len(seen.values), np.exp(theta[layout.slices["noise"]][0]))
    warp, top = np.exp(theta[layout.slices["warp"]][0]), seen.values.max()
    inside = -warp * np.log(1 + (top - seen.values) / warp)
    density = multivariate_normal(cov=kernel(each, each) + np.diag(noise)).logpdf(inside)
    density -= np.log(1 + (top - seen.values) / warp).sum()
    prior = -(((theta - layout.prior[0]) / layout.prior[1]) ** 2).sum() / 2
    other = theta + 0.2
    found, _ = Evidence(layout, encoding.places, seen)(theta)

    def constant(draws):
        """What the evidence leaves out, because no hyper-parameter changes it."""
        return len(draws) * np.log(2 * np.pi) / 2 + np.log(seen.times).sum() / 2

    assert found == pytest.approx(-density - prior - constant(inside), rel=1e-5)
    assert Evidence(layout, encoding.places, seen)(other)[0] != pytest.approx(found)


def test_the_gradient_of_the_evidence_is_that_of_small_steps():
    _, _, encoding, layout, seen, theta = made_up(12)
    evidence = Evidence(layout, encoding.places, seen)
    slopes = approx_fprime(theta, lambda at: evidence(at)[0], 1e-7)
    assert evidence(theta)[1] == pytest.approx(slopes, rel=1e-3, abs=1e-3)


def test_a_posterior_that_is_given_more_is_that_of_the_textbook():
    _, _, encoding, layout, seen, theta = made_up(15, draws=1)
    kernel, features = Kernel(layout, encoding.places, theta), seen.features
    values, noise = seen.values[:9], np.linspace(0.1, 0.3, 9)
    posterior = Posterior.prior(kernel, features)
    for part in (slice(0, 5), slice(5, 6), slice(6, 9)):
        posterior = posterior.given(features[part], values[part], noise[part])
    inverse = np.linalg.inv(kernel(features[:9], features[:9]) + np.diag(noise))
    across = kernel(features, features[:9])
    mean, variance = posterior.at(features)
    assert mean == pytest.approx(across @ inverse @ values, abs=1e-6)
    assert variance == pytest.approx(np.diag(kernel(features, features) - across @ inverse @ across.T), abs=1e-6)
    assert posterior.at(features[:])[0] == pytest.approx(mean)
    assert posterior.at(features[:])[1] == pytest.approx(variance)


def test_what_is_expected_to_come_out_changes_no_mean_and_takes_uncertainty_away():
    codes, _, encoding, _, seen, _ = made_up(20, draws=1)
    evaluated = {tuple(code): [float(value)] for code, value in zip(codes[:12].tolist(), seen.values, strict=False)}
    surrogate = Surrogate.of(encoding, seen.features, seen.features[:12], evaluated, None)
    after = surrogate.expecting(seen.features[15:17])
    (mean, variance), (mean_after, variance_after) = (one.posterior.at(seen.features) for one in (surrogate, after))
    assert mean_after == pytest.approx(mean, abs=1e-8)
    assert (variance_after[15:17] < variance[15:17]).all()


@pytest.mark.parametrize("rows", [5, 1200])
def test_a_surrogate_follows_an_additive_objective_from_few_rows_and_from_many(rows):
    rng = np.random.default_rng(1)
    codes = np.unique(rng.integers(0, 3, (4000, 8)), axis=0)[: max(rows, 400)]
    rng.shuffle(codes)
    true = codes @ rng.normal(size=8)
    encoding = Encoding([["0", "1", "2"]] * 8, np.ones((len(codes), 1)))
    features = encoding(codes, np.ones((len(codes), 1)))
    seen = {tuple(code): [true[n] + 0.1 * rng.normal()] for n, code in enumerate(codes[:rows].tolist())}
    surrogate = Surrogate.of(encoding, features, features[:rows], seen, None)
    expected = surrogate.expected(features)
    assert np.isfinite(expected).all()
    if rows > 5:
        assert np.corrcoef(expected, true)[0, 1] > 0.99


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_expected_improvement_is_what_draws_gain_on_average(dimensions):
    rng = np.random.default_rng(dimensions)
    costs, values = rng.uniform(0, 1, (12, dimensions)), rng.uniform(-2, 1, 12)
    worst, least, warp = np.full(dimensions, 1.1), -0.5, 2.0
    at = rng.uniform(0, 1, (4, dimensions))
    mean, variance = rng.normal(0.3, 0.5, 4), rng.uniform(0.1, 0.5, 4)
    above = hypervolume_cells(costs, values, np.zeros(dimensions), (worst, least))
    levels = -warp * np.log(1 - above.levels / warp)
    found = above.improvement(at, expected_improvement(mean, variance, levels, warp))
    points = rng.uniform(0, 1.1, (40_000, dimensions))
    draws = warp * (1 - np.exp(-(mean[:, None] + np.sqrt(variance)[:, None] * rng.normal(size=(4, 40_000))) / warp))
    best = np.array([max([least, *values[(costs <= point).all(axis=1)]]) for point in points])
    gains = np.where((at[:, None] <= points).all(axis=2), np.maximum(draws - best, 0), 0) * 1.1**dimensions
    error = gains.std(axis=1) / np.sqrt(gains.shape[1])
    assert (np.abs(gains.mean(axis=1) - found) < 4.5 * error + 1e-9).all()
    assert (found > 0).all()


def test_the_curve_that_is_warped_little_is_a_straight_line():
    values = np.linspace(-2, 1, 7)
    assert warped(values, 1.0, 1e6) == pytest.approx(values - 1, abs=1e-5)
