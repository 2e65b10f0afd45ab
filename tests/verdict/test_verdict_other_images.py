"""Differences that hold for other images too, and what is said of seeds and images."""

import math

import numpy as np
import pytest
from made_up_trainings import trained
from scipy import stats

from nas_attn.results import Kept, Outcomes
from nas_attn.settings import MEASURES
from nas_attn.statistics import Estimate, ImageVariance
from nas_attn.verdict.conclusion import conclude
from nas_attn.verdict.difference import Difference
from nas_attn.verdict.other_images import OtherImages, over_images
from nas_attn.verdict.widened import for_other_images

ACCURACY, OBJECTIVES = MEASURES["accuracy"], ["accuracy", "flops"]


def difference(value, reach, p=0.01):
    return Difference("se", Estimate(value, value - reach, value + reach), p, (reach / value) ** 2)


def images(*sds, quantile=2.0):
    return ImageVariance(np.square(sds), np.full(len(sds), 100.0), quantile, 400, np.zeros(len(sds)))


def test_reaches_add_up_in_squares():
    wide, alike, unknown = for_other_images([difference(0.05, 0.03)] * 3, images(0.02, 0.0, math.nan))
    assert (wide.gain.value, wide.gain.high) == (0.05, pytest.approx(0.1))
    assert wide.gain.low == pytest.approx(0.0, abs=1e-15)
    assert alike == unknown == difference(0.05, 0.03)


def test_p_is_as_small_as_the_interval_excludes_0():
    family = [difference(value, 0.03, 0.0) for value in (0.03, 0.05, 0.0500001, 0.1, -0.1)]
    found = for_other_images(family, images(*[0.02] * 5))
    assert [one.gain.positive for one in found] == [False, False, True, True, False]
    assert found[1].p == pytest.approx(0.05, abs=1e-6)
    assert found[3].p == found[4].p
    reach = stats.norm.ppf((1 + 0.95 ** (1 / 5)) / 2)
    assert found[3].p == pytest.approx(1 - (1 - 2 * stats.norm.sf(reach * 0.1 / 0.05)) ** 5, rel=1e-9)
    assert for_other_images([difference(0.1, 0.03, 0.2)], images(0.02))[0].p == 0.2


def test_trainings_that_are_missing_are_counted_without_the_images_share():
    (found,) = for_other_images([difference(0.05, 0.06)], images(0.02))
    assert found.missing == pytest.approx(0.06**2 / (0.05**2 - 0.04**2))
    assert for_other_images([difference(0.05, 0.06)], images(0.03))[0].missing == math.inf


def said(value, seeds, of_images, count=400):
    (wide,) = for_other_images([difference(value, seeds)], images(of_images / 2))
    return OtherImages(wide, count)


def test_what_would_help_is_said():
    found = said(0.0056, 0.0012, 0.0060)
    assert found.needed == math.ceil(400 * 0.0060**2 / (0.0056**2 - 0.0012**2))
    assert found.sentence(ACCURACY, "h1 (se at stage2)") == (
        "For other images than these 400 too, h1 (se at stage2) gains +0.56 points of accuracy (\N{MINUS SIGN}0.05 to "
        "+1.17) over the plain backbone: other seeds may change that by 0.12 points, other validation images by 0.60. "
        "More seeds will not help; more validation images would: about 480 would just show a gain of this size."
    )
    sure = said(0.0056, 0.0012, 0.0030).sentence(ACCURACY, "h1")
    assert sure.endswith("More seeds will not help; more validation images would.")
    seeds = said(0.01, 0.02, 0.005).sentence(ACCURACY, "h1")
    assert "More seeds would help: about 5.3 times as many would just show a gain of this size; more" in seeds
    assert (
        said(0.001, 0.02, 0.03)
        .sentence(ACCURACY, "h1")
        .endswith("Neither more seeds alone nor more validation images alone would show a gain of this size.")
    )


def test_so_many_images_as_are_said_to_be_needed_are_enough():
    """So many images as are said to be needed put the end of the interval at 0."""
    found = said(0.02, 0.01, 0.03, 100)
    again = said(0.02, 0.01, 0.03 * math.sqrt(100 / found.needed), found.needed)
    assert again.difference.gain.low == pytest.approx(0.0, abs=2e-4)


def study(rng, per_image, per_training, count=300):
    """Rows of a plain backbone and others, and what each image got, of which the rows are the means."""
    rows, found = [], {}
    own = {}
    for row in trained(0, networks=5, seeds=4):
        profile = own.setdefault(row.key, per_image * rng.standard_normal(count))
        loss = (
            0.5
            + 0.05 * (row.architecture == "none")
            + profile
            + per_training * rng.standard_normal()
            + 0.1 * rng.standard_normal(count)
        )
        right = loss < 0.5
        rows.append(row.but(accuracy=float(right.mean()), loss=float(loss.mean())))
        found[row.key, row.seed] = Outcomes("ab" * 32, np.zeros(0, np.int32), {"accuracy": right, "loss": loss})
    return rows, found


def test_a_conclusion_says_what_dominates():
    rng = np.random.default_rng(0)
    for per_image, per_training, expected in [
        (0.3, 0.001, "More seeds will not help"),
        (0.0, 0.02, "more validation images would not help much"),
    ]:
        rows, found = study(rng, per_image, per_training)
        sentences = conclude(rows, [], ["loss", "flops"], kept=Kept(found)).sentences
        (sentence,) = (one for one in sentences if one.startswith("For other images than these 300 too, "))
        assert expected in sentence
        assert "nats less loss" in sentence


