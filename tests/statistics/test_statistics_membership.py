import moocore
import numpy as np
import pytest
from made_up import evaluation

from nas_attn.statistics import lookahead, membership
from nas_attn.statistics.front_probability import Cheaper


def study(seed, networks=12, seeds=3, spread=1.0, noise=1.0, minutes=0.5):
    """Rows of networks whose worth is drawn, each dearer than the one before, and the worth."""
    rng = np.random.default_rng(seed)
    worth = spread * rng.standard_normal(networks) + 0.15 * np.arange(networks)
    values = worth[:, None] + rng.standard_normal(seeds) + noise * rng.standard_normal((networks, seeds))
    rows = [
        evaluation(
            f"stage{number}.b=se" if number else "none",
            accuracy=0.9 + 0.01 * float(value),
            loss=0.4 - 0.01 * float(value),
            flops=1000 + number,
            seed=index,
            state="complete",
            train_seconds=60 * minutes,
        )
        for number, line in enumerate(values)
        for index, value in enumerate(line)
    ]
    return rows, worth


def true_front(worth):
    """A dearer network is on the front where it is better than all that are cheaper."""
    return np.array([worth[number] > max(worth[:number], default=-np.inf) for number in range(len(worth))])


def test_fronts_of_many_draws_are_those_of_moocore_ties_included():
    rng = np.random.default_rng(0)
    for costs in (0, 1, 2):
        prices = rng.integers(4, size=(9, costs)).astype(float)
        losses = rng.integers(5, size=(200, 9)).astype(float)
        expected = [
            moocore.is_nondominated(np.column_stack([drawn, prices]), keep_weakly=True).tolist() for drawn in losses
        ]
        assert Cheaper.of(prices).front(losses).tolist() == expected


def test_of_networks_with_some_probability_as_many_are_on_the_front():
    chances, truths = [], []
    for seed in range(25):
        rows, worth = study(seed)
        chances.append(membership(rows, ["accuracy", "flops"]).probability)
        truths.append(true_front(worth))
    chance, truth = np.concatenate(chances), np.concatenate(truths)
    assert truth.mean() == pytest.approx(chance.mean(), abs=0.05)
    for low, high in ((0, 0.05), (0.05, 0.35), (0.35, 0.7), (0.7, 0.95)):
        inside = (chance >= low) & (chance <= high)
        error = np.sqrt(chance[inside].mean() * (1 - chance[inside].mean()) / inside.sum())
        assert abs(truth[inside].mean() - chance[inside].mean()) < 3 * error + 0.01


def test_a_clear_front_is_surely_known_and_its_volume_is_that_of_the_means():
    rows, worth = study(0, noise=0.001)
    found = membership(rows, ["accuracy", "flops"])
    standings = [found.standing(number) for number in range(12)]
    assert standings == ["in" if on else "out" for on in true_front(worth)]
    means = np.array([np.mean([row["accuracy"] for row in rows if row["flops"] == 1000 + n]) for n in range(12)])
    points = np.column_stack([-means, np.arange(1000, 1012)])
    drawn = -0.01 * worth
    worst = [np.quantile(np.repeat(-means, 100), 0.975), 1011]
    assert found.hypervolume.value == pytest.approx(moocore.hypervolume(points, ref=worst), rel=0.02)
    assert found.hypervolume.low <= found.hypervolume.value <= found.hypervolume.high
    assert np.corrcoef(drawn, [known.value for known in found.estimates])[0, 1] < -0.999


def test_the_measure_that_comes_first_counts_and_the_other_one_is_no_cost():
    rows, _ = study(0)
    scrambled = [row.but(accuracy=0.5 + 0.001 * (row["flops"] % 7)) for row in rows]
    by_loss = membership(scrambled, ["loss", "flops"])
    assert membership(scrambled, ["loss", "accuracy", "flops"]).probability.tolist() == by_loss.probability.tolist()
    assert by_loss.measure.name == "loss"
    assert by_loss.probability == pytest.approx(membership(rows, ["accuracy", "flops"]).probability, abs=0.06)


