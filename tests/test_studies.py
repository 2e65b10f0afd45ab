"""Every study and every search space that comes with the project can be used as it is."""

from pathlib import Path

import pytest

from nas_attn import load_table
from nas_attn.assembly import load_space
from nas_attn.settings import read_study_file

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path.parent for path in (ROOT / "studies").glob("*/study.toml"))
SPACES = sorted((ROOT / "search_spaces").glob("*.toml"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_a_study_asks_about_a_space_that_is_there(folder):
    file = read_study_file(folder)
    _, space = load_space(folder / file.space)
    assert space.size >= file.search.trials


@pytest.mark.parametrize(
    "folder", [path for path in STUDIES if (path / "rows.csv").exists()], ids=lambda path: path.name
)
def test_a_published_table_holds_the_space_that_its_study_asks_about(folder):
    file = read_study_file(folder)
    _, space = load_space(folder / file.space)
    table = load_table(folder.name)
    assert {*table.space.architectures()} == {*space.architectures()}
    assert table.seeds == tuple(range(file.seed, file.seed + file.steps[-1].seeds))


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_a_space_offers_something_in_every_slot(path):
    file, space = load_space(path)
    assert all(slot.kinds for slot in space.slots)
    offered = {kind.name for slot in space.slots for kind in slot.kinds}
    assert offered == {name for name, table in file.kinds if table is not None}


def test_the_demo_and_the_agreed_spaces_are_there():
    assert "digits" in [folder.name for folder in STUDIES]
    assert {"digits", "resnet20", "resnet20-blocks"} <= {path.stem for path in SPACES}
