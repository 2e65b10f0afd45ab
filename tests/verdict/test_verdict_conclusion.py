from collections import defaultdict
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
from made_up import evaluation
from made_up_trainings import PLANTED, UNIT, trained

from nas_attn.results.pictures import write_picture
from nas_attn.space import InputError
from nas_attn.verdict.conclusion import conclude

OBJECTIVES = ["accuracy", "flops"]


@pytest.fixture(scope="module")
def planted():
    rows = trained(2, effect=4.0)
    rivals = [
        row.but(key="width=1.25", role="width-matched", flops=95_000_000) for row in rows if row.architecture == "none"
    ]
    return conclude(rows, rivals, OBJECTIVES, minutes=30)


def test_what_pays_is_named_with_its_gain_its_rival_and_its_parts(planted):
    told = planted.sentences
    assert planted.pays
    assert planted.winner == planted.leader
    assert told[0].startswith(f"Attention pays here: {planted.winner} (")
    assert "points of accuracy" in told[0]
    assert "32 comparisons" in told[0]
    assert told[1].startswith("It beats a width-matched baseline with its FLOPs (between h40bedbf9c and width=1.25)")
    assert any(sentence.startswith(f"Where nothing stood, this surely adds: {PLANTED} +") for sentence in told)
    assert (
        sum("On the front of accuracy and FLOPs with probability at least 0.95: " in sentence for sentence in told) == 1
    )


def test_what_pairing_by_seeds_saves_is_said(planted):
    values = defaultdict(dict)
    for row in trained(2, effect=4.0):
        values[row.key][row.seed] = 100 * row["accuracy"]
    block = np.array([[line[seed] for seed in sorted(line)] for line in values.values()])
    pairs = [(one - other).var(ddof=1) for one, other in combinations(block, 2)]
    alone = 2 * block.var(axis=1, ddof=1).mean()
    assert (
        f"the difference of two networks has one of {np.sqrt(np.mean(pairs)):.2f}, where with seeds of their own it "
        f"would be {np.sqrt(alone):.2f}." in " ".join(conclude(trained(2, effect=4.0), [], OBJECTIVES).sentences)
    )


def test_the_table_has_a_row_a_network_and_its_numbers_are_those_of_the_parts(planted):
    table = planted.table
    assert len(table) == 25
    assert table.loc["width=1.25", "standing"] == ""
    assert table.loc["width=1.25", "gain"] == pytest.approx(0, abs=1e-9)
    assert set(table["seeds"]) == {5}
    inside = table[table["role"] != "width-matched"]
    assert (inside["accuracy_low"] < inside["accuracy"]).all()
    assert np.allclose(inside["front_probability"], planted.membership.probability)
    assert table.loc[planted.winner, "gain_low"] > 0


def test_the_picture_shows_every_network_and_rings_the_winner(planted, tmp_path):
    write_picture(planted.picture(), tmp_path / "verdict.svg")
    svg = (tmp_path / "verdict.svg").read_text()
    assert "Attention pays here" in svg
    assert "width=1.25" in svg
    assert svg.count(PLANTED) > 3
    with pytest.raises(InputError, match="nothing to draw"):
        conclude(trained(0, seeds=1), [], OBJECTIVES).picture()


def test_that_nothing_pays_is_another_sentence_than_that_nothing_is_known():
    nothing = conclude(trained(1, networks=40, seeds=10), [], OBJECTIVES)
    assert nothing.finding == "pays nothing"
    assert nothing.sentences[0].startswith("No attention pays here: with a probability of ")
    assert nothing.winner is None
    open_yet = conclude(trained(1, seeds=2), [], OBJECTIVES)
    assert open_yet.sentences[0].startswith(
        "Whether attention pays here is not known yet: no difference that attention makes is sure"
    )
    assert any("would most likely decide" in sentence for sentence in open_yet.sentences)
    assert not nothing.pays
    assert not open_yet.pays


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (trained(0, seeds=1), "no two networks share two seeds"),
        ([row for row in trained(0) if row.architecture != "none"], "the plain backbone was not trained"),
        ([row for row in trained(0) if row.architecture == "none"], "no network with attention was trained"),
        ([], "the plain backbone was not trained"),
    ],
)
def test_why_nothing_can_be_said_is_said(rows, why):
    told = conclude(rows, [], OBJECTIVES)
    assert told.sentences[0].startswith(f"Whether attention pays here is not known yet: {why}")
    assert len(told.table) == len({row.key for row in rows})


def test_loss_and_accuracy_that_disagree_are_told():
    rng = np.random.default_rng(0)
    noisy = [row.but(loss=0.4 + UNIT * float(rng.standard_normal())) for row in trained(2, effect=4.0)]
    told = conclude(noisy, [], OBJECTIVES)
    assert any(
        sentence.startswith("By loss, no network surely beats the plain backbone") for sentence in told.sentences
    )


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "no network surely beats"), (1, "one network surely beats"), (2, "2 networks surely beat")],
)
def test_networks_that_another_measure_prefers_are_counted_in_words(number, words):
    told = conclude(trained(2, effect=0.0 if number else 4.0), [], OBJECTIVES)
    said = replace(told, others=(("loss", number),)).sentences
    assert f"By loss, {words} the plain backbone: the measures disagree." in said


def test_a_study_of_loss_speaks_of_nats():
    told = conclude(trained(2, effect=4.0), [], ["loss", "flops"])
    assert told.comparison.measure.name == "loss"
    assert "nats less loss" in told.sentences[0]
    assert told.table["gain"].max() > 0


