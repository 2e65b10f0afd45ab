"""What rows say of a question: gains, findings, and how much more would tell."""

import math
from itertools import product

import numpy as np
import pytest
from made_up import evaluation
from made_up_inquiry import PLAIN, SITE, UNIT, WANTED, WIDE, Made

from nas_attn.inquiry.comparing import answered
from nas_attn.inquiry.foresight import Rule, more_seeds
from nas_attn.inquiry.turns import in_turn, planned, together
from nas_attn.inquiry.wording import screen
from nas_attn.results import Outcomes

ACCURACIES = {
    PLAIN: [0.80, 0.83, 0.79, 0.82],
    WANTED[0].key: [0.84, 0.85, 0.83, 0.88],
    WANTED[1].key: [0.80, 0.82, 0.80, 0.83],
    WIDE: [0.83, 0.84, 0.82, 0.83],
}


def rows(known=ACCURACIES, **others):
    made = Made(0)
    spelt = {PLAIN: "none", WIDE: "none", **{one.key: str(one.architecture) for one in WANTED}}
    flops = {PLAIN: 80.0, WIDE: 100.0, WANTED[0].key: 82.0, WANTED[1].key: 84.0}
    made.rows = [
        evaluation(
            spelt[key],
            key=key,
            seed=seed,
            accuracy=accuracy,
            flops=1_000_000 * flops[key],
            state="complete",
            role="width-matched" if key == WIDE else "search",
            train_seconds=30.0,
            **others,
        )
        for key, accuracies in known.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return made


def test_a_gain_is_the_mean_of_paired_differences():
    found = rows().answers()
    plain = np.array(ACCURACIES[PLAIN])
    for one in found.answers:
        differences = np.array(ACCURACIES[one.candidate.key]) - plain
        assert one.gain.value == pytest.approx(differences.mean())
        assert one.gain.low < one.gain.value < one.gain.high
        assert one.seeds == 4


def test_width_is_interpolated_at_the_price_of_each_network():
    found = rows().answers()
    mean = {key: np.mean(accuracies) for key, accuracies in ACCURACIES.items()}
    for one, share in zip(found.answers, (0.1, 0.2), strict=True):
        (over,) = one.widths
        at_price = (1 - share) * mean[PLAIN] + share * mean[WIDE]
        assert over.gain.value == pytest.approx(mean[one.candidate.key] - at_price)
        assert (over.price, set(over.baselines), over.cheaper) == ("flops", {PLAIN, WIDE}, False)


def test_seed_noise_is_what_a_seed_does_to_one_network_alone():
    values = np.array([*ACCURACIES.values()])
    left = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    found = rows().answers()
    assert found.noise == pytest.approx(np.sqrt((left**2).sum() / (3 * 3)))
    assert found.plain_mean == pytest.approx(np.mean(ACCURACIES[PLAIN]))
    assert found.comparisons == 4


def test_all_networks_of_a_study_share_the_correction():
    made = rows()
    alone = made.answers()
    rng = np.random.default_rng(0)
    for number in range(20):
        spelling = f"stage1.block0.block=se(reduction={number + 1})"
        made.rows += [
            evaluation(spelling, seed=seed, accuracy=0.8 + UNIT * rng.normal(), flops=81_000_000, state="complete")
            for seed in range(4)
        ]
    many = made.answers()
    assert many.comparisons == alone.comparisons + 20
    reach = [(one.gain.high - one.gain.value) / (many.noise * math.sqrt(2 / 4)) for one in many.answers]
    assert min(reach) > 2.8  # Dunnett's 95 % quantile of 24 comparisons; of a single one it is 2


@pytest.mark.parametrize(
    ("low", "high", "cheaper", "finding"),
    [
        ([0.1, 0.1], [3, 3], [False], "helps"),
        ([0.1], [3], [], "helps"),
        ([0.1, -1], [3, 0.9], [False], "helps no more than width"),
        ([0.1, -1], [3, 2], [False], "not known yet"),
        ([-1, -1], [0.9, 0.9], [False], "does not help"),
        ([-3, -1], [-1, 2], [False], "does not help"),
        ([-1, -1], [1.1, 0.5], [False], "not known yet"),
        ([0.1, 0.1], [3, 3], [True], "not known yet"),
        ([0.1, 0.1, 0.1], [3, 3, 3], [False, False], "helps"),
        ([0.1, 0.1, -0.1], [3, 3, 3], [False, False], "not known yet"),
    ],
)
def test_a_finding_follows_from_the_ends_of_intervals(low, high, cheaper, finding):
    rule, ends = Rule(1.0, tuple(cheaper)), (np.array(low, dtype=float), np.array(high, dtype=float))
    assert rule.finding(*ends) == finding
    assert rule.known(*(end[None] for end in ends)).tolist() == [finding != "not known yet"]
    assert rule.stuck(*ends) == (finding == "not known yet" and any(cheaper))


@pytest.mark.parametrize(("gain", "images"), [(2.0, 0.0), (3.0, 0.0), (4.0, 0.0), (0.0, 0.0), (3.0, 1.5)])
def test_the_seeds_that_would_tell_are_those_of_a_direct_simulation(gain, images):
    seeds, reach, error = 3, 4.0, 1.2
    ends = np.array([gain]), np.array([reach]), np.array([images])
    said = more_seeds(Rule(1.0), *ends, np.array([[error**2]]), seeds)
    rng = np.random.default_rng(1)

    def told(more):
        truth = gain + error * rng.standard_normal(20_000)
        fresh = truth + error * math.sqrt(seeds / more) * rng.standard_normal(20_000)
        mean = (seeds * gain + more * fresh) / (seeds + more)
        left = math.hypot(reach * math.sqrt(seeds / (seeds + more)), images)
        return ((mean - left > 0) | (mean + left < 1)).mean()

    assert told(said) > 0.47
    assert said == 1 or told(said / 1.25) < 0.53


def test_where_noise_is_not_known_nothing_is_said_of_more_seeds():
    nothing = np.array([math.nan])
    assert math.isnan(more_seeds(Rule(math.nan), nothing, nothing, np.zeros(1), np.array([[1.0]]), 1))
    first = rows({key: accuracies[:1] for key, accuracies in ACCURACIES.items()}).answers()
    assert [(one.finding, one.open) for one in first.answers] == [("not known yet", True)] * 2


def test_what_failed_or_is_over_budget_has_no_answer_and_is_trained_no_more():
    known = {key: accuracies for key, accuracies in ACCURACIES.items() if key != WANTED[0].key}
    made = rows(known)
    made.rows.append(evaluation(str(WANTED[0].architecture), state="failed", reason="the loss is not finite"))
    found = made.answers()
    assert found.answers[0].finding == "not known yet"
    assert found.answers[0].reason == "cannot be trained: the loss is not finite"
    assert WANTED[0].key not in {one.key for one in made.plan(found)}


def test_without_the_plain_backbone_nothing_is_known():
    found = answered(WANTED, [row for row in rows().rows if row.key == WANTED[0].key], [], "accuracy")
    assert found.plain is None
    assert all(one.open for one in found.answers)


def test_seeds_are_trained_in_turns_and_baselines_in_proportion():
    made = Made(0, gains=(1.0, 1.0))
    rounds = []
    for _ in range(25):
        plan = made.plan(found := made.answers())
        if not found.open:
            break
        rounds.append({one.key: one.seeds for one in plan})
        for one in plan:
            made.train(one.key, one.seeds - 1)
    assert rounds[0] == {PLAIN: 1, WANTED[0].key: 1, WANTED[1].key: 1, WIDE: 1}
    assert [some[PLAIN] for some in rounds] == [*range(1, len(rounds) + 1)]
    wide = max(some.get(WIDE, 0) for some in rounds)
    assert wide == max(2, math.ceil(0.1 * len(rounds)))


def test_what_is_decided_is_trained_no_further():
    made = Made(1, gains=(-8.0, 0.5))
    made.run(most=6)
    counts = {key: sum(row.key == key for row in made.rows) for key in made.names}
    assert counts[WANTED[0].key] < counts[WANTED[1].key] == counts[PLAIN]


def test_seeds_that_are_missing_in_between_are_trained_first():
    assert [in_turn(some, 3) for some in (set(), {3, 4}, {3, 5}, {4})] == [0, 2, 1, 0]


def test_networks_with_equal_seeds_train_together_and_baselines_alone():
    made = Made(0)
    plan = planned(made.answers(), {}, made.beside)
    assert [len(some) for some in together(plan, 2)] == [2, 1, 1]
    assert [len(some) for some in together(plan, 1)] == [1, 1, 1, 1]


def test_planted_gains_are_found_and_nothing_is_found_where_nothing_is():
    runs = 20
    helps = [Made(seed, gains=(-6.0, 3.0)).run().answers for seed in range(runs)]
    assert np.mean([one.finding == "does not help" for one, _ in helps]) >= 0.9
    assert np.mean([other.finding == "helps" for _, other in helps]) >= 0.9
    nulls = [one.finding for seed in range(runs) for one in Made(1000 + seed).run(most=12).answers]
    assert np.mean([finding.startswith("helps") for finding in nulls]) <= 0.1
    widths = [Made(seed, gains=(4.0, 4.0), wide=40.0).run(most=12).answers for seed in range(10)]
    assert {one.finding for answers in widths for one in answers} <= {"helps no more than width", "not known yet"}
    assert str(WANTED[0].architecture) == SITE.format("paper")


def judged_by_images(gains, images=60, seeds=6):
    """Trainings whose accuracy is the mean over images, of which some gain by a network and as many lose."""
    rng, found = np.random.default_rng(5), {}
    strays = 0.4 * rng.standard_normal((1 + len(gains), images))
    effects = np.array([0.0, *gains])[:, None] + strays - strays.mean(axis=1, keepdims=True)
    keys = [PLAIN, *(one.key for one in WANTED)]
    for (number, key), seed in product(enumerate(keys), range(seeds)):
        values = effects[number] + 0.05 * rng.standard_normal(images)
        found[key, seed] = Outcomes("ab" * 32, np.zeros(0, np.int32), {"accuracy": values})
    accuracies = {key: [found[key, seed].values["accuracy"].mean() for seed in range(seeds)] for key in keys}
    return rows(accuracies).rows, found


def test_intervals_hold_for_other_images_too_where_these_are_known_one_by_one():
    made, outcomes = judged_by_images([0.08, 0.5])
    alone, both = answered(WANTED, made, [], "accuracy"), answered(WANTED, made, [], "accuracy", (), outcomes)
    assert [one.finding for one in alone.answers] == ["helps", "helps"]
    assert [one.finding for one in both.answers] == ["not known yet", "helps"]
    assert (alone.images, both.images) == (0, 60)
    for narrow, wide in zip(alone.answers, both.answers, strict=True):
        table = np.array([outcomes[wide.candidate.key, seed].values["accuracy"] for seed in range(6)])
        table -= [outcomes[PLAIN, seed].values["accuracy"] for seed in range(6)]
        rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        within = (rest**2).sum() / (59 * 5)
        error = math.sqrt((6 * table.mean(axis=0).var(ddof=1) - within) / 6 / 60)
        assert 1.96 < wide.images / error < 2.6
        assert wide.seeds_reach == pytest.approx(narrow.gain.high - narrow.gain.value)
        assert wide.gain.high - wide.gain.value == pytest.approx(math.hypot(wide.seeds_reach, wide.images))
    lines = " ".join(" ".join(screen(both)).split())
    assert "more images for validation would tell more" in lines
    assert "images for validation: intervals hold for 60 and for others like them" in lines
    assert "intervals hold for these alone" in screen(alone)[-1]
    assert math.isinf(both.answers[0].more)


def test_where_a_network_has_no_images_on_record_its_interval_claims_nothing_of_others():
    made, outcomes = judged_by_images([0.08, 0.5])
    some = {place: one for place, one in outcomes.items() if place[0] != WANTED[0].key}
    alone, mixed = answered(WANTED, made, [], "accuracy"), answered(WANTED, made, [], "accuracy", (), some)
    assert mixed.answers[0].gain == alone.answers[0].gain
    assert math.isnan(mixed.answers[0].images)
    assert mixed.answers[1].images > 0
    assert mixed.images == 0
    lines = screen(mixed)
    assert sum(line.startswith("  images ") for line in lines) == 1
    assert lines[-1].endswith("intervals hold for others like them where an answer says so")
