import math

import numpy as np
import pytest
from made_up import evaluation
from made_up_claims import claimed, rows_of
from scipy import stats

from nas_attn.results.pictures import write_picture
from nas_attn.settings import Claim
from nas_attn.space import InputError
from nas_attn.statistics import Estimate
from nas_attn.verdict.claim_picture import claims_chart
from nas_attn.verdict.claim_words import claim_sentences, readable_claims
from nas_attn.verdict.claims import claim_results, less
from nas_attn.verdict.comparison import comparison
from nas_attn.verdict.conclusion import conclude
from nas_attn.verdict.named import network_named

STAGES = [
    f"stage{stage}.block0-1.{position}={kind}"
    for stage in (1, 2)
    for position in ("branch", "block")
    for kind in ("se(reduction=4)", "se(reduction=4,start=identity)", "cbam(reduction=4)")
]
SLOTS = tuple(
    (
        f"stage{stage}",
        tuple(f"stage{stage}.block{block}.{position}" for block in (0, 1) for position in ("branch", "block")),
    )
    for stage in (1, 2)
)


def results(rows, *claims):
    return claim_results(
        comparison(rows, [], "accuracy"), rows, [], [Claim(**claim, source="a paper") for claim in claims]
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("none", "none"),
        ("stage1.branch=se(reduction=4)", STAGES[0]),
        ("stage1.branch=se", STAGES[0]),
        ("stage1.branch=se(start=paper)", STAGES[0]),
        ("stage1.branch=se(start=identity)", STAGES[1]),
        ("stage2.block=cbam", STAGES[11]),
        (STAGES[4], STAGES[4]),
        ("stage1-2.branch=se", "stage1-2.block0-1.branch=se(reduction=4)"),
        ("stage1=cbam stage2=se", "stage1.block0-1.branch=cbam(reduction=4) stage2.block0-1.branch=se(reduction=8)"),
        ("stage2.block0.branch=se", "stage2.block0.branch=se(reduction=4)"),
    ],
)
def test_a_claim_means_the_network_that_has_just_what_it_spells(text, found):
    spelt = ["none", *STAGES, "stage1-2.block0-1.branch=se(reduction=4)", "stage2.block0.branch=se(reduction=4)"]
    spelt.append("stage1.block0-1.branch=cbam(reduction=4) stage2.block0-1.branch=se(reduction=8)")
    assert network_named(text, map(evaluation, spelt), SLOTS).architecture == found


def test_a_slot_means_all_that_stands_in_it_where_slots_are_blocks():
    slots = tuple((f"stage1.block{block}", (f"stage1.block{block}.branch",)) for block in range(3))
    rows = [evaluation(f"stage1.block{blocks}.branch=se") for blocks in ("0", "0-1", "0-2")]
    assert network_named("stage1=se", rows, slots) == rows[2]
    assert network_named("stage1.branch=se", rows, slots) == rows[2]
    assert network_named("stage1.block0=se", rows, slots) == rows[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [("stage1=se", "may be any of 2 networks"), ("stage3=se", "nothing else"), ("stage1.branch=eca", "nothing else")],
)
def test_what_is_spelt_for_several_networks_or_for_none_is_said(text, why):
    with pytest.raises(InputError, match=why):
        network_named(text, map(evaluation, STAGES), SLOTS)


def test_the_measured_gain_is_that_of_seeds_in_pairs_against_the_plain_backbone_or_another():
    rows = rows_of({"none": 0, "stage1.block0.branch=se": 1.0, "stage2.block0.branch=se": 2.0})
    plain, other, reverse = results(
        rows,
        {"where": "stage2=se", "gain": 2.0},
        {"where": "stage2=se", "than": "stage1=se", "gain": 1.0},
        {"where": "none", "than": "stage2=se", "gain": -2.0},
    )
    none, one, two = (
        np.array([row["accuracy"] for row in rows if row.architecture.startswith(name)])
        for name in ("none", "stage1", "stage2")
    )
    assert plain.measured.value == pytest.approx((two - none).mean())
    assert other.measured.value == pytest.approx((two - one).mean())
    assert reverse.measured.value == pytest.approx(-plain.measured.value)
    assert all(result.measured.low < result.measured.value < result.measured.high for result in (plain, other, reverse))
    assert (plain.finding, reverse.finding) == ("reproduced", "reproduced")


