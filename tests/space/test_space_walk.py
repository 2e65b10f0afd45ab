"""A space is a walk of questions with an inverse, in every file that comes with the package and in made-up spaces."""

import math
import random
from itertools import islice, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from space_cases import ALL, FILES, MADE_UP, SPACES, SE, slot

from nas_attn.space import NONE, Architecture, Attention, InputError, Placement, SearchSpace, parse

EVERY = pytest.mark.parametrize("space", ALL.values(), ids=ALL)


class Spy:
    """Answers from a function, and remembers what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = {}

    def __call__(self, question, values):
        assert question not in self.asked
        self.asked[question] = self.answer(question, values)
        assert len(values) > 1
        return self.asked[question]


def test_there_are_files():
    assert {"digits", "resnet20", "resnet20-blocks"} <= {path.stem for path in FILES}
    assert len(SPACES) == len(FILES)


@EVERY
@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_answers_lead_back_to_the_architecture(space, data):
    spy = Spy(lambda question, values: data.draw(st.sampled_from(values), question))
    architecture = space.decide(spy)
    replay = Spy(lambda question, values: answers[question])
    answers = space.answers(architecture)
    assert space.decide(replay) == architecture
    assert parse(str(architecture)) == architecture
    # what is asked is what is answered, and nothing else
    assert replay.asked == spy.asked
    assert {question: answer for question, answer in answers.items() if question in spy.asked} == spy.asked
    assert {type(answers[question]) for question in spy.asked} == {type(answer) for answer in spy.asked.values()}


@EVERY
def test_every_answer_is_asked_for_unless_nothing_else_can_be_said(space):
    rng = random.Random(0)
    for _ in range(30):
        spy = Spy(lambda _, values: rng.choice(values))
        architecture = space.decide(spy)
        answers = space.answers(architecture)
        single = {one.name: NONE for one in space.slots if not one.kinds}
        assert answers.keys() - spy.asked.keys() <= single.keys()
        assert spy.asked.keys() <= answers.keys()


@pytest.mark.parametrize("name", [name for name, space in ALL.items() if space.size < 20_000])
def test_the_size_is_the_number_of_distinct_architectures(name):
    space = ALL[name]
    spellings = [str(architecture) for architecture in space.architectures()]
    assert len(spellings) == len(set(spellings)) == space.size
    assert spellings[0] == NONE


@pytest.mark.parametrize("space", MADE_UP.values(), ids=MADE_UP)
def test_the_walk_reaches_what_the_enumeration_lists(space):
    assert _walked(space) == {str(architecture) for architecture in space.architectures()}


def _walked(space):
    """Every architecture that some sequence of answers leads to, by trying them all."""
    found, open_ends = set(), [()]
    while open_ends:
        script = open_ends.pop()
        given, offered = list(script), []

        def choose(_, values, given=given, offered=offered):
            if given:
                return given.pop(0)
            offered.append(len(values))
            return values[0]

        def answer(question, values, choose=choose, script=script):
            return choose(question, tuple(range(len(values))) if False else values)

        architecture, path = _follow(space, script)
        found.add(str(architecture))
        open_ends.extend(
            (*path[:depth], other) for depth in range(len(script), len(path)) for other in range(1, path_widths(space, path)[depth])
        )
    return found
