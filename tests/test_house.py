"""The rules of the house that no other tool asks for."""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nas_attn"


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_and_functions_are_short():
    files = {path: lines_of(path) for path in PACKAGE.rglob("*.py")}
    assert [path for path, lines in files.items() if lines > 300] == []
    assert statistics.median(files.values()) <= 100
    assert [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 40
    ] == []


def test_no_room_holds_more_than_an_eighth_of_the_house():
    rooms = {room: sum(map(lines_of, room.rglob("*.py"))) for room in PACKAGE.iterdir() if room.is_dir()}
    assert [room.name for room, lines in rooms.items() if lines > 0.12 * sum(rooms.values())] == []


def test_the_plan_names_every_room():
    plan, contract = (ROOT / "docs" / "house.md").read_text(), (ROOT / ".importlinter").read_text()
    rooms = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    assert [name for name in rooms if f"`{name}/`" not in plan] == []
    contracts = [section.splitlines() for section in contract.split("[importlinter:")]
    twice = [line for lines in contracts for line in set(lines) if line.startswith(" ") and lines.count(line) > 1]
    assert twice == []


GONE = {
    "wiring module": r"\bjoints?\b(?! posterior)",
    "rival": r"\brivals?\b",
    "bare network": r"\bbare (network|backbone|one)s?\b",
    "twins": r"\btwins?\b",
    "look": r"\blooke?d? at\b|\blooks at\b",
    "dear": r"\bdear(er|est)?\b",
    "asked, told, held": r"\b(asked|(?<!not )told|held)\b",
    "treatment, nursery": r"\b(treatments?|nursery)\b",
    "surely in, perhaps": r"\bsurely (in|out|on)\b|\bperhaps\b",
    "settling": r"\bsettl(e|es|ed|ing)\b",
    "doubt, belief": r"\b(doubts?|beliefs?|believed?|believes)\b",
    "chance": r"\bchances?\b(?! to\b)",
    "blots, judgement": r"\b(blots?|judgements?)\b",
}
"""Words for which the field has others, as docs/glossary.md says; with what they may not be taken for."""

NAMED = re.compile(
    r"(^|_)(told|asked|held|rivals?|bare|twins?|treatment|nursery|worth|doubt|belief|lead|terrain|blots)($|_)"
)
"""The same as parts of names in the code."""


def test_pages_messages_and_docstrings_speak_the_words_of_the_field():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}: {line.strip()}"
        for path in tracked(*PAGES)
        if "tests" not in path.parts and path.name not in ("CHANGELOG.md", "LICENSE")
        for number, line in [*said(path), *texts(path)]
        for word, pattern in GONE.items()
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert found == []


def test_names_speak_the_words_of_the_field():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [getattr(node, name, None) for name in ("name", "id", "attr", "arg")]
            found += [
                f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '')}: {name}"
                for name in names
                if isinstance(name, str) and NAMED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
            ]
    assert found == []


def texts(path):
    """The texts that a file of Python says to users, with their lines."""
    if path.suffix != ".py":
        return []
    strings = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant))
    return [(node.lineno, node.value) for node in strings if isinstance(node.value, str) and " " in node.value]


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_door_opens_without_the_heavy_libraries(argument):
    code = (
        "import sys\n"
        f"sys.argv = ['nas-attn', '{argument}']\n"
        "from nas_attn.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pytorch_lightning', 'optuna', 'pandas', 'numpy', 'altair', 'fvcore'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "nas-attn" in process.stdout


def test_the_public_names_are_handed_on_lazily():
    code = (
        "import sys, nas_attn\n"
        "assert 'torch' not in sys.modules\n"
        "names = [name for name in dir(nas_attn) if not name.startswith('_')]\n"
        "assert {'open_study', 'front', 'parse', 'build', 'load_space'} <= set(nas_attn.__all__)\n"
        "assert all(callable(getattr(nas_attn, name)) for name in nas_attn.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def tracked(*endings):
    """The files of these endings that are kept; without Git, as in a source archive, those that stand where they do."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = [ROOT / name for name in listed.stdout.splitlines()] or [*ROOT.glob("*.*"), *ROOT.glob("[bdnst]*/**/*.*")]
    return [path for path in found if path.name.endswith(endings) and path.is_file()]


def said(path):
    """The lines of a page, or of the docstrings and comments of a file of Python, with their numbers."""
    text = path.read_text(encoding="utf-8")
    if path.suffix not in (".py", ".pyi"):
        return [*enumerate(text.splitlines(), 1)]
    strings = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    told = [node for node in strings if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    lines = [(node.lineno + more, line) for node in told for more, line in enumerate(node.value.splitlines())]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return lines + [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


PAGES = (".py", ".pyi", ".md", ".jinja", ".toml", "Makefile")
PLACEHOLDER = re.compile(r"[\s#*_>-]*[A-Z]{5,}[\s*_.:]*|.*\b(TODO|FIXME|XXX|TBD)\b.*")
"""A line that is one word of capitals, as GPLINE, or one that names what is still to be done."""


@pytest.mark.parametrize("line", ["GPLINE", "    CIDEMO  ", "# FIXME: later", "takes TODO seconds", "**RESULT**"])
def test_what_was_to_be_filled_in_is_taken_for_a_placeholder(line):
    assert PLACEHOLDER.fullmatch(line)


@pytest.mark.parametrize(
    "line", ["| GP | .755 |", "`KIND` at SLOT", "FLOPs", "MACs", "# NAS", "SIGTERM keeps rows", "---"]
)
def test_what_is_written_in_capitals_for_good_reason_is_none(line):
    assert not PLACEHOLDER.fullmatch(line)


def test_no_page_and_no_docstring_holds_a_placeholder():
    held = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked(*PAGES)
        for number, line in said(path)
        if PLACEHOLDER.fullmatch(line)
    ]
    assert held == []


def test_what_pages_and_docstrings_call_part_of_a_class_is_part_of_it():
    """Spelt `Class.part`, where the class is one of the package."""
    code = [path.read_text(encoding="utf-8") for path in tracked(".py") if PACKAGE in path.parents]
    classes = defaultdict(str)
    for text in code:
        for name in re.findall(r"^class (\w+)", text, flags=re.MULTILINE):
            classes[name] += text
    named = [
        (f"{path.relative_to(ROOT)}:{number}", *found)
        for path in tracked(*PAGES)
        for number, line in said(path)
        for found in re.findall(r"`([A-Z]\w*)\.(\w+)[`(]", line)
    ]
    assert len(named) > 10
    assert [
        (where, name, part)
        for where, name, part in named
        if name in classes and not re.search(rf"^ +(def {part}\b|{part}\b.*[:=])", classes[name], flags=re.MULTILINE)
    ] == []
