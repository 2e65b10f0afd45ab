"""What is known of each kind of attention, read from where it is written, and shown as tables of text."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from torch import nn

from nas_attn.space import POSITIONS

_PAPER = re.compile(r'(?P<name>[^:]+): (?P<authors>.+?), "(?P<title>.+)", (?P<year>\d{4})\.')
_PARAMETERS = re.compile(r"Parameters: (?P<formula>.+?)\.(?: |$)", re.DOTALL)

_Table = tuple[Sequence[str], Iterable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Description:
    """A kind of attention in a few words."""

    name: str
    """As people say it: `Squeeze-and-excitation`."""
    paper: str
    """Title and year."""
    link: str
    """Where the paper is."""
    options: tuple[tuple[str, object], ...]
    """Each option with its default, that of the paper."""
    parameters: str
    """How many parameters it has at C channels."""
    positions: tuple[str, ...]
    """Where in a block it may stand, the paper's own place first."""


def allowed_positions(attention: type[nn.Module]) -> tuple[str, ...]:
    """Where in a block a class of attentions may stand, the usual place first: its `positions`, or any."""
    return tuple(getattr(attention, "positions", POSITIONS))


def keyword_options(attention: type[nn.Module]) -> tuple[inspect.Parameter, ...]:
    """The options of a class of attentions, in its order, each with its type, or that of its default, as annotation.

    >>> from nas_attn.attention import TripletAttention
    >>> [(option.name, option.annotation, option.default) for option in keyword_options(TripletAttention)]
    [('kernel_size', <class 'int'>, 7)]
    """
    return tuple(
        option.replace(annotation=type(option.default)) if option.annotation is option.empty else option
        for option in inspect.signature(attention, eval_str=True).parameters.values()
        if option.kind is option.KEYWORD_ONLY
    )


def built(attention: type[nn.Module], channels: int) -> nn.Module:
    """An attention with its defaults for features of this many channels, and a gating signal of as many."""
    return attention(*(channels,) * (2 if getattr(attention, "gated", False) else 1))


def describe(attention: type[nn.Module]) -> Description:
    """What the class of a kind, and the file that it stands in, say of it.

    >>> from nas_attn.attention import SqueezeExcitation
    >>> describe(SqueezeExcitation).parameters
    '2Cm, and m + C more with `bias`'

    Raises `ValueError` where the paper or the formula is not written as it is for the other kinds.
    """
    page = inspect.getdoc(sys.modules[attention.__module__]) or ""
    paper, formula = _PAPER.match(page), _PARAMETERS.search(inspect.getdoc(attention) or "")
    link = re.search(r"https://\S+?(?=[,.]?(?:\s|$))", page)
    if paper is None or formula is None or link is None:
        raise ValueError(f"{attention.__name__}: its docstrings lack the paper, its link or the formula of parameters")
    options = tuple((option.name, option.default) for option in keyword_options(attention))
    title = f"{paper['title']} ({paper['year']})"
    parameters = " ".join(formula["formula"].split())
    return Description(paper["name"], title, link[0], options, parameters, allowed_positions(attention))


def listing(attentions: Mapping[str, type[nn.Module]]) -> tuple[_Table, _Table]:
    """Two tables, each a head and its rows: what may be said of each kind, and where each kind comes from.

    Long cells go on in the rows below, so that a line has less than 120 characters.
    """
    known = {kind: describe(attention) for kind, attention in attentions.items()}
    uses = ((kind, _places(each.positions), _spelt(each.options), each.parameters) for kind, each in known.items())
    papers = ((kind, each.paper, each.link) for kind, each in known.items())
    return (
        (("kind", "positions", "options", "parameters"), _folded(uses, (14, 20, 34, 44))),
        (("kind", "paper", "link"), _folded(papers, (14, 54, 47))),
    )


def details(attention: type[nn.Module]) -> Iterator[tuple[str, str]]:
    """Names and values of what is known of one attention, a user's own too."""
    yield "positions", ", ".join(allowed_positions(attention))
    yield "options", _spelt((option.name, option.default) for option in keyword_options(attention)) or "none"
    for channels in (16, 64, 256):
        parameters = sum(parameter.numel() for parameter in built(attention, channels).parameters())
        yield f"parameters at {channels} channels", f"{parameters:,}"


def _places(positions: tuple[str, ...]) -> str:
    return f"{positions[0]}, any other" if set(positions) == set(POSITIONS) else ", ".join(positions)


def _spelt(options: Iterable[tuple[str, object]]) -> str:
    """Options with their defaults, as a space file has them; one without a default follows from the channels."""
    return ", ".join(
        name if default is None else f"{name}={str(default).lower() if isinstance(default, bool) else default}"
        for name, default in options
    )


def _folded(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[Sequence[str]]:
    for row in rows:
        cells = (
            textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
            for cell, width in zip(row, widths, strict=True)
        )
        yield from zip_longest(*cells, fillvalue="")