def test_other_networks_say_how_large_noise_is_and_nothing_else():
    worths = {f"stage{number}.block0.branch=se": float(number) for number in range(1, 9)}
    rows, claim = rows_of({"none": 0, **worths}, seeds=3), {"where": "stage1=se", "gain": 1.0}
    shifted = [
        row.but(accuracy=row["accuracy"] - 0.2) if row.architecture.startswith("stage5") else row for row in rows
    ]
    (one,), (other,) = (results(each, claim) for each in (rows, shifted))
    assert (other.measured.low, other.measured.high) == pytest.approx((one.measured.low, one.measured.high))
    own = next(each.gain for each in comparison(rows, [], "accuracy").networks if each.what == key_of(rows, "stage1"))
    assert own.value == pytest.approx(one.measured.value)
    assert own.low < one.measured.low < one.measured.high < own.high
    alone = results([row for row in rows if row.architecture in ("none", "stage1.block0.branch=se")], claim)[0]
    assert alone.measured.value == pytest.approx(one.measured.value)


def test_the_more_claims_the_wider_their_intervals():
    worths = {f"stage{number}.block0.branch=se": float(number) for number in range(1, 9)}
    rows = rows_of({"none": 0, **worths})
    claims = [{"where": f"stage{number}=se", "gain": float(number), "error": 0.1} for number in range(1, 9)]
    for part in ("measured", "difference"):
        reach = [
            getattr(found[0], part).high - getattr(found[0], part).low
            for found in (results(rows, claims[0]), results(rows, *claims))
        ]
        assert reach[0] < reach[1]


def key_of(rows, begins):
    return next(row.key for row in rows if row.architecture.startswith(begins))


def test_the_interval_of_a_difference_is_that_of_independent_normal_errors():
    one, other, reach = (0.7, 0.3), (0.4, 0.2), stats.norm.ppf(0.975)
    intervals = [Estimate(value, value - reach * sd, value + reach * sd) for value, sd in (one, other)]
    low, high = stats.norm.interval(0.95, loc=one[0] - other[0], scale=math.hypot(one[1], other[1]))
    found = less(*intervals)
    assert (found.value, found.low, found.high) == pytest.approx((0.3, low, high))


WORDS = {
    "reproduced": {"gain": 2.2, "error": 0.2},
    "refuted": {"gain": 6.0, "error": 0.2},
    "not told apart": {"gain": 1.0, "error": 1.0},
}


@pytest.mark.parametrize("finding", WORDS)
def test_each_finding_is_said_with_both_intervals_and_the_source(finding, tmp_path):
    here = 0.0 if finding == "not told apart" else 2.0
    rows = rows_of({"none": 0, "stage1.block0.branch=se": here, "stage2.block0.branch=se": 0.0})
    claims = [Claim(where="stage1=se", source="Somebody (2018), table 3", **WORDS[finding])]
    found = conclude(rows, [], ["accuracy", "flops"], claims=claims)
    (one,) = found.claims
    assert one.finding == finding
    text = next(sentence for sentence in found.sentences if sentence.startswith(finding.capitalize()))
    spelt = [
        f"{100 * value:+.2f}" for value in (one.measured.low, one.measured.high, one.printed.low, one.printed.high)
    ]
    assert all(number.replace("-", "\N{MINUS SIGN}") in text for number in spelt)
    assert "Somebody (2018), table 3" in text
    assert readable_claims(found.claims)["Finding"].tolist() == [finding]
    write_picture(claims_chart(found.claims), tmp_path / "claims.svg")
    assert f"Of 1 printed claim 1 is {finding} here" in (tmp_path / "claims.svg").read_text()


