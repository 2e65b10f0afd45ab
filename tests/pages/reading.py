"""The pages of the project, and the commands and settings that stand in them."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/*/*.md", "studies/*/*.md")
PAGES = sorted({path for place in PLACES for path in ROOT.glob(place)} - {ROOT / "CHANGELOG.md"})
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))
PROGRAMS = ("nas-attn", "make", "python", "pip", "pytest", "cd", "pre-commit", "sha256sum", "optuna-dashboard")


@dataclass(frozen=True)
class Block:
    """A block of code of a page, or a piece of code in its text."""

    path: Path
    line: int
    info: str
    text: str

    def __str__(self):
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path, info):
    """The fenced blocks of a page in this language."""
    found = (token for token in MarkdownIt().enable("table").parse(path.read_text()) if token.type == "fence")
    return [Block(path, token.map[0] + 1, token.info, token.content) for token in found if token.info == info]


def commands(path):
    """Every command of a page, one a line, of its blocks without a language and of its text."""
    found = []
    for token in MarkdownIt().enable("table").parse(path.read_text()):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "code_block" or (token.type == "fence" and token.info == ""):
            lines = _joined(token.content)
            if token.type == "code_block" or any(map(_is_command, lines)):
                shown = any(one.startswith("$ ") for one in lines)  # what follows is what they print
                found += [(line, one.removeprefix("$ ")) for one in lines if not shown or one.startswith("$ ")]
        pieces = [one for one in token.children or [] if one.type == "code_inline"]
        found += [(line, one.content) for one in pieces if _is_command(one.content) and " " in one.content]
    return [Block(path, line, "", text) for line, text in found]


def pieces(path):
    """Every piece of code in the text of a page."""
    tokens = [child for token in MarkdownIt().enable("table").parse(path.read_text()) for child in token.children or []]
    return [token.content for token in tokens if token.type == "code_inline"]


def _is_command(text):
    return re.sub(r"^(\$ |\w+=\S+ |\.venv/bin/)*", "", text).partition(" ")[0] in PROGRAMS


def _joined(text):
    """The lines of a block, each with what goes on in the next, without what is said beside it."""
    lines = []
    for line in filter(str.strip, text.splitlines()):
        name, rest = re.match(r"(\S+ +\S+ *)?(.*)", line).groups() if _is_command(line) else ("", line)
        said = (name or "") + re.split(r"^# | {3,}|(?<=\]) {2,}| +# ", rest.rstrip() if name else rest.strip())[0]
        if line.startswith(" ") and lines:
            lines[-1] += f" {said}"
        else:
            lines.append(said)
    return lines
