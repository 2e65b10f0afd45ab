"""The one spelling of an architecture, read back: `parse(str(architecture)) == architecture`."""

import re

from .architecture import NONE, Architecture, Attention, Placement
from .errors import InputError
from .ranges import unfold
from .values import Value, read_value

_PART = re.compile(r"(?P<sites>[^\s=]+)=(?P<kind>[\w.:]+)(?:\((?P<options>[^()]*)\))?")


def parse(text: str) -> Architecture:
    """Read an architecture from its spelling.

    >>> parse("stage2.block0-1.branch=se(reduction=8)").placements[1].site
    'stage2.block1.branch'
    >>> parse("none")
    Architecture(placements=())

    Raises `InputError` that quotes the part which cannot be read.
    """
    if text.strip() == NONE:
        return Architecture()
    if not text.strip():
        raise InputError(f"an architecture is spelt {NONE!r} or 'SITE=KIND(OPTION=VALUE,...) ...'; found nothing")
    try:
        return Architecture(tuple(placement for part in text.split() for placement in _placements(part)))
    except ValueError as error:
        raise InputError(f"architecture {text!r}: {error}") from None


def _placements(part: str) -> list[Placement]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"found {part!r}; a placement is spelt SITE=KIND or SITE=KIND(OPTION=VALUE,...)")
    options = tuple(_option(text) for text in (match["options"] or "").split(",") if text)
    attention = Attention(match["kind"], options)
    return [Placement(site, attention) for site in unfold(match["sites"])]


def _option(text: str) -> tuple[str, Value]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise ValueError(f"found the option {text!r}; an option is spelt NAME=VALUE")
    return name, read_value(value)
