"""What is known of each kind of attention, read from where it is written."""

import inspect
import re
import sys
from dataclasses import dataclass

from torch import nn

_PAPER = re.compile(r'(?P<name>[^:]+): (?P<authors>.+?), "(?P<title>.+)", (?P<year>\d{4})\.')
_PARAMETERS = re.compile(r"Parameters: (?P<formula>.+?)\.(?: |$)", re.DOTALL)


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
    options = tuple(
        (option.name, option.default)
        for option in inspect.signature(attention).parameters.values()
        if option.kind is option.KEYWORD_ONLY
    )
    title = f"{paper['title']} ({paper['year']})"
    return Description(paper["name"], title, link[0], options, " ".join(formula["formula"].split()))
