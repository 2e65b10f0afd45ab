"""Links of pages lead somewhere, and the contents of the site lead to every page of docs/."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from markdown_it import MarkdownIt
from reading import NOTEBOOKS, PAGES, ROOT, blocks

INDEX = ROOT / "docs" / "index.md"


def links(path):
    """Addresses of links and pictures of a page that name files."""
    tokens = [child for token in MarkdownIt().enable("table").parse(path.read_text()) for child in token.children or []]
    found = [
        one.attrGet("href" if one.type == "link_open" else "src")
        for one in tokens
        if one.type in ("link_open", "image")
    ]
    return [address for address in found if not urlparse(address).scheme]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(path):
    files = [unquote(address.partition("#")[0]) for address in links(path)]
    assert [name for name in files if name and not (path.parent / name).is_file()] == []


def test_the_contents_lead_to_every_page_of_docs():
    lines = [line for block in blocks(INDEX, "{toctree}") for line in block.text.splitlines()]
    entries = [line.rstrip(">").rpartition("<")[2] for line in lines if line and not line.startswith(":")]
    listed = {path for entry in entries for end in ("md", "ipynb") for path in (ROOT / "docs").glob(f"{entry}.{end}")}
    pages = {path for path in PAGES if Path("docs") in path.relative_to(ROOT).parents} - {INDEX}
    assert {str(path.relative_to(ROOT)) for path in {*pages, *NOTEBOOKS} - listed} == set()