def test_what_holds_for_these_images_only_is_said_to_pay_only_where_no_other_images_are_known():
    rows, found = study(np.random.default_rng(0), 0.3, 0.001)
    over_seeds = conclude(rows, [], ["loss", "flops"])
    over_both = conclude(rows, [], ["loss", "flops"], kept=Kept(found))
    assert (over_seeds.finding, over_both.finding) == ("pays", "not known yet")
    for narrow, wide in zip(over_seeds.comparison.networks, over_both.comparison.networks, strict=True):
        assert wide.gain.value == narrow.gain.value
        assert wide.gain.high - wide.gain.value == pytest.approx(
            math.hypot(narrow.gain.high - narrow.gain.value, wide.images)
        )


def test_every_network_with_images_is_judged_for_other_images():
    rows, found = study(np.random.default_rng(1), 0.3, 0.01)
    comparison = conclude(rows, [], OBJECTIVES, kept=None).comparison
    keys = [one.what for one in comparison.networks]
    wide = over_images(comparison, {place: one for place, one in found.items() if place[0] != keys[0]})
    assert list(wide) == keys[1:]
    for narrow in comparison.networks[1:]:
        one = wide[narrow.what]
        assert one.difference.gain.high - narrow.gain.value == pytest.approx(math.hypot(one.seeds, one.images))
        assert one.seeds == pytest.approx(narrow.gain.high - narrow.gain.value)
        assert one.count == 300
    plain = next(row.key for row in rows if row.architecture == "none")
    assert over_images(comparison, {place: one for place, one in found.items() if place[0] != plain}) == {}


def test_where_no_image_is_known_intervals_are_said_to_hold_for_these_only():
    rows, found = study(np.random.default_rng(2), 0.3, 0.01)
    only = "All intervals hold for these validation images only: "
    assert f"{only}what each of them got was not kept." in conclude(rows, [], OBJECTIVES, kept=Kept({})).sentences
    losses = {place: Outcomes(one.images, one.classes, {"loss": one.values["loss"]}) for place, one in found.items()}
    sentences = conclude(rows, [], OBJECTIVES, kept=Kept(losses)).sentences
    assert f"{only}accuracy is not known image by image." in sentences
    damaged = Kept(found, ("h1-seed0.npz (is missing)",))
    sentences = conclude(rows, [], OBJECTIVES, kept=damaged).sentences
    assert "Ignored of what single validation images got: h1-seed0.npz (is missing)." in sentences


def test_what_seeds_have_in_their_reach_already_is_not_added_again():
    known = ImageVariance(np.square([0.02] * 3), np.full(3, 100.0), 2.0, 400, np.square([0.0, 0.012, 0.02]))
    apart, some, within = for_other_images([difference(0.1, 0.05)] * 3, known)
    assert [one.gain.high - 0.1 for one in (apart, some, within)] == pytest.approx(
        [math.hypot(0.05, 0.04), math.hypot(0.05, 0.032), 0.05]
    )
    assert [one.images for one in (apart, some, within)] == [0.04] * 3
    assert [one.seeds for one in (apart, some, within)] == pytest.approx(
        [0.05, math.sqrt(0.05**2 + 0.032**2 - 0.04**2), 0.03]
    )


def folded(rng, folds, seeds):
    """Rows and outcomes of a study whose seeds validate on folds of 100 images in turn."""
    rows, found, own = [], {}, {}
    for row in trained(0, networks=4, seeds=seeds):
        profile = own.setdefault((row.key, row.seed % folds), 0.3 * rng.standard_normal(100))
        loss = 0.5 + profile + 0.02 * rng.standard_normal() + 0.1 * rng.standard_normal(100)
        rows.append(row.but(loss=float(loss.mean()), accuracy=float((loss < 0.5).mean())))
        images = f"{row.seed % folds}a" * 32
        found[row.key, row.seed] = Outcomes(images, np.zeros(0, np.int32), {"accuracy": loss < 0.5, "loss": loss})
    return rows, found


def test_how_many_images_judge_in_turn_is_said():
    rows, found = folded(np.random.default_rng(3), 3, 6)
    sentences = conclude(rows, [], ["loss", "flops"], kept=Kept(found, folds=3)).sentences
    all_judge = "3 folds validate in turn, one with each seed: 300 images judge, which are all but the test part."
    assert all_judge in sentences
    assert any(one.startswith("For other images than these 300 too, ") for one in sentences)
    rows, found = folded(np.random.default_rng(3), 5, 2)
    sentences = conclude(rows, [], ["loss", "flops"], kept=Kept(found, folds=5)).sentences
    some = "2 of 5 folds have validated, one with each seed: 200 images judge so far, and more with further seeds."
    assert some in sentences
    (said,) = (one for one in sentences if one.startswith("For other images than these 200 too, "))
    assert said.endswith("More seeds would help, with which other images validate.")


def test_intervals_of_folds_are_narrower_where_images_leave_more_open_than_seeds():
    """As many trainings, as many images each: with folds three times as many images judge in all."""
    reaches = {}
    for folds in (1, 3):
        rows, found = folded(np.random.default_rng(4), folds, 6)
        comparison = conclude(rows, [], ["loss", "flops"], kept=Kept(found, folds=folds)).comparison
        reaches[folds] = np.mean([one.gain.high - one.gain.value for one in comparison.networks])
    assert reaches[3] < 0.8 * reaches[1]


def test_further_folds_that_judge_make_further_trainings_worth_more():
    """With 1 of 4 folds, twice as many trainings halve both terms; with all, the term of images stays."""
    some, every = (
        for_other_images(
            [difference(0.05, 0.06)], ImageVariance(np.square([0.015]), np.ones(1), 2.0, 100, np.zeros(1), share)
        )[0]
        for share in (0.25, 1.0)
    )
    assert some.missing == pytest.approx((0.06**2 + 0.03**2) / 0.05**2)
    assert every.missing == pytest.approx(0.06**2 / (0.05**2 - 0.03**2))
