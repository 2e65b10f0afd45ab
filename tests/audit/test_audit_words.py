import numpy as np
import pytest
from made_up_audit import ranking, simulated

from nas_attn.audit import sentences
from nas_attn.audit.ranking import Ranking, audit
from nas_attn.audit.words import sentence, verdict


def judged(rows, *rankings):
    found = audit(rows, rankings)
    return [verdict(found, ranked) for ranked in found.ranked[: len(rankings)]]


@pytest.fixture(scope="module")
def study():
    return simulated()


def test_a_proxy_that_ranks_as_full_training_does_is_trusted(study):
    rows, worth = study
    found = audit(rows, [ranking(worth, 0.01, seconds=2.0)])
    assert verdict(found, found.ranked[0]) == "trusted"
    assert sentences(found)[0] == "supernet may be trusted to rank networks on this study."
    told = sentence(found, found.ranked[0])
    assert told.startswith(f"supernet may be trusted here: its rank correlation {found.ranked[0].spearman} reaches")
    assert told.endswith("A network costs 0.01 of a full training.")


def test_the_opposite_order_misleads_and_dice_do_no_better_than_counting(study):
    rows, worth = study
    opposite = Ranking("opposite", {key: -value for key, value in worth.items()})
    assert judged(rows, opposite, ranking(worth, 50.0)) == ["misleading", "no better than counting"]
    found = audit(rows, [ranking(worth, 50.0)])
    assert sentences(found)[0] == "No proxy may be trusted to rank networks on this study."


def test_what_counting_parameters_already_tells_is_no_merit(study):
    rows, worth = study
    better = [row.but(params=int(1e6 + 1e6 * worth[row.key])) for row in rows]
    found = audit(better, [ranking(worth, 0.01)])
    assert found.counting == "more parameters"
    assert verdict(found, found.ranked[0]) == "no better than counting"
    assert "supernet does no better than “more parameters”" in sentence(found, found.ranked[0])


def test_a_ranking_below_the_ceiling_ranks_in_part():
    rows, worth = simulated(networks=200)
    found = audit(rows, [ranking(worth, 0.08)])
    assert verdict(found, found.ranked[0]) == "in part"
    assert found.ranked[0].share.value < 0.8
    assert "but reaches" in sentence(found, found.ranked[0])


def test_what_one_seed_cannot_tell_is_not_trusted(study):
    rows, worth = study
    found = audit([row for row in rows if row.seed == 0], [ranking(worth, 0.01)])
    assert verdict(found, found.ranked[0]) == "in part"
    assert "one seed cannot tell" in sentence(found, found.ranked[0])
    assert "with one seed" in sentences(found)[0]


def test_the_same_score_for_all_is_no_order(study):
    rows, worth = study
    assert judged(rows, Ranking("flat", dict.fromkeys(worth, 1.0))) == ["no order of its own"]


def test_few_networks_tell_nothing():
    rows, worth = simulated(networks=7)
    assert judged(rows, ranking(worth, 0.0)) == ["too few networks"]
    (told,) = sentences(audit(rows, [ranking(worth, 0.0)]))
    assert told == "Too few networks to tell: 7 networks were trained in full, and 8 are needed."
    assert "Too few" in sentences(audit([], []))[0]


def test_a_study_without_an_effect_is_told_to_have_none_and_one_with_an_effect_is_not():
    """The interval leaves out 0 from above in 2.5 % of studies without an effect; 8 of 60 would be seven times that."""
    none = [sentences(audit(simulated(between=0.0, seed=seed)[0], []))[0] for seed in range(60)]
    assert sum("placement does not matter here" in told for told in none) >= 53
    some = [audit(simulated(between=0.05, noise=0.03, seed=seed)[0], []) for seed in range(20)]
    assert all(found.ceiling.agreement.positive for found in some)
    assert not any("does not matter" in told for found in some for told in sentences(found))


def test_where_seeds_do_not_agree_no_proxy_is_judged():
    rows, worth = simulated(between=0.0)
    found = audit(rows, [ranking(worth, 0.0)])
    assert verdict(found, found.ranked[0]) == "no order to rank"
    assert f"(r {found.ceiling.agreement.inline})" in sentences(found)[0]
    assert np.isnan(found.ranked[0].share.value)
