import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from made_up_audit import ranking, simulated
from scipy.stats import kendalltau, spearmanr

from nas_attn.audit import write_frame
from nas_attn.audit.picture import audit_chart
from nas_attn.audit.ranking import Ranking, audit, step_ranking
from nas_attn.audit.table import audit_table, network_table
from nas_attn.results.pictures import write_png
from nas_attn.space import InputError
from nas_attn.statistics import UNKNOWN, truth


@pytest.fixture(scope="module")
def study():
    return simulated()


@pytest.fixture(scope="module")
def audited(study):
    rows, worth = study
    costs = {"seconds": 2.0, "shared_seconds": 100.0, "shared_by": 50}
    return audit(rows, [ranking(worth, 0.02, **costs), ranking(worth, 9.0, "dice", kind="zero-cost")])


def named(audited, name):
    return next(ranked for ranked in audited.ranked if ranked.ranking.name == name)


def test_correlations_are_those_of_scipy_with_the_mean_over_seeds(study, audited):
    means = pd.DataFrame([(row.key, -row["loss"]) for row in study[0]]).groupby(0)[1].mean()
    for ranked in audited.ranked:
        scores = [ranked.ranking.scores[key] for key in means.index]
        assert ranked.spearman.value == pytest.approx(spearmanr(scores, means).statistic)
        assert ranked.kendall.value == pytest.approx(kendalltau(scores, means).statistic)
        assert ranked.spearman.low <= ranked.spearman.value <= ranked.spearman.high


def test_more_flops_and_more_parameters_are_always_held_against_the_truth(audited):
    assert [ranked.ranking.name for ranked in audited.ranked][2:] == ["more FLOPs", "more parameters"]
    best = max(audited.ranked[2:], key=lambda ranked: ranked.spearman.value)
    assert audited.counting == best.ranking.name
    supernet = named(audited, "supernet")
    assert supernet.above_counting.value == pytest.approx(supernet.spearman.value - best.spearman.value)
    assert best.above_counting == UNKNOWN


def test_the_share_of_the_ceiling_is_the_correlation_over_what_can_be_reached(audited):
    supernet = named(audited, "supernet")
    assert supernet.share.value == pytest.approx(supernet.spearman.value / audited.ceiling.reachable.value)


def test_a_network_costs_its_part_of_one_full_training(audited):
    supernet = named(audited, "supernet")
    assert (supernet.cost, supernet.whole_cost) == pytest.approx((2 / 200, (2 + 100 / 50) / 200))
    assert math.isnan(named(audited, "dice").cost), "what a ranking costs is not made up"


def test_the_truth_itself_has_no_regret_and_its_opposite_has_all(study):
    rows, _ = study
    losses = pd.DataFrame([(row.key, row["loss"]) for row in rows]).groupby(0)[1].mean()
    found = audit(rows, [Ranking("best", dict(-losses)), Ranking("worst", dict(losses))])
    best, worst = found.ranked[:2]
    assert (best.regret["loss"], best.top_regret["accuracy"], best.spearman.value) == pytest.approx((0, 0, 1))
    assert worst.regret["loss"] == pytest.approx(losses.max() - losses.min())
    assert worst.regret["accuracy"] == pytest.approx(losses.max() - losses.min()), "accuracy is 1 - loss"
    assert worst.top_regret["loss"] == pytest.approx(losses.nlargest(3).min() - losses.min())


def test_the_regret_of_ties_is_its_mean_over_every_way_to_choose_among_them():
    rows, worth = simulated(networks=9, seeds=2)
    losses = pd.DataFrame([(row.key, row["loss"]) for row in rows]).groupby(0)[1].mean()
    keys = list(worth)
    scores = {key: 2.0 if number < 1 else 1.0 if number < 6 else 0.0 for number, key in enumerate(keys)}
    found = audit(rows, [Ranking("tied", scores)]).ranked[0]
    ways = [min(losses[keys[0]], *losses[list(two)]) for two in combinations(keys[1:6], 2)]
    assert found.top_regret["loss"] == pytest.approx(np.mean(ways) - losses.min())
    assert found.regret["loss"] == pytest.approx(losses[keys[0]] - losses.min())


def test_a_network_without_a_finite_score_is_not_ranked(study):
    rows, worth = study
    keys = list(worth)
    scores = {**worth, keys[3]: math.inf, keys[4]: math.nan}
    del scores[keys[5]]
    found = audit(rows, [Ranking("some", scores)]).ranked[0]
    assert found.networks == 21
    losses = pd.DataFrame([(row.key, row["loss"]) for row in rows]).groupby(0)[1].mean()
    rest = [key for key in keys if key not in keys[3:6]]
    expected = spearmanr([worth[key] for key in rest], -losses[rest]).statistic
    assert found.spearman.value == pytest.approx(expected)