def test_a_plain_network_that_surely_beats_the_bare_one_is_told():
    rows = trained(2, effect=0.0)
    wide = [
        row.but(key="width=2", role="width-matched", flops=4 * row["flops"], accuracy=row["accuracy"] + better)
        for row in rows
        if row.architecture == "none"
        for better in [0.2]
    ]
    told = [line for line in conclude(rows, wide, OBJECTIVES).sentences if line.startswith("The plain backbone at")]
    assert len(told) == 1
    assert told[0].startswith("The plain backbone at width=2, with 4.00 times the FLOPs, beats itself by +20.00 points")
    alike = [row.but(accuracy=row["accuracy"] - 0.2) for row in wide]
    assert not [
        line for line in conclude(rows, alike, OBJECTIVES).sentences if line.startswith("The plain backbone at")
    ]


STRONG, WEAK = (f"stage1.block0.branch=se(reduction={reduction})" for reduction in (4, 8))
NOISE = (0.02, -0.02, 0.0)


def rows_of(spelling, accuracies, flops=80_000_000, seeds=None):
    return [
        evaluation(
            spelling, accuracy=value, loss=1 - value, seed=seed, state="complete", flops=flops, train_seconds=9.0
        )
        for seed, value in zip(seeds or range(len(accuracies)), accuracies, strict=True)
    ]


def shifted(mean, turn):
    """Three accuracies with this mean, in which seeds differ by so much that nothing is sure."""
    return [mean + NOISE[(number + turn) % 3] for number in range(3)]


def leader_of(*networks, objectives=OBJECTIVES):
    """Who is the most promising, in whichever order networks were trained, and the sentence that says so."""
    bare = rows_of("none", shifted(0.9, 0))
    told = [conclude([*bare, *chain(*order)], [], objectives) for order in (networks, networks[::-1])]
    assert told[0].leader == told[1].leader
    assert not told[0].pays
    assert told[0].picture().to_dict()
    return told[0].leader, told[0].sentences[0]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_where_gains_and_losses_of_one_kind_cancel_nobody_is_called_promising(metric):
    """One network is half a point better, the other as much worse, by noise of two: the kind likely does nothing."""
    worse, better = rows_of(WEAK, shifted(0.8948, 1), 90_000_000), rows_of(STRONG, shifted(0.9052, 2), 85_000_000)
    leader, sentence = leader_of(worse, better, objectives=[metric, "flops"])
    assert leader is None
    assert "No network is promising: none is likely to beat the plain backbone." in sentence


def test_of_networks_that_are_as_likely_to_gain_the_one_that_did_better_is_the_most_promising():
    better = rows_of(STRONG, shifted(0.925, 2), 95_000_000)
    leader, sentence = leader_of(rows_of(WEAK, shifted(0.915, 1), 90_000_000), better)
    assert leader == better[0].key
    assert f"The most promising network is {leader} (se at stage1): most likely +2.00 points of accuracy" in sentence
    assert "compared with it alone +2.50 points" in sentence


def test_of_networks_that_did_alike_the_one_that_is_on_the_front_is_the_most_promising():
    """The other has as few parameters, but does it at 5 % more FLOPs."""
    both = (
        rows_of(spelling, shifted(0.925, 1), flops) for spelling, flops in ((WEAK, 95_000_000), (STRONG, 90_000_000))
    )
    leader, _ = leader_of(*both)
    assert leader == evaluation(STRONG).key


def test_of_networks_that_are_alike_in_all_the_cheaper_and_then_the_lesser_key_is_the_most_promising():
    both = [rows_of(spelling, shifted(0.925, 1), 90_000_000) for spelling in (WEAK, STRONG)]
    assert leader_of(*both)[0] == min(evaluation(WEAK).key, evaluation(STRONG).key)
    flops = [rows_of(WEAK, shifted(0.925, 1), 85_000_000), rows_of(STRONG, shifted(0.925, 1), 90_000_000)]
    assert leader_of(*flops, objectives=["accuracy", "params"])[0] == evaluation(WEAK).key


def test_networks_that_do_just_as_the_bare_one_does_are_not_promising_whatever_rounding_says():
    """Every seed gives the same: no noise, and no difference."""
    same = [rows_of(spelling, [0.9] * 3, flops) for spelling, flops in (("none", 8e7), (WEAK, 9e7), (STRONG, 9.5e7))]
    told = conclude(chain(*same), [], OBJECTIVES)
    assert told.leader is None
    assert "no difference that attention makes is sure" in told.sentences[0]
    assert {held.gain.value for held in (*told.comparison.networks, *told.comparison.effects)} == {0.0}


@pytest.mark.parametrize(("mean", "promising"), [(0.91, True), (0.89, False)])
@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_single_network_is_promising_where_it_did_better(mean, promising, seeds):
    rows = [
        *rows_of("none", shifted(0.9, 0)[:seeds]),
        *rows_of(WEAK, [value + mean - 0.9 for value in shifted(0.9, 0)][:seeds]),
    ]
    assert (conclude(rows, [], OBJECTIVES).leader is not None) == promising


def test_networks_whose_seeds_the_bare_one_lacks_are_not_told_to_gain():
    others = [rows_of(spelling, [mean, 0.92], seeds=[2, 3]) for spelling, mean in ((WEAK, 0.93), (STRONG, 0.95))]
    rows = [*rows_of("none", [0.9, 0.91]), *chain(*others)]
    told = conclude(rows, [], OBJECTIVES)
    assert told.leader is None
    assert told.sentences[0].endswith(
        "the plain backbone was trained with the seeds of no other, so that no difference is known."
    )
    assert not told.drawn