def test_one_failed_seed_does_not_drop_a_network():
    rows, _ = study(0)
    failed = [*rows, rows[-1].but(seed=9, state="failed", accuracy=float("nan"))]
    assert len(membership(failed, ["accuracy", "flops"]).networks) == 12


def test_nothing_is_known_of_a_front_of_one_seed_or_of_no_rows():
    rows, _ = study(0, seeds=1)
    found = membership(rows, ["accuracy", "flops"])
    assert np.isnan(found.probability).all()
    assert found.standing(0) == "undecided"
    assert lookahead(found, ["accuracy", "flops"]).undecided == ()
    assert membership([], ["accuracy", "flops"]).networks == ()


def test_more_minutes_settle_more_and_few_go_to_the_least_decided():
    rows, _ = study(7, networks=16)
    found, objectives = membership(rows, ["accuracy", "flops"]), ["accuracy", "flops"]
    keys, chance = np.array(found.posterior.keys), found.probability
    undecided, sure = keys[(chance > 0.05) & (chance < 0.95)], keys[chance >= 0.95].tolist()
    around = 0.5 * (len(undecided) + len(sure))
    few, once, many = (lookahead(found, objectives, minutes) for minutes in (0.5 * len(sure) + 1.2, 2.5 * around, 2000))
    assert len(undecided) > 3
    assert sorted(once.undecided) == sorted(undecided)
    assert few.trained == (*sure, *once.undecided[:2])
    assert (few.seeds, once.seeds) == (1, 2)
    assert few.minutes == pytest.approx(0.5 * len(sure) + 1.0)
    assert few.decided < once.decided < many.decided
    assert many.decided > 0.6 * len(undecided)
    assert lookahead(found, objectives, 0.5 * len(sure)).decided == 0


def test_what_is_foretold_is_what_more_seeds_then_settle():
    foretold, settled, undecided = 0.0, 0, 0
    for seed in range(12):
        rows, _ = study(seed, seeds=12, networks=10)
        before = membership([row for row in rows if row.seed < 3], ["accuracy", "flops"])
        ahead = lookahead(before, ["accuracy", "flops"], minutes=None)
        keys, trained, seeds = set(ahead.undecided), set(ahead.trained), 3 + ahead.seeds
        after = membership(
            [row for row in rows if row.seed < (seeds if row.key in trained else 3)], ["accuracy", "flops"]
        )
        standing = {key: after.standing(number) for number, key in enumerate(after.posterior.keys)}
        settled += sum(standing[key] != "undecided" for key in keys)
        foretold += ahead.decided
        undecided += len(keys)
    assert foretold / undecided == pytest.approx(settled / undecided, abs=0.12)


def test_a_training_is_worth_what_a_regression_on_it_explains_of_who_is_on_the_front():
    rows, _ = study(3, networks=6, spread=0.1)
    found = membership([row for row in rows if row["flops"] != 1002 or row.seed < 1], ["accuracy", "flops"])
    undecided = [number for number in range(6) if found.standing(number) == "undecided"]
    assert len(undecided) > 1
    noise = found.posterior.noise * np.sqrt([1.5, 2, 1, 1.25, 2, 1.1])
    draws = np.tile(found.posterior.draws - found.posterior.draws.mean(axis=1, keepdims=True), (60, 1))
    on = np.tile(found.fronts[:, undecided].astype(float), (60, 1))
    seen = draws + noise * np.random.default_rng(0).standard_normal(draws.shape)
    expected = []
    for column in seen.T:
        design = np.column_stack([np.ones(len(seen)), column])
        expected.append(np.var(design @ np.linalg.lstsq(design, on, rcond=None)[0], axis=0).sum())
    assert found.value_of_training(noise**2) == pytest.approx(np.array(expected), rel=0.1, abs=2e-4)


def test_where_none_is_undecided_no_training_is_worth_anything():
    for rows in (study(0, noise=0.001)[0], study(0, seeds=1)[0]):
        found = membership(rows, ["accuracy", "flops"])
        assert found.value_of_training(np.ones(12)).tolist() == [0] * 12
    assert found.fronts.shape == (0, 12)
