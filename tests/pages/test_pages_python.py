"""The Python of every page and notebook runs as it stands there, and gives what they say that it gives.

With NAS_ATTN_PAGES=1 what comes out is written into them instead.
"""

import json
import os
import sys

import pytest
from processes import fork_workers
from proofs import fork_proofs
from reading import NOTEBOOKS, PAGES, ROOT, blocks
from running import filled_notebook, filled_page, texts

from nas_attn.settings import Measure

REWRITE = os.environ.get("NAS_ATTN_PAGES") == "1"
EXPORT = ROOT / "docs" / "notebooks" / "export.ipynb"
ELSEWHERE = ("README.md", "docs/ask.md", "docs/deploy.md")
"""Pages whose Python needs a study that is trained: those below, and the README's of tests/test_launch.py."""


def named(path):
    return str(path.relative_to(ROOT))


def compare(path, page, filled, shown=lambda page: page):
    """What comes out is what stands there; or is what stands there from now on."""
    if REWRITE:
        path.write_text(filled if isinstance(filled, str) else json.dumps(filled, indent=1, ensure_ascii=False) + "\n")
    else:
        assert shown(filled) == shown(page)


@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path, "python")], ids=named)
def test_a_page_says_what_its_python_gives(path, monkeypatch):
    if named(path) not in ELSEWHERE:
        monkeypatch.chdir(ROOT)
        compare(path, path.read_text(), filled_page(path.read_text(), {"Measure": Measure}))


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path != EXPORT], ids=named)
def test_a_notebook_holds_what_its_cells_give(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    notebook = json.loads(path.read_text())
    compare(path, notebook, filled_notebook(notebook, {}), texts)


@pytest.fixture(scope="module")
def exported():
    """The notebook of an export, as it is and as it is filled, and the names that it leaves: a study and its folder."""
    names, notebook = {}, json.loads(EXPORT.read_text())
    with pytest.MonkeyPatch.context() as patch:
        fork_workers(patch)
        fork_proofs(patch)
        patch.setattr(sys, "path", [*sys.path])
        yield notebook, filled_notebook(notebook, names), names
    del sys.modules["model"]


def test_the_notebook_of_an_export_holds_what_its_cells_give(exported):
    notebook, filled, _ = exported
    compare(EXPORT, notebook, filled, texts)


def test_the_page_of_an_export_runs_in_its_folder(exported, monkeypatch):
    monkeypatch.chdir(exported[2]["folder"] / "exported")
    names = {}
    filled_page((ROOT / "docs" / "deploy.md").read_text(), names)
    assert names["scores"].shape == (4, 10)


def test_the_page_of_a_question_runs_as_far_as_no_time_allows(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "ask.md").read_text()
    for said, meant in {
        "minutes=2": "minutes=0.001",
        "minutes=10": "minutes=0.001",
        "studies/NAME": str(exported[2]["folder"]),
    }.items():
        assert said in page
        page = page.replace(said, meant)
    names = {}
    filled_page(page, names)
    assert [one.finding for one in names["reply"].answers] == ["not known yet"] * 2