def test_an_audit_is_the_same_for_the_same_seed(study, audited):
    again = audit(study[0], [ranked.ranking for ranked in audited.ranked[:2]])
    assert repr(again.ranked) == repr(audited.ranked)
    assert repr(audit(study[0], [], seed=1).ranked[0]) != repr(audited.ranked[2])


def test_two_rankings_of_one_name_are_refused(study):
    with pytest.raises(InputError, match="supernet twice"):
        audit(study[0], [ranking(study[1], 1), ranking(study[1], 2)])


def test_a_gap_is_left_out_with_the_network_or_the_seed_that_has_it():
    rows, _ = simulated(networks=10, seeds=3)
    one_lacking = [row for row in rows if (row.key, row.seed) != (rows[0].key, 1)]
    assert (len(truth(one_lacking).networks), truth(one_lacking).seeds) == (9, (0, 1, 2))
    seed_begun = [row for row in rows if row.seed < 2 or row.key == rows[0].key]
    assert (len(truth(seed_begun).networks), truth(seed_begun).seeds) == (10, (0, 1))
    search_too = [row for row in rows if row.seed == 0 or row.key in {row.key for row in rows[:9]}]
    assert (len(truth(search_too).networks), truth(search_too).seeds) == (3, (0, 1, 2))


def test_what_did_not_end_with_finite_numbers_is_no_truth():
    rows, _ = simulated(networks=4, seeds=2)
    known = truth([rows[0].but(loss=math.inf), replace(rows[2], state="failed"), *rows[4:]])
    assert known.keys == [rows[4].key, rows[6].key]


def test_one_step_is_the_truth(study):
    with pytest.raises(InputError, match="final, inherit"):
        truth([replace(study[0][0], step="inherit"), study[0][1]])


def test_a_step_ranks_by_the_mean_over_its_seeds_and_costs_all_of_them():
    rows, _ = simulated(networks=5, seeds=2)
    found = step_ranking([replace(row, step="inherit") for row in rows] + rows, "inherit", shared_seconds=9.0)
    assert found.scores[rows[0].key] == pytest.approx(-(rows[0]["loss"] + rows[1]["loss"]) / 2)
    assert (found.name, found.seconds, found.shared_seconds) == ("inherit", 400.0, 9.0)


def test_without_rows_everything_is_unknown():
    found = audit([], [Ranking("supernet", {"a": 1.0})])
    assert (found.ranked[0].networks, found.ranked[0].spearman) == (0, UNKNOWN)
    with pytest.raises(InputError, match="nothing to draw"):
        audit_chart(found)


def test_the_tables_say_what_the_audit_says(study, audited, tmp_path):
    both = audit_table(audited, audit(study[0], [], "accuracy"))
    assert list(both["metric"]) == ["loss"] * 4 + ["accuracy"] * 2
    line = both.iloc[0]
    known = audited.ranked[0]
    assert (line["ranking"], line["verdict"], line["spearman_low"]) == ("supernet", "trusted", known.spearman.low)
    networks = network_table(audited)
    assert len(networks) == 24
    assert networks["supernet"].tolist() == [known.ranking.scores[key] for key in networks["key"]]
    write_frame(both, tmp_path / "audit.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "audit.csv"), both, check_dtype=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "audit.csv"]


def test_the_picture_has_a_panel_for_each_ranking_with_its_numbers(audited, tmp_path):
    drawn = audit_chart(audited).to_dict()
    titles = [panel["title"] for panel in drawn["concat"]]
    assert [title["text"] for title in titles] == [ranked.ranking.name for ranked in audited.ranked]
    assert titles[0]["subtitle"][0] == f"Rank correlation {audited.ranked[0].spearman}"
    assert drawn["title"]["text"] == "24 networks trained in full with 3 seeds"
    marks = next(values for values in drawn["datasets"].values() if values)
    assert [mark["role"] for mark in marks].count("plain backbone") == 1
    assert marks[-1]["role"] == "plain backbone"
    write_png(audit_chart(audited), tmp_path / "audit.png")
    assert (tmp_path / "audit.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_bars_of_the_picture_are_a_standard_error_of_the_mean(study, audited):
    losses = [row["loss"] for row in study[0] if row.key == study[0][0].key]
    drawn = audit_chart(audited).to_dict()
    bare = next(values for values in drawn["datasets"].values() if values)[-1]
    assert bare["high"] - bare["mean"] == pytest.approx(np.std(losses, ddof=1) / math.sqrt(3))
    assert bare["mean"] == pytest.approx(np.mean(losses))
