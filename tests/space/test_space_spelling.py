"""An architecture and its spelling: there, back, and nothing lost."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_attn.space import Architecture, Attention, InputError, Placement, is_word, parse, spell_value
from nas_attn.space.values import read_value

WORDS = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=8).filter(is_word)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.booleans() | NUMBERS | WORDS.filter(lambda word: read_value(word) == word)
OWN = st.builds("{}:{}".format, st.lists(WORDS, min_size=1, max_size=3).map(".".join), WORDS)
ATTENTIONS = st.builds(
    Attention, WORDS | OWN, st.dictionaries(WORDS, VALUES, max_size=3).map(lambda options: tuple(options.items()))
)
PIECES = st.sampled_from(["stage", "block", "a_", "x0", "9", "007"]) | st.integers(0, 12).map(str)
NAMES = st.lists(st.lists(PIECES, min_size=1, max_size=3).map("".join), min_size=1, max_size=3).map(".".join)


@st.composite
def architectures(draw):
    """Many sites that differ in a number, so that ranges fold, filled from a few attentions."""
    attentions = draw(st.lists(ATTENTIONS, min_size=1, max_size=3))
    stems = draw(st.lists(NAMES, max_size=3, unique=True))
    sites = dict.fromkeys(
        site
        for stem in stems
        for number in range(draw(st.integers(1, 13)))
        for site in (f"{stem}{number}.branch", stem)
    )
    return Architecture(tuple(Placement(site, draw(st.sampled_from(attentions))) for site in sites))


@given(architectures())
def test_a_spelling_is_read_back_as_the_same_architecture(architecture):
    read = parse(str(architecture))
    assert read == architecture
    assert [(p.site, p.attention.kind, p.attention.options) for p in read.placements] == [
        (p.site, p.attention.kind, p.attention.options) for p in architecture.placements
    ]
    kinds = [[type(value) for _, value in placement.attention.options] for placement in read.placements]
    assert kinds == [[type(value) for _, value in p.attention.options] for p in architecture.placements]


@given(architectures(), st.randoms(use_true_random=False))
def test_the_order_of_placements_and_options_changes_nothing(architecture, rng):
    placements = [
        Placement(placement.site, Attention(placement.attention.kind, placement.attention.options[::-1]))
        for placement in architecture.placements
    ]
    rng.shuffle(placements)
    shuffled = Architecture(tuple(placements))
    assert (shuffled, str(shuffled), hash(shuffled)) == (architecture, str(architecture), hash(architecture))


@given(architectures(), architectures())
def test_architectures_are_equal_exactly_where_their_keys_are(one, other):
    assert (one == other) == (one.key == other.key) == (str(one) == str(other))


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0), (0.0, -0.0), (8, "eight")])
def test_values_that_python_calls_equal_but_that_are_spelt_apart_are_two_choices(one, other):
    first, second = (Architecture((Placement("s", Attention("se", (("bias", value),))),)) for value in (one, other))
    assert first != second
    assert first.key != second.key
    both = Architecture(
        (Placement("s0", first.placements[0].attention), Placement("s1", second.placements[0].attention))
    )
    assert parse(str(both)) == both


def test_an_attention_of_ones_own_is_spelt_by_where_it_is():
    own = Attention("my_package.blocks:MyAttention", (("reduction", 8),))
    blocks = tuple(Placement(f"stage1.block{block}.branch", own) for block in (0, 1))
    spelling = "stage1.block0-1.branch=my_package.blocks:MyAttention(reduction=8)"
    assert str(Architecture(blocks)) == spelling
    assert parse(spelling) == Architecture(blocks)
    assert parse("s=m:A").placements == (Placement("s", Attention("m:A")),)


@given(VALUES)
def test_a_value_is_read_back_with_its_type(value):
    read = read_value(spell_value(value))
    assert type(read) is type(value)
    assert repr(read) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-07, "1e-07"),
        (1e22, "1e+22"),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (5e-324, "5e-324"),
        (10**40, "1" + "0" * 40),
        (-3, "-3"),
        (True, "true"),
        ("True", "True"),
        ("e5", "e5"),
    ],
)
def test_values_at_the_edges_have_one_spelling(value, text):
    assert spell_value(value) == text
    assert repr(read_value(text)) == repr(value)
    assert parse(f"s=k(x={text})").placements[0].attention.options == (("x", value),)


@pytest.mark.parametrize(
    "value",
    [
        "8",
        "0.5",
        "1e5",
        "true",
        "false",
        "nan",
        "NaN",
        "inf",
        "Infinity",
        "infinity",
        "",
        "two words",
        "a-b",
        "é",
        "a,b",
    ],
)
def test_a_text_that_would_be_read_as_something_else_is_refused(value):
    with pytest.raises(ValueError, match="allowed"):
        Attention("se", (("mode", value),))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, (1,), 1j])
def test_a_value_that_cannot_be_spelt_is_refused_before_it_is_part_of_anything(value):
    with pytest.raises(ValueError, match="allowed"):
        Attention("se", (("mode", value),))


def test_an_integer_beyond_what_python_reads_is_refused():
    with pytest.raises(ValueError, match="4300 digits"):
        Attention("se", (("mode", 10**5000),))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "nothing"),
        ("   ", "nothing"),
        ("se", "'se'"),
        ("none stage1=se", "'none'"),
        ("stage1", "'stage1'"),
        ("stage1=", "'stage1='"),
        ("=se", "'=se'"),
        ("stage1=se(", "'stage1=se('"),
        ("stage1=se)", "'stage1=se)'"),
        ("stage1=se(reduction=8", "'stage1=se(reduction=8'"),
        ("stage1=se(reduction)", "'reduction'"),
        ("stage1=se(reduction=)", "'reduction='"),
        ("stage1=se(=8)", "''"),
        ("stage1=se(8=8)", "'8'"),
        ("stage1=8se", "'8se'"),
        ("stage1=my.blocks", "'my.blocks' cannot name a kind"),
        ("stage1=:Mine", "':Mine' cannot name a kind"),
        ("stage1=blocks:", "'blocks:' cannot name a kind"),
        ("stage1=blocks:Mine:Mine", "'blocks:Mine:Mine' cannot name a kind"),
        ("stage1=my..blocks:Mine", "'my..blocks:Mine' cannot name a kind"),
        ("stage1=blocks:Mine.Inner", "'blocks:Mine.Inner' cannot name a kind"),
        ("stage1=my/blocks:Mine", "'stage1=my/blocks:Mine'"),
        ("stage1=se(my.option=1)", "'my.option' cannot name an option"),
        ("stage1=se(my:option=1)", "'my:option' cannot name an option"),
        ("stage1=se(reduction=8,reduction=8)", "'reduction'"),
        ("stage1=se(reduction=nan)", "nan"),
        ("stage1=se(reduction=1e400)", "inf"),
        ("stage1=se(reduction=3x3)", "'3x3'"),
        ("stage1=se(reduction=a=b)", "'a=b'"),
        ("stage1=se stage1=cbam", "stage1: has more than one"),
        ("stage1.block0-2=se stage1.block1=cbam", "stage1.block1: has more than one"),
        ("stage1.block2-1=se", "'stage1.block2-1'"),
        ("stage1.block0-99999999999=se", "0-99999999999"),
        ("stage1..block=se", "'stage1..block'"),
        ("stage1-=se", "'stage1-'"),
        ("block0-1-2=se", "'block0-2'"),
        ("stäge1=se", "'stäge1'"),
    ],
)
def test_a_bad_spelling_is_told_with_the_part_that_cannot_be_read(text, part):
    with pytest.raises(InputError) as told:
        parse(text)
    told = str(told.value).replace(f"architecture {text!r}", "architecture", 1)
    assert told.startswith(("architecture: ", "an architecture is spelt"))
    assert part in told


@pytest.mark.parametrize("word", ["", "8", "a b", "a.b", "a-b", "é", "a="])
def test_a_name_that_is_no_word_is_refused(word):
    for options in ((word, ()), ("se", ((word, 1),))):
        with pytest.raises(ValueError, match="letters, digits and _ only"):
            Attention(*options)


@pytest.mark.parametrize("site", ["", ".", "a.", "a..b", "a b", "a-b", "a=b", "é", "a\n"])
def test_a_site_that_could_not_be_read_back_is_refused(site):
    with pytest.raises(ValueError, match="cannot name a site"):
        Placement(site, Attention("se"))
