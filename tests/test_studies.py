"""Every study and every search space that comes with the project can be used as it is."""

import re
from itertools import product
from pathlib import Path

import pytest

from nas_attn import load_table
from nas_attn.assembly import load_space
from nas_attn.results import evaluations, read_csv
from nas_attn.settings import read_study_file
from nas_attn.space import InputError, parse
from studies import concluded

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path.parent for path in (ROOT / "studies").glob("*/study.toml"))
SPACES = sorted((ROOT / "search_spaces").glob("*.toml"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_a_study_asks_about_a_space_that_is_there(folder):
    file = read_study_file(folder)
    _, space = load_space(folder / file.space)
    assert space.size >= file.search.trials


PUBLISHED = [path for path in STUDIES if (path / "rows.csv").exists()]
LISTING = [path for path in STUDIES if any(step.architectures for step in read_study_file(path).chain)]


@pytest.mark.parametrize("folder", [path for path in PUBLISHED if path not in LISTING], ids=lambda path: path.name)
def test_a_published_table_holds_the_space_that_its_study_asks_about(folder):
    file = read_study_file(folder)
    _, space = load_space(folder / file.space)
    table = load_table(folder.name)
    assert {*table.space.architectures()} == {*space.architectures()}
    assert table.seeds == tuple(range(file.seed, file.seed + file.steps[-1].seeds))


@pytest.mark.parametrize("folder", LISTING, ids=lambda path: path.name)
def test_a_study_that_lists_its_networks_has_published_each_with_the_same_seeds(folder):
    file = read_study_file(folder)
    _, space = load_space(folder / file.space)
    (step,) = file.steps
    rows = [row for row in evaluations(read_csv(folder / "rows.csv")) if row.role != "width-matched"]
    wanted = range(file.seed, file.seed + step.seeds)
    assert sorted((row.architecture, row.seed) for row in rows) == sorted(product(step.architectures, wanted))
    assert {row.state for row in rows} == {"complete"}
    assert all(space.decide(space.answers(parse(text)).get) == parse(text) for text in step.architectures)
    with pytest.raises(InputError, match=r"networks; the space has"):
        load_table(folder)


@pytest.mark.parametrize("folder", LISTING, ids=lambda path: path.name)
def test_what_a_study_claims_is_said_of_networks_that_it_trained(folder):
    found, _ = concluded(folder)
    assert len(found.claims) == len(read_study_file(folder).claim)
    assert "not measured" not in [one.finding for one in found.claims]
    readme = (folder / "README.md").read_text()
    assert all(f"*{one.finding}*" in readme for one in found.claims)


def test_what_lists_its_networks_is_no_table():
    with pytest.raises(InputError, match="allowed: digits-table, or a folder") as error:
        load_table("claim-stage")
    assert not any(path.name in str(error.value) for path in LISTING)


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_a_space_offers_something_in_every_slot(path):
    file, space = load_space(path)
    assert all(slot.kinds for slot in space.slots)
    offered = {kind.name for slot in space.slots for kind in slot.kinds}
    assert offered == {name for name, table in file.kinds if table is not None}


def test_the_demo_and_the_agreed_spaces_are_there():
    assert "digits" in [folder.name for folder in STUDIES]
    assert {"digits", "resnet20", "resnet20-blocks"} <= {path.stem for path in SPACES}


def test_what_the_table_says_of_kinds_is_what_the_verdict_says_of_its_rows():
    """Each effect that surely adds or costs something stands in the README with its simultaneous interval."""
    folder = ROOT / "studies" / "digits-table"
    found = concluded(folder)[0].comparison
    readme = " ".join((folder / "README.md").read_text().split())
    sure = [one.gain for one in found.effects if one.gain.positive or one.gain.negative]
    assert len(sure) == 4
    for gain in sure:
        low, high = sorted(abs(100 * end) for end in (gain.low, gain.high))
        assert re.search(rf"{abs(100 * gain.value):.2f} (points of accuracy )?\({low:.2f} to {high:.2f}\)", readme)
    assert f"all its {len(found.networks) + len(found.effects)} comparisons at once" in readme
    assert not any(one.gain.positive or one.gain.negative for one in found.networks)
