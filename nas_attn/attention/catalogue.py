"""What is known of each kind of attention, read from the text of its file, without torch, and shown as tables."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from nas_attn.space import POSITIONS

from .signature import construct, keyword_options, signature_of

if TYPE_CHECKING:
    from torch import nn

_ROOM = Path(__file__).parent
_PAPER = re.compile(r'(?P<name>[^:]+): (?P<authors>.+?), "(?P<title>.+)", (?P<year>\d{4})\.')
_DOES = re.compile(r"(?P<does>.+?), \(B, C, H, W\)", re.DOTALL)
_PARAMETERS = re.compile(r"Parameters: (?P<formula>.+?)\.(?: |$)", re.DOTALL)
_OPTIONS = re.compile(r"^Options:\n(?P<lines>(?: +\S.*\n?)+)", re.MULTILINE)
_OPTION = re.compile(r"^    (\w+): ((?:.|\n(?!    \w))+)", re.MULTILINE)

_Table = tuple[Sequence[str], Iterable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Description:
    """A kind of attention in a few words."""

    name: str
    """As people say it: `Squeeze-and-excitation`."""
    does: str
    """What becomes of the features."""
    paper: str
    """Title and year."""
    link: str
    """Where the paper is."""
    options: tuple[tuple[str, object, str], ...]
    """Each option with its default, that of the paper, and what it means."""
    parameters: str
    """How many parameters it has at C channels."""
    positions: tuple[str, ...]
    """Where in a block it may stand, the paper's own place first."""


def allowed_positions(attention: "type[nn.Module]") -> tuple[str, ...]:
    """Where in a block a class of attentions may stand, the usual place first: its `positions`, or any."""
    return tuple(getattr(attention, "positions", POSITIONS))


def describe(attention: "type[nn.Module]") -> Description:
    """What the class of a kind, and the file that it stands in, say of it.

    >>> from nas_attn.attention import SqueezeExcitation
    >>> describe(SqueezeExcitation).parameters
    '2Cm, and m + C more with `bias`'

    Raises `ValueError` where the paper, the formula or an option is not written as it is for the other kinds.
    """
    return _described(inspect.getsource(sys.modules[attention.__module__]), attention.__name__)


def descriptions() -> dict[str, Description]:
    """What is known of each built-in kind, by its name in a space file, read without torch."""
    return {kind: _described(text, name) for kind, text, name in _written()}


def listing() -> tuple[_Table, _Table, _Table]:
    """Three tables, each a head and its rows: what each built-in kind does, its options, and where it comes from.

    Long cells go on in the rows below, so that a line has less than 120 characters.
    """
    known = descriptions()
    uses = ((kind, each.does, _places(each.positions), each.parameters) for kind, each in known.items())
    options = ((kind, *row) for kind, each in known.items() for row in _rows(each))
    papers = ((kind, each.paper, each.link) for kind, each in known.items())
    return (
        (("kind", "what it does", "positions", "parameters"), _folded(uses, (14, 38, 20, 38))),
        (("kind", "option", "default", "meaning"), _folded(options, (14, 14, 17, 66))),
        (("kind", "paper", "link"), _folded(papers, (14, 54, 47))),
    )


def details(attention: "type[nn.Module]") -> Iterator[tuple[str, str]]:
    """Names and values of what is known of one attention, a user's own too."""
    known = describe(attention) if attention.__module__.startswith(f"{__package__}.") else None
    if known is not None:
        yield from (("what it does", known.does), ("paper", known.paper), ("link", known.link))
    yield "positions", ", ".join(allowed_positions(attention))
    options = [(one.name, one.default, "") for one in keyword_options(attention)] if known is None else known.options
    yield "options", ", ".join(_spelt(name, default) for name, default, _ in options) or "none"
    for name, _, meaning in options:
        yield from ((head, text) for head, text in _folded([(f"  {name}", meaning.rstrip("."))], (30, 88)) if meaning)
    for channels in (16, 64, 256):
        yield f"parameters at {channels} channels", _parameters(attention, channels)


def _parameters(attention: "type[nn.Module]", channels: int) -> str:
    """How many parameters it has with its defaults, and for maps of 8 x 8 where it is built for a size."""
    size = {"height": 8, "width": 8}
    fault = ""
    for options in ({}, size) if signature_of(attention).sides else ({},):
        try:
            built = construct(attention, (channels, channels), options)
            number = sum(parameter.numel() for parameter in built.parameters())
        except Exception as error:  # of somebody else's
            fault = f"cannot be built: {next(iter(str(error).splitlines()), type(error).__name__)}"
            continue
        return f"{number:,}{' (maps of 8 x 8)' if options else ''}"
    return fault


def _written() -> Iterator[tuple[str, str, str]]:
    """Each kind of the table with the text of its file and the name of its class."""
    files: dict[str, str] = {}
    for node in ast.parse((_ROOM / "kinds.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            files.update((alias.name, f"{node.module}.py") for alias in node.names)
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            for key, made in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(made, ast.Name):
                    yield str(key.value), (_ROOM / files[made.id]).read_text(encoding="utf-8"), made.id


def _described(text: str, name: str) -> Description:
    tree = ast.parse(text)
    found = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)
    page, said = ast.get_docstring(tree) or "", (found and ast.get_docstring(found)) or ""
    paper, does, formula = _PAPER.match(page), _DOES.match(said), _PARAMETERS.search(said)
    link = re.search(r"https://\S+?(?=[,.]?(?:\s|$))", page)
    if found is None or paper is None or does is None or formula is None or link is None:
        raise ValueError(f"{name}: its docstrings lack the paper, its link, what it does or the formula of parameters")
    options = tuple(_options(found, said))
    if unsaid := [option for option, _, meaning in options if not meaning]:
        raise ValueError(f"{name}: its docstring lacks what {', '.join(unsaid)} means, under 'Options:'")
    title = f"{paper['title']} ({paper['year']})"
    return Description(
        paper["name"], _joined(does["does"]), title, link[0], options, _joined(formula["formula"]), _positions(found)
    )


def _options(found: ast.ClassDef, said: str) -> Iterator[tuple[str, object, str]]:
    """Each keyword-only parameter with its default, and what the docstring says of it."""
    lines = _OPTIONS.search(said)
    meanings = dict(_OPTION.findall(lines["lines"])) if lines else {}
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for option, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                value = None if default is None else ast.literal_eval(default)
                yield option.arg, value, _joined(meanings.get(option.arg, ""))


def _positions(found: ast.ClassDef) -> tuple[str, ...]:
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "positions":
            return tuple(ast.literal_eval(node.value)) if node.value else POSITIONS
    return POSITIONS


def _rows(each: Description) -> Iterator[tuple[str, str, str]]:
    for name, default, meaning in each.options:
        yield name, _spelt_value(default), meaning.rstrip(".")


def _places(positions: tuple[str, ...]) -> str:
    return f"{positions[0]}, any other" if set(positions) == set(POSITIONS) else ", ".join(positions)


def _spelt(name: str, default: object) -> str:
    """An option with its default, as a space file has them; one without a default follows from the channels."""
    return name if default is None else f"{name}={_spelt_value(default)}"


def _spelt_value(default: object) -> str:
    if default is None:
        return "by the channels"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _folded(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[Sequence[str]]:
    for row in rows:
        cells = (
            textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
            for cell, width in zip(row, widths, strict=True)
        )
        yield from zip_longest(*cells, fillvalue="")
