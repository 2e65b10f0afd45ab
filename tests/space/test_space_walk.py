"""A space is a walk of questions with an inverse, in every file that comes with the package and in made-up spaces."""

import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from space_cases import ALL, FILES, MADE_UP, SPACES

from nas_attn.space import NONE, Architecture, parse

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
    assert replay.asked == answers
    # what is answered is what is asked, and nothing else, for a slot without kinds says nothing
    assert answers.keys() == spy.asked.keys()
    assert [type(answers[question]) for question in spy.asked] == [type(answer) for answer in spy.asked.values()]
    if space.size == space.spellings:  # no two ways to answer lead to one network
        assert answers == spy.asked


@pytest.mark.parametrize("name", [name for name, space in ALL.items() if space.size < 20_000])
def test_the_size_is_the_number_of_distinct_architectures(name):
    space = ALL[name]
    spellings = [str(architecture) for architecture in space.architectures()]
    assert len(spellings) == len(set(spellings)) == space.size
    assert spellings[0] == NONE


@pytest.mark.parametrize("name", [name for name, space in ALL.items() if space.size < 1000])
def test_the_sequences_of_answers_lead_to_every_architecture(name):
    walked = _walked(ALL[name])
    assert len(walked) == ALL[name].spellings
    assert len(set(walked)) == ALL[name].size
    assert set(walked) == {str(architecture) for architecture in ALL[name].architectures()}


def test_the_sizes_of_made_up_spaces_are_known():
    sizes = {name: space.size for name, space in MADE_UP.items()}
    # a slot counts 1 for nothing and, for each kind, the product of its positions and values: SE 4, BOTH 2, PLAIN 1
    assert sizes == {
        "nothing": 1,
        "an empty slot": 2,
        "one of each": 5 * 3 * 2,
        "all in each": 8**2,
        "twelve blocks": 7 * 2,
        "equivalent": (1 + 3) * 2,
        "words": 1 + 9 + 4,
    }
    assert MADE_UP["equivalent"].spellings == (1 + 4) * 2
    assert SPACES["resnet20-blocks"].size == math.prod(slot.size for slot in SPACES["resnet20-blocks"].slots)


@EVERY
def test_the_baselines_are_nothing_and_each_kind_everywhere(space):
    plain, *others = space.baselines()
    assert plain == Architecture()
    kinds = list(dict.fromkeys(kind.name for slot in space.slots for kind in slot.kinds))
    assert [{placement.attention.kind for placement in one.placements} for one in others] == [{kind} for kind in kinds]
    for kind, baseline in zip(kinds, others, strict=True):
        assert space.decide(lambda question, _, given=baseline: space.answers(given)[question]) == baseline
        filled = {placement.site for placement in baseline.placements}
        for slot in space.slots:
            offers = [one for one in slot.kinds if one.name == kind]
            expected = {site.name for one in offers for site in slot.sites if site.position == one.positions[0]}
            assert expected == filled & {site.name for site in slot.sites}
            first = tuple(sorted((name, values[0]) for one in offers for name, values in one.options))
            assert all(p.attention.options == first for p in baseline.placements if p.site in expected)


@EVERY
def test_a_seed_fixes_what_is_sampled(space):
    assert space.sample(random.Random(3)) == space.sample(random.Random(3))
    drawn = {str(space.sample(random.Random(seed))) for seed in range(60)}
    assert (len(drawn) > 1) == (space.size > 1)


def _walked(space):
    """What every sequence of answers leads to, each tried once."""
    found, prefixes = [], [()]
    while prefixes:
        prefix = prefixes.pop()
        architecture, widths = _followed(space, prefix)
        found.append(str(architecture))
        for depth in range(len(prefix), len(widths)):
            zeros = (0,) * (depth - len(prefix))
            prefixes.extend((*prefix, *zeros, other) for other in range(1, widths[depth]))
    return found


def _followed(space, prefix):
    """The architecture of these answers, each a number, and the first answer after them; and how many were offered."""
    widths = []

    def choose(_, values):
        widths.append(len(values))
        return values[prefix[len(widths) - 1] if len(widths) <= len(prefix) else 0]

    return space.decide(choose), widths
