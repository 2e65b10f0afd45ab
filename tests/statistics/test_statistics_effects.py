from itertools import product

import numpy as np
import pytest
from made_up import evaluation
from made_up_trainings import balanced as known

from nas_attn.statistics import additive, cells, fillings, interactions, removals

KINDS = ("", "se", "cbam")


def squares(slots):
    """What stands where in every network of so many slots."""
    return [
        {f"stage{slot}": kind for slot, kind in enumerate(filled, 1) if kind} for filled in product(KINDS, repeat=slots)
    ]


def test_a_slot_is_a_stage_where_none_is_named_and_options_do_not_change_a_kind():
    network = evaluation("stage1.block0.branch=se(reduction=4) stage1.block1.branch=cbam stage2.block0.branch=se")
    assert cells(fillings(network)) == {"stage1": "cbam+se", "stage2": "se"}
    slots = [("early", ["stage1.block0.branch"]), ("late", ["stage1.block1.branch", "stage2.block0.branch"])]
    assert cells(fillings(network, slots)) == {"early": "se", "late": "cbam+se"}


def test_sums_of_effects_leave_nothing_over_and_effects_are_what_was_added():
    found = squares(2)
    worth = {("stage1", "se"): 3.0, ("stage1", "cbam"): -2.0, ("stage2", "se"): 5.0, ("stage2", "cbam"): 4.0}
    means = [sum(worth[level] for level in network.items()) for network in found]
    fit = additive(found, [False] * 9, known(means, variance=1e-8))
    assert dict(zip(fit.levels, fit.effects @ means, strict=True)) == pytest.approx(worth, abs=1e-6)
    assert fit.freedom == 9 - 1 - 4
    assert np.array(means) @ fit.left(np.array(means)[:, None]) == pytest.approx(0, abs=1e-8)


def test_what_is_left_over_is_what_a_regression_leaves_over():
    found, rng = squares(2), np.random.default_rng(1)
    means = rng.standard_normal(9)
    design = np.array([[1.0, *(float(n.get(s) == k) for s in ("stage1", "stage2") for k in KINDS[1:])] for n in found])
    left = np.linalg.lstsq(design, means, rcond=None)[1][0]
    fit = additive(found, [False] * 9, known(means.tolist()))
    assert means @ fit.left(means[:, None]) == pytest.approx(4 * left)
    assert fit.remainder == pytest.approx(max(0.0, (4 * left - 4 * 1.0) / (4 * 4)))


def test_what_others_do_tells_what_nothing_is_only_where_they_do_nothing():
    """With others at 0 an effect is a kind against all the rest; with others far off it is a kind against nothing."""
    found = squares(2)
    planted = [100.0 * (network.get("stage1") == "se") for network in found]
    quiet = additive(found, [False] * 9, known(planted))
    far = [50.0 * (i % 3) - 40.0 * (i // 3) for i in range(9)]
    loud = additive(found, [False] * 9, known(far))
    place = quiet.levels.index(("stage1", "se"))
    alone, pooled = np.sqrt(1 / 3 + 1 / 3), np.sqrt(1 / 3 + 1 / 6)
    assert pooled <= np.linalg.norm(quiet.effects[place]) < 0.97 * alone
    assert np.linalg.norm(loud.effects[place]) == pytest.approx(alone, rel=0.01)


def test_a_rival_is_no_sum_and_what_cannot_be_told_apart_is_left_out():
    found = [{}, {"stage1": "se", "stage2": "se"}, {"stage3": "eca"}, {}]
    fit = additive(found, [False, False, False, True], known([0.0, 1.0, 3.0, 100.0], variance=1e-8))
    assert fit.levels == (("stage3", "eca"),)
    assert fit.effects @ [0.0, 1.0, 3.0, 100.0] == pytest.approx([3.0])
    assert fit.freedom == 0


def test_an_interaction_is_what_two_kinds_add_beyond_their_sum():
    found = squares(3)
    means = np.array([2.0 * (n.get("stage1") == n.get("stage2") == "se") + 5 * ("stage3" in n) for n in found])
    fit = additive(found, [False] * 27, known(means.tolist()))
    pairs, weights = interactions(fit)
    told = dict(zip(pairs, weights @ means, strict=True))
    assert told[("stage1", "se"), ("stage2", "se")] == pytest.approx(2.0)


def test_a_removal_takes_what_stands_in_one_slot_with_its_options():
    spellings = [
        "none",
        "stage1.b=se(reduction=4)",
        "stage1.b=se(reduction=8)",
        "stage1.b=se(reduction=4) stage2.b=cbam",
    ]
    found = [fillings(evaluation(spelling)) for spelling in spellings]
    assert set(removals(found)) == {
        (1, 0, ("stage1", "se")),
        (2, 0, ("stage1", "se")),
        (3, 1, ("stage2", "cbam")),
    }
