"""The Python of every page and notebook runs as it stands there, and gives what they say that it gives.

With NAS_ATTN_PAGES=1 what comes out is written into them instead.
"""

import json
import os
import re
import sys
from functools import cache

import pytest
from processes import fork_workers
from proofs import fork_proofs
from reading import NOTEBOOKS, PAGES, ROOT, blocks, pieces
from running import filled_notebook, filled_page, texts
from typer.testing import CliRunner

import nas_attn
from nas_attn.cli import app
from nas_attn.launch import Study
from nas_attn.settings import Measure

REWRITE = os.environ.get("NAS_ATTN_PAGES") == "1"
DOCS = ROOT / "docs"
ELSEWHERE = (ROOT / "README.md", DOCS / "ask.md", DOCS / "export.md")
"""Pages whose Python needs a trained study: that of a notebook, below, or the README's, of tests/test_launch.py."""


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
    if path not in ELSEWHERE:
        monkeypatch.chdir(ROOT)
        compare(path, path.read_text(), filled_page(path.read_text(), {"Measure": Measure}))


def test_what_the_text_of_pages_calls_is_there():
    said = [(named(path), piece) for path in PAGES for piece in pieces(path)]
    names = [(path, name) for path, piece in said for name in re.findall(r"(?<!\w)nas_attn\.(\w+)(?!\w*[./])", piece)]
    calls = [(path, name) for path, piece in said for name in re.findall(r"study(?:\(.*?\))?\.(\w+)\(", piece)]
    assert len(names) * len(calls) > 0
    rooms = [path.stem for path in (ROOT / "nas_attn").iterdir()]
    assert [one for one in names if one[1] not in (*nas_attn.__all__, *rooms)] == []
    assert [one for one in calls if not hasattr(Study, one[1])] == []


@pytest.fixture(scope="module")
def run():
    """Runs a notebook once, where it lies: as it is, as it is filled, and the names that it leaves."""
    with pytest.MonkeyPatch.context() as patch:
        fork_workers(patch)
        fork_proofs(patch)
        patch.setattr(sys, "path", [*sys.path])

        @cache
        def run(path):
            patch.chdir(path.parent)
            names, notebook = {}, json.loads(path.read_text())
            return notebook, filled_notebook(notebook, names), names

        yield run
    sys.modules.pop("model", None)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_holds_what_its_cells_give(path, run):
    notebook, filled, _ = run(path)
    compare(path, notebook, filled, texts)


def test_the_verdict_that_a_page_explains_is_that_of_the_rows(run):
    found = run(DOCS / "notebooks" / "front.ipynb")[2]["found"]
    quoted = [
        line.removeprefix("> ") for line in (DOCS / "verdict.md").read_text().splitlines() if line.startswith("> ")
    ]
    assert found.sentences[0] in " ".join(quoted)


def test_the_page_of_an_export_runs_in_its_folder(run, monkeypatch):
    monkeypatch.chdir(run(DOCS / "notebooks" / "export.ipynb")[2]["folder"] / "exported")
    names = {}
    filled_page((DOCS / "export.md").read_text().replace('"OUT"', '"."'), names)
    assert names["scores"].shape == (4, 10)


def test_the_page_of_a_question_runs_as_far_as_no_time_allows(run, tmp_path, monkeypatch):
    folder = run(DOCS / "notebooks" / "export.ipynb")[2]["folder"]
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "ask.md").read_text()
    for said, meant in (("minutes=2", "minutes=0.001"), ("minutes=10", "minutes=0.001"), ("studies/NAME", str(folder))):
        assert said in page
        page = page.replace(said, meant)
    names = {}
    filled_page(page, names)
    assert [one.finding for one in names["reply"].answers] == ["not known yet"] * 2


def test_the_page_of_a_network_shows_its_places_as_they_are_printed():
    pytest.importorskip("timm")
    (shown,) = [block.text for block in blocks(DOCS / "network.md", "") if "68 places" in block.text]
    begun, _, _ = re.sub(r"timm [\d.]+", "timm", shown).partition("...")
    printed = re.sub(r"timm [\d.]+", "timm", CliRunner().invoke(app, ["sites", "timm:resnet50"]).output)
    assert [line.rstrip() for line in printed.splitlines()][: begun.count("\n")] == begun.splitlines()
