"""The kinds of attention as tables of text."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from torch import nn

from nas_attn.space import POSITIONS

from .catalogue import allowed_positions, describe, keyword_options, parameter_count

_Table = tuple[Sequence[str], Iterable[Sequence[str]]]


def listing(attentions: Mapping[str, type[nn.Module]]) -> tuple[_Table, _Table]:
    """Two tables, each a head and its rows: what may be said of each kind, and where each kind comes from.

    Long cells go on in the rows below, so that a line has less than 120 characters.
    """
    known = {kind: describe(attention) for kind, attention in attentions.items()}
    uses = (
        (kind, _places(known[kind].positions), _options(attention), known[kind].parameters)
        for kind, attention in attentions.items()
    )
    papers = ((kind, paper.paper, paper.link) for kind, paper in known.items())
    return (
        (("kind", "positions", "options", "parameters"), _folded(uses, (14, 20, 34, 44))),
        (("kind", "paper", "link"), _folded(papers, (14, 54, 47))),
    )


def details(attention: type[nn.Module]) -> Iterator[tuple[str, str]]:
    """What there is to say of one attention, a user's own too: names, and what they stand for."""
    yield "positions", ", ".join(allowed_positions(attention))
    yield "options", _options(attention) or "none"
    for channels in (16, 64, 256):
        yield f"parameters at {channels} channels", f"{parameter_count(attention, channels):,}"


def _places(positions: tuple[str, ...]) -> str:
    """The positions in a few words, the preferred one first."""
    return f"{positions[0]}, any other" if set(positions) == set(POSITIONS) else ", ".join(positions)


def _options(attention: type[nn.Module]) -> str:
    """The options with their defaults, as a space file has them; one without a default follows from the channels."""
    defaults = {option.name: option.default for option in keyword_options(attention)}
    return ", ".join(
        name if default is None else f"{name}={str(default).lower() if isinstance(default, bool) else default}"
        for name, default in defaults.items()
    )


def _folded(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[Sequence[str]]:
    for row in rows:
        cells = (
            textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
            for cell, width in zip(row, widths, strict=True)
        )
        yield from zip_longest(*cells, fillvalue="")