def test_an_effect_of_the_other_sign_and_one_that_is_not_measured_are_said():
    rows = rows_of({"none": 0, "stage1.block0.branch=se": -2.0})
    refuted, missing = results(rows, {"where": "stage1=se", "gain": 2.0}, {"where": "stage3=se", "gain": 1.0})
    assert (refuted.finding, missing.finding) == ("refuted", "not measured")
    count, first, second = claim_sentences([refuted, missing])
    assert count.startswith("Of 2 printed claims 1 is refuted and 1 is not measured here")
    assert first.startswith("Refuted, as the opposite is measured: stage1=se against the plain backbone.")
    assert second == (
        "Not measured: stage3=se against the plain backbone; no network that was trained has 'stage3=se' and nothing "
        "else; name it in `architectures`."
    )
    with pytest.raises(InputError, match="nothing to draw"):
        claims_chart([missing])


@pytest.mark.parametrize(
    ("gain", "here", "said"),
    [
        (0.5, 3.0, "Reproduced, and a larger gain is measured: "),
        (-0.5, -3.0, "Reproduced, and a larger loss is measured: "),
        (3.0, 1.0, "Refuted, as a smaller gain is measured: "),
        (-3.0, -1.0, "Refuted, as a smaller loss is measured: "),
        (-1.0, 2.0, "Refuted, as the opposite is measured: "),
        (0.0, 2.0, "Refuted, as a difference is measured: "),
        (0.0, 0.0, "Not told apart: "),
    ],
)
def test_what_is_larger_than_printed_is_reproduced_and_what_is_smaller_is_refuted(gain, here, said):
    rows = rows_of({"none": 0, "stage1.block0.branch=se": here}, noise=0.2)
    (one,) = results(rows, {"where": "stage1=se", "gain": gain})
    assert [*claim_sentences([one])][1].startswith(said + "stage1=se against the plain backbone.")


def test_seeds_that_are_missing_grow_with_the_square_of_the_interval():
    rows = rows_of({"none": 0, "stage1.block0.branch=se": 0.5}, noise=2.0, seed=1)
    (one,) = results(rows, {"where": "stage1=se", "gain": 0.5})
    half = 100 * (one.measured.high - one.measured.low) / 2
    assert one.finding == "not told apart"
    assert f" {(half / 0.5) ** 2:.1f} times as many seeds" in [*claim_sentences([one])][1]


def test_gains_of_a_loss_are_in_nats():
    rows = [row.but(loss=1.5 - row["accuracy"]) for row in rows_of({"none": 0, "stage1.block0.branch=se": 2.0})]
    found = claim_results(
        comparison(rows, [], "loss"), rows, [], [Claim(where="stage1=se", gain=0.02, error=0.004, source="it")]
    )
    assert found[0].finding == "reproduced"
    assert found[0].measured.value == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize(("truth", "wrong"), [(1, "refuted"), (0, "reproduced"), (-1, "reproduced")])
def test_claims_are_rightly_judged_where_the_truth_is_known(truth, wrong):
    found = []
    for seed in range(80):
        rows, claims = claimed(seed, truth, networks=6, size=1.5, error=0.3)
        found += [one.finding for one in claim_results(comparison(rows, [], "accuracy"), rows, [], claims)]
    assert found.count(wrong) <= 4  # 5 %
    assert found.count("reproduced" if truth == 1 else "refuted") >= 20


def test_claims_that_are_judged_together_are_rightly_judged_together():
    wrong = 0
    for seed in range(40):
        rows, claims = claimed(seed, 1, claims=5, networks=6, error=1.0)
        found = claim_results(comparison(rows, [], "accuracy"), rows, [], claims)
        wrong += any(one.finding == "refuted" for one in found)
    assert wrong <= 2  # 5 %
