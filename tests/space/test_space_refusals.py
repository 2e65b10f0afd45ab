"""What a space does not hold is told, and a space that could not be walked is never made."""

import pytest
from space_cases import BOTH, MADE_UP, PLAIN, SE, WORDS, slot

from nas_attn.space import Architecture, InputError, Kind, SearchSpace, Site, Slot, allowed, parse

SPACE = SearchSpace((slot("stage1", SE, BOTH), slot("stage2", PLAIN)))


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("stage3.block0.branch=se(bias=false,reduction=8)", "stage3.block0.branch"),
        ("stage1.block2.branch=se(bias=false,reduction=8)", "stage1.block2.branch"),
        ("stage1.block0-1.branch=cbam", "stage1.block0.branch"),
        ("stage2.block0-1.branch=se(bias=false,reduction=8)", "stage2.block0.branch"),
        ("stage1.block0-1.branch=se(bias=false,reduction=16)", "stage1.block0.branch"),
        ("stage1.block0-1.branch=se(bias=0,reduction=8)", "stage1.block0.branch"),
        ("stage1.block0-1.branch=se(bias=false,reduction=8.0)", "stage1.block0.branch"),
        ("stage1.block0-1.branch=se(reduction=8)", "stage1.block0.branch"),
        ("stage1.block0-1.branch=se", "stage1.block0.branch"),
        ("stage1.block0-1.branch=se(bias=false,ratio=2,reduction=8)", "stage1.block0.branch"),
        ("stage1.block0-1.block=se(bias=false,reduction=8)", "stage1.block0.block"),
        ("stage1.block0.branch=se(bias=false,reduction=8)", "stage1.block0.branch"),
        ("stage1.block1.branch=se(bias=false,reduction=8)", "stage1.block1.branch"),
        ("stage1.block0.branch=gate(reduction=2) stage1.block1.block=gate(reduction=2)", "stage1.block0.branch"),
        ("stage1.block0-1.branch=gate(reduction=2) stage1.block0-1.block=gate(reduction=2)", "stage1.block0.branch"),
        ("stage1.block0.branch=gate(reduction=2) stage1.block1.branch=se(reduction=8)", "stage1.block0.branch"),
        ("stage2.block0-1.branch=spatial(position=branch)", "stage2.block0.branch"),
    ],
)
def test_an_architecture_of_another_space_is_told_at_its_first_site(text, site):
    with pytest.raises(InputError) as told:
        SPACE.answers(parse(text))
    assert str(told.value).startswith(f"{site}: ")


@pytest.mark.parametrize(
    "text",
    [
        "stage1.block0-1.branch=se(bias=false,reduction=8)",
        "stage1.block0-1.block=gate(reduction=2) stage2.block0-1.branch=spatial",
        "stage1.block0-1.branch=gate(reduction=2)",
        "none",
    ],
)
def test_the_neighbours_of_those_are_held(text):
    answers = SPACE.answers(parse(text))
    assert str(SPACE.decide(lambda question, _: answers[question])) == text


def test_a_space_without_slots_holds_only_the_plain_backbone():
    assert MADE_UP["nothing"].answers(Architecture()) == {}
    with pytest.raises(InputError, match=r"^stage1: no slot of this space holds this site"):
        MADE_UP["nothing"].answers(parse("stage1=se"))


@pytest.mark.parametrize("answer", ["see", None, "", 0, float("nan")])
def test_an_answer_that_is_not_offered_is_told_with_what_is(answer):
    with pytest.raises(InputError) as told:
        SPACE.decide(lambda *_: answer)
    assert str(told.value).startswith(f"stage1: found {answer!r}; ")
    assert str(told.value).endswith("allowed: none, se, gate")


def test_a_wrong_option_is_told_by_its_question():
    answers = {"stage1": "se", "stage1.se.reduction": 5}
    with pytest.raises(InputError, match=r"^stage1\.se\.reduction: found 5; allowed: 8, 4$"):
        SPACE.decide(lambda question, _: answers[question])


def test_a_slip_is_told_with_what_was_probably_meant():
    assert allowed("sse", ["none", "se", "cbam"]).startswith("did you mean 'se'? ")
    assert allowed("zzz", ["none", "se"]) == "allowed: none, se"
    assert allowed("zzz", []) == "allowed: nothing"
    assert allowed(5, iter(["5a", "x"])) == "did you mean '5a'? allowed: 5a, x"


@pytest.mark.parametrize(
    ("options", "positions", "told"),
    [
        ((("reduction", ()),), ("branch",), "se.reduction"),
        ((("reduction", (4, 4)),), ("branch",), "se.reduction"),
        ((("bias", (1, True)),), ("branch",), "se.bias"),
        ((("mode", ("a", "8")),), ("branch",), "'8'"),
        ((("rate", (0.5, float("inf"))),), ("branch",), "inf"),
        ((("mode", ("a",)), ("mode", ("b",))), ("branch",), "given twice"),
        ((("position", ("a",)),), ("branch",), "given twice"),
        ((("two words", ("a",)),), ("branch",), "two words"),
        ((), (), "se.position"),
        ((), ("branch", "branch"), "se.position"),
    ],
)
def test_a_kind_whose_answers_could_not_be_told_apart_is_refused(options, positions, told):
    with pytest.raises(ValueError, match=r"found|twice|cannot") as refused:
        Kind("se", options, positions)
    assert told in str(refused.value)


def test_the_empty_answer_cannot_name_a_kind():
    with pytest.raises(ValueError, match="cannot name a kind"):
        Kind("none")


def test_a_slot_that_would_hide_an_answer_is_refused():
    with pytest.raises(ValueError, match=r"stage1: offers the kind 'spatial' twice"):
        slot("stage1", PLAIN, SE, PLAIN)
    with pytest.raises(ValueError, match=r"stage1\.gate: no site has the position 'block'"):
        Slot("stage1", (Site("stage1.block0.branch", "stage1", "stage1.block0", "branch", 16),), (BOTH,))


def test_a_space_that_asks_twice_is_refused():
    with pytest.raises(ValueError, match=r"^stage1: stands in this space twice"):
        SearchSpace((slot("stage1", SE), slot("stage1", PLAIN)))
    first = slot("stage1", SE)
    with pytest.raises(ValueError, match=r"^stage1\.block0\.branch: stands in this space twice"):
        SearchSpace((first, Slot("first", first.sites, (WORDS,))))
