import random

import pytest
from space_cases import ALL, MADE_UP

from nas_attn.space import InputError, parse, spanned

SMALL = {name: space for name, space in ALL.items() if space.size <= 5000}


@pytest.mark.parametrize("name", SMALL)
def test_all_networks_of_a_space_span_it_again(name):
    space = SMALL[name]
    found = spanned(space.architectures())
    assert {*found.architectures()} == {*space.architectures()}
    assert [slot.size for slot in found.slots] == [slot.size for slot in space.slots if slot.kinds]
    assert all(
        found.decide(found.answers(each).get) == each
        for each in random.Random(0).sample([*SMALL[name].architectures()], min(20, space.size))
    )


@pytest.mark.parametrize("name", [name for name in SMALL if len(SMALL[name].slots) > 1])
def test_the_order_of_the_networks_does_not_matter_to_what_they_span(name):
    networks = [*SMALL[name].architectures()]
    random.Random(0).shuffle(networks)
    found = spanned(networks)
    assert {*found.architectures()} == {*networks}
    assert [slot.name for slot in found.slots] == [slot.name for slot in spanned(SMALL[name].architectures()).slots]


def test_a_slot_is_called_after_its_blocks():
    assert [slot.name for slot in spanned(MADE_UP["one of each"].architectures()).slots] == [
        "stage1.block0-1",
        "stage2.block0",
        "stage3.block0-1",
    ]


def test_a_choice_that_does_not_occur_is_one_that_does():
    spellings = ("none", "b.branch=se(bias=false,reduction=8)", "b.branch=se(bias=true,reduction=8)")
    space = spanned(map(parse, (*spellings, "b.branch=se(bias=false,reduction=4)")))
    answers = {"b": "se", "b.se.bias": True, "b.se.reduction": 4}
    assert space.size == 4
    assert str(space.decide(lambda question, _: answers[question])) == spellings[2]


@pytest.mark.parametrize(
    "spellings",
    [
        ("a.branch=se", "b.branch=se"),
        ("none", "a.branch=se", "b.branch=se"),
        ("none", "a.branch=se a.block=gate"),
        ("none", "a.branch=se", "a.branch=se(reduction=2)"),
        ("a.branch=se",),
    ],
)
def test_networks_that_are_not_a_whole_space_are_refused(spellings):
    with pytest.raises(InputError, match=f"found {len(spellings)} architectures that are not all the networks"):
        spanned(map(parse, spellings))


def test_a_network_that_is_missing_is_noticed():
    networks = [*MADE_UP["all in each"].architectures()]
    for missing in range(0, len(networks), 7):
        with pytest.raises(InputError, match="not all the networks of a space"):
            spanned(networks[:missing] + networks[missing + 1 :])
