"""A truth that was planted is found: from a study's files to which networks are surely on the front."""

from pathlib import Path

import pytest
from thoroughness import thorough

import nas_attn
from nas_attn.assembly import build
from nas_attn.data import load_data
from nas_attn.settings import Backbone, Planted, Recipe
from nas_attn.space import parse
from nas_attn.statistics import membership
from nas_attn.training import train

SPACE = """
position = "block"
image = [1, 8, 36]
classes = 2

[backbone]
name = "line_reader:LineReader"
image = [8, 36]
modules = ["early", "middle", "late"]

[kinds.se]
reduction = 2

[kinds.gate]

[kinds.coordinate]
"""

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{ proxy = "scratch", epochs = 5, networks = 14 }, { proxy = "final", networks = 4, seeds = 3 }]

[data]
kind = "planted"
images = 800
gap = 4
validation = 0.3
test = 0.05

[recipe]
epochs = 6
batch_size = 32
optimizer = "adamw"
learning_rate = 0.02

[latency]
calls = 50
"""

PLANTED = "stage2.block0.block=coordinate"


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """What a search finds, of every step."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "study.toml").write_text(STUDY)
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    return study.folder.all_rows()


def has_it(row):
    """Whether coordinate attention stands after the second stage, whatever stands elsewhere."""
    placed = {placement.site: placement.attention.kind for placement in parse(row.architecture).placements}
    return placed.get("stage2.block0.block") == "coordinate"


@thorough
def test_the_right_kind_at_the_right_place_is_surely_on_the_front(rows):
    known = membership([row for row in rows if row.step == "final"], ["accuracy", "flops"])
    number = [row.architecture for row in known.networks].index(PLANTED)
    assert known.standing(number) == "in"
    assert known.estimates[number].low > 0.9


@thorough
def test_no_network_without_it_is_nearly_as_accurate(rows):
    """Of 240 images that are judged by luck, five standard deviations beyond the half are 0.66."""
    without = [row for row in rows if not has_it(row)]
    assert len({row.key for row in without}) >= 5
    assert max(row["accuracy"] for row in without) < 0.66


@thorough
def test_what_costs_more_than_it_is_not_surely_on_the_front(rows):
    known = membership([row for row in rows if row.step == "final"], ["accuracy", "flops"])
    price = next(row["flops"] for row in rows if row.architecture == PLANTED)
    standings = {known.standing(number) for number, row in enumerate(known.networks) if row["flops"] > price}
    assert standings
    assert "in" not in standings


@pytest.mark.parametrize(
    ("architecture", "solves"),
    [
        ("stage2.block0.block=triplet(kernel_size=3)", True),
        ("stage1.block0.block=coordinate", False),
        ("stage3.block0.block=coordinate", False),
        ("stage2.block0.block=se(reduction=1)", False),
        ("stage2.block0.block=global_context", False),
    ],
)
def test_the_task_asks_for_means_of_lines_between_words_and_pooling(architecture, solves):
    """`triplet` has them too; the other kinds do not, and at other places there are no words yet, or no lines."""
    backbone = Backbone(name="line_reader:LineReader", image=(8, 36), modules=("early", "middle", "late"))
    data = load_data(Planted(images=800, gap=4, validation=0.3, test=0.05), Path("nowhere"))
    network = build(parse(architecture), backbone, in_channels=1, classes=2, seed=0)
    recipe = Recipe(epochs=6, batch_size=32, optimizer="adamw", learning_rate=0.02)
    accuracy = train(network, data, recipe, 0).validation["accuracy"]
    assert accuracy > 0.9 if solves else accuracy < 0.66
