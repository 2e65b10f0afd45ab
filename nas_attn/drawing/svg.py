"""Drawing of a network as SVG, which stands alone in a file and takes the colours of a page that it stands in."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from nas_attn.space import Architecture, Attention

from .outline import Outline, Place, attentions, more, size

WIDTH = 400
_STAGE, _LINE, _TOWER = 26, 38, 76
_LONGEST = 33
"""Letters that a line of a label has at most."""
_COLOURS = ("cfe5f5", "fde3c0", "cdebdf", "f6d5e6", "f7efb0", "dcd8f3", "f8d3c9", "d5e9ea", "e4dccf", "dfe8c8")
_STYLE = """
.net { font: 11px "Helvetica Neue", Arial, "Liberation Sans", sans-serif; color: #22262b; color: var(--ink, #22262b); }
.net text { fill: currentColor; }
.net .pale { opacity: .72; }
.net .strong { font-weight: 600; }
.net .map { fill: #e8ecf0; fill: var(--map, #e8ecf0); stroke: #9aa0a6; }
.net .way { stroke: #9aa0a6; fill: none; }
.net .chip text { fill: #22262b; }
@media (prefers-color-scheme: dark) {
  .net { color: var(--ink, #e8eaed); }
  .net .map { fill: var(--map, #3c434b); }
}
.net .chip rect { stroke: #00000022; }
"""


def drawing_svg(outline: Outline, architecture: Architecture, kinds: Sequence[str] = ()) -> str:
    """A network from input to output, block by block: sizes, what stands where, its options and its share of FLOPs.

    Kinds have the colours of their places in `kinds`, by default those of the architecture. A `g` of the class `line`
    names its site in `data-site`.
    """
    standing = attentions(architecture)
    names = list(kinds) or sorted({attention.kind for attention in standing.values()})
    parts, height = list(_body(outline, standing, names)), _height(outline)
    described = f"{outline.backbone or 'The network'}: {architecture}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="net" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label={quoteattr(described)}><style>{_STYLE}{_colours(names)}</style>'
        f"{''.join(parts)}</svg>"
    )


def chip(attention: Attention, colour: int, price: str) -> str:
    """What stands at a place: kind, options and price; drawn beside the map that it weighs."""
    kind, options = labels(attention)
    return (
        f'<g class="chip k{colour}" transform="translate(196 0)"><title>{escape(f"{attention}  {price}")}</title>'
        f'<rect y="3" width="{WIDTH - 198}" height="{_LINE - 6}" rx="5"/>'
        f'<text class="strong kind" x="8" y="17">{escape(kind)}</text>'
        f'<text class="price" x="{WIDTH - 206}" y="17" text-anchor="end">{escape(price)}</text>'
        f'<text class="options" x="8" y="29">{escape(options)}</text></g>'
    )


def labels(attention: Attention) -> tuple[str, str]:
    """The kind and its options, as short as a chip needs them."""
    kind = attention.kind.rpartition(":")[2]
    options = str(attention).removeprefix(attention.kind).strip("()").replace(",", " ")
    return _short(kind, 18), _short(options, _LONGEST)


def _body(outline: Outline, standing: dict[str, Attention], kinds: Sequence[str]) -> Iterator[str]:
    middle, y = _TOWER / 2, 0.0
    yield from _end(y, "input", size(outline.image))
    y += _STAGE
    largest = max([*(place.shape[-1] for place in outline.places if place.shape), 2])
    yield f'<line class="way" x1="{middle}" x2="{middle}" y1="{y}" y2="{_height(outline) - _STAGE}"/>'
    for stage, places in groupby(outline.places, key=lambda place: place.stage):
        yield f'<text class="strong" x="{_TOWER + 8}" y="{y + 17}">{escape(_short(stage, 40))}</text>'
        y += _STAGE
        for _, block in groupby(places, key=lambda place: place.block):
            lines = list(block)
            yield _map(lines, y, largest)
            for place in lines:
                yield _line(outline, place, y, standing.get(place.site), kinds)
                y += _LINE
    yield from _end(y, "output", f"{outline.outputs:,} outputs" if outline.outputs else "")


def _end(y: float, word: str, said: str) -> Iterator[str]:
    yield f'<text class="strong" x="{_TOWER / 2}" y="{y + 17}" text-anchor="middle">{word}</text>'
    yield f'<text class="pale" x="{_TOWER + 8}" y="{y + 17}">{escape(said)}</text>'


def _map(lines: Sequence[Place], y: float, largest: int) -> str:
    """The map of a block: the wider, the larger it is; the darker, the more channels it has."""
    shape = next((place.shape for place in reversed(lines) if place.shape), ())
    share = math.log2(max(2, shape[-1]) / 2 + 1) / math.log2(largest / 2 + 1) if shape else 0.6
    width, height = 18 + (_TOWER - 22) * share, len(lines) * _LINE - 8
    return (
        f'<rect class="map" x="{(_TOWER - width) / 2:.1f}" y="{y + 4:.1f}" width="{width:.1f}" height="{height}" '
        f'rx="3"><title>{escape(lines[0].block)}</title></rect>'
    )


def _line(outline: Outline, place: Place, y: float, attention: Attention | None, kinds: Sequence[str]) -> str:
    inner = place.block.removeprefix(f"{place.stage}.") or place.block
    words = f"{_short(inner, 12)} {place.position}".strip()
    drawn = ""
    if attention is not None:
        drawn = chip(attention, kinds.index(attention.kind) % 10, more(outline.share(place.site, attention)))
    return (
        f'<g class="line" data-site={quoteattr(place.site)} transform="translate(0 {y:.1f})">'
        f"<title>{escape(place.site)}</title>"
        f'<text x="{_TOWER + 8}" y="17">{escape(words)}</text>'
        f'<text class="pale" x="{_TOWER + 8}" y="30">{size(place.shape)}</text>{drawn}</g>'
    )


def _height(outline: Outline) -> int:
    stages = len([*groupby(outline.places, key=lambda place: place.stage)])
    return (stages + 2) * _STAGE + len(outline.places) * _LINE


def _colours(kinds: Sequence[str]) -> str:
    return "".join(f".net .k{n} rect {{ fill: #{_COLOURS[n]}; }}\n" for n in range(min(10, len(kinds))))


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
