"""What is known of each kind of attention, read from where it is written."""

import inspect
import re
import sys
from dataclasses import dataclass

from torch import nn

from nas_attn.space import POSITIONS

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
    positions: tuple[str, ...]
    """Where in a block it may stand, the paper's own place first."""


def allowed_positions(attention: type[nn.Module]) -> tuple[str, ...]:
    """Where in a block a class of attentions may stand, and first where it stands unless something else is said.

    A class that does not say it in `positions` may stand in any of `POSITIONS`.
    """
    return tuple(getattr(attention, "positions", POSITIONS))


def keyword_options(attention: type[nn.Module]) -> tuple[inspect.Parameter, ...]:
    """The options of a class of attentions, in the order in which it names them; each has its type as annotation.

    What has no annotation has the type of its default.

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


def parameter_count(attention: type[nn.Module], channels: int) -> int:
    """How many parameters an attention with its defaults has at this many channels.

    >>> from nas_attn.attention import SqueezeExcitation
    >>> parameter_count(SqueezeExcitation, 256)
    8192
    """
    return sum(parameter.numel() for parameter in built(attention, channels).parameters())


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
