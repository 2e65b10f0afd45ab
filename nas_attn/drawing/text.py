"""Drawing of a network as lines of text."""

from itertools import groupby

from nas_attn.space import Architecture, Attention, fold

from .outline import Outline, Place, attentions, more, size

Line = tuple[str, str, str, str]
"""Where, the size of the map there, what stands there, and what that adds."""


def drawing_lines(outline: Outline, architecture: Architecture) -> list[Line]:
    """A network from input to output, a line for places that follow each other and are alike.

    >>> places = (Place("s1.b0.branch", "s1", "s1.b0", "branch", (16, 8, 8)),)
    >>> for line in drawing_lines(Outline("net", (1, 8, 8), 10, places), Architecture()):
    ...     print(line)
    ('input', '1 x 8 x 8', '', '')
    ('s1.b0.branch', '16 x 8 x 8', '', '')
    ('output', '10', '', '')
    """
    standing = attentions(architecture)

    def alike(place: Place) -> tuple[str, str, tuple[int, ...], Attention | None]:
        return place.stage, place.position, place.shape, standing.get(place.site)

    lines: list[Line] = [("input", size(outline.image), "", "")]
    for (_, _, shape, attention), places in groupby(outline.places, key=alike):
        sites = [place.site for place in places]
        known = [] if attention is None else [outline.share(site, attention) for site in sites]
        added = sum(share for share in known if share is not None) if known and None not in known else None
        what = "" if attention is None else str(attention)
        lines.append((", ".join(fold(sites)), size(shape), what, more(added)))
    return [*lines, ("output", str(outline.outputs or ""), "", "")]
