import pytest
from made_up import row
from made_up_trainings import trained

from nas_attn.drawing import Outline, of_names
from nas_attn.report.answer import answer, price
from nas_attn.report.effects import effects_map
from nas_attn.results import across_seeds, pareto_front, table
from nas_attn.verdict.conclusion import conclude

OBJECTIVES = ["accuracy", "flops"]
SLOTS = [(f"stage{number}", [f"stage{number}.block0.branch"]) for number in (1, 2, 3)]


def judged(rows, others=()):
    """What rows conclude, and their front."""
    return conclude(rows, others, OBJECTIVES, slots=SLOTS), pareto_front(table(across_seeds(rows)), OBJECTIVES)


def readable(sentence):
    return sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MULTIPLICATION SIGN}", "x")


@pytest.fixture(scope="module")
def paying():
    return judged(trained(2, effect=4.0))


def test_who_pays_is_said_with_gain_interval_and_price(paying):
    said, front = paying
    sentence, ahead = answer(said, front, "studies/mine")
    gain = next(one.gain for one in said.comparison.networks if one.what == said.leader)
    ends = [f"{100 * end:+.2f}".replace("-", "\N{MINUS SIGN}") for end in (gain.value, gain.low, gain.high)]
    assert sentence.startswith(f"Attention pays: {said.leader} (")
    assert f"gains {ends[0]} points of accuracy ({ends[1]} to {ends[2]}) over the plain backbone" in sentence
    flops = dict(zip(front.rows.index, front.rows["flops"], strict=True))
    assert readable(sentence).endswith(f"for {flops[said.leader] / 80_000_000:.3g} x its FLOPs.")
    assert "would most likely decide" in ahead


def test_what_is_open_says_what_would_decide_it():
    said, front = judged(trained(3, networks=8, seeds=2))
    sentence, ahead = answer(said, front, "studies/mine")
    assert said.finding == "not known yet"
    assert sentence.startswith("Whether attention pays")
    assert "more" in ahead


def test_who_gains_as_much_as_width_may_do_is_not_said_to_pay():
    rows = trained(2, effect=4.0)
    plain = [one for one in rows if one.architecture == "none"]
    findings = {}
    for flops, gain in ((95_000_000, 0.0), (81_000_000, 0.03), (81_000_000, 0.08)):
        width = {"key": "width=1.25", "role": "width-matched", "flops": flops}
        said, front = judged(rows, [one.but(**width, accuracy=one["accuracy"] + gain) for one in plain])
        findings[said.finding] = answer(said, front, "s")[0].partition(": ")[0]
    assert findings == {
        "pays": "Attention pays",
        "not known yet": "Whether attention pays is not known yet, as a width-matched baseline is not surely beaten",
        "pays no more than width": "Attention pays, but no more than a wider backbone of the same price",
    }


def test_without_a_verdict_it_says_how_to_get_one():
    rows = [row("none", 0.90, 100, 1.0), row("stage1.block0.branch=se", 0.93, 120, 1.4)]
    front = pareto_front(table(rows), ["accuracy", "flops", "latency_ms"])
    sentence, ahead = answer(None, front, "'my study'")
    assert readable(sentence) == (
        f"{rows[1].key} has the best accuracy, 93.00 %: +3.00 points of accuracy over the plain backbone, "
        "for 1.2 x its FLOPs and 1.4 x its latency."
    )
    assert "`nas-attn verdict 'my study'`" in ahead
    assert price(front, "nobody") == ""


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("none", 0.90, 100, 1.0)], "Only the plain backbone is trained yet, to 90.00 % accuracy."),
        ([row("stage1=se", 0.93, 120, 1.4)], "93.00 %; the plain backbone was not trained, so it is not compared."),
        (
            [row("none", 0.95, 100, 1.0), row("stage1=se", 0.93, 120, 1.4)],
            "No network does better than the plain backbone, which has 95.00 % accuracy.",
        ),
        ([], "No network has been trained to the end, so there is no answer yet."),
    ],
)
def test_what_there_is_no_comparison_for_is_said(rows, expected):
    assert answer(None, pareto_front(table(rows), OBJECTIVES), "s")[0].endswith(expected)


def test_the_map_says_what_each_kind_adds_in_each_slot_and_what_it_costs(paying):
    said, _ = paying
    prices = {f"stage{n}.block0.branch": {"se": (0, 0, 100 * n), "se(reduction=4)": (0, 0, 50)} for n in (1, 2, 3)}
    outline = Outline("net", (), 0, of_names(prices).places, (0, 0, 10_000), prices)
    found = effects_map(said, outline, SLOTS)
    assert found.slots == ("stage1", "stage2", "stage3")
    effects = {one.what: one.gain for one in said.comparison.effects}
    cells = {cell.what: cell for _, line in found.lines for cell in line if cell}
    assert set(cells) == set(effects)
    for what, cell in cells.items():
        assert cell.decided == (effects[what].low > 0 or effects[what].high < 0)
        assert float(cell.effect.replace("\N{MINUS SIGN}", "-")) == pytest.approx(100 * effects[what].value, abs=0.005)
        assert cell.networks == sum(what in parts for parts in said.comparison.parts)
    assert cells["se at stage2"].decided
    assert cells["se at stage2"].strength == 1.0
    assert cells["se at stage2"].cost == "+0.5 to 2 % FLOPs"
    assert cells["eca at stage2"].cost == ""
