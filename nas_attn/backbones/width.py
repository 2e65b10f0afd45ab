"""The same network with fewer or more channels, for networks that take a `width`."""

from inspect import signature

from nas_attn.settings import Backbone, named_object
from nas_attn.space import InputError

from .builtin import BACKBONES
from .libraries import of_library

_FINENESS = 16
"""How many widths that are factors lie between a network and one twice as wide; finer ones round to the same."""


def scaled(backbone: Backbone, share: float) -> Backbone:
    """The backbone with this share of its `width`: a whole number of channels, or a factor, as it takes it.

    Raises `InputError` where it takes none, or none that can be shared.
    """
    if share == 1:
        return backbone
    width = _width(backbone)
    if width is None:
        raise InputError(f"width: found {share:g}; {backbone.name} takes no `width` that a share could be taken of")
    other = max(1, round(share * width)) if isinstance(width, int) else share * width
    arguments = {**dict(backbone.arguments), "width": other}
    return backbone.model_copy(update={"arguments": tuple(sorted(arguments.items()))})


def wider(backbone: Backbone) -> list[float]:
    """The shares of its `width` at which a backbone is another network, up to 2; none where it takes no `width`.

    >>> wider(Backbone(name="resnet8", arguments={"width": 4}))
    [1.25, 1.5, 1.75, 2.0]
    """
    width = _width(backbone)
    parts = width if isinstance(width, int) else 0 if width is None else _FINENESS
    return [1 + part / parts for part in range(1, parts + 1)]


def _width(backbone: Backbone) -> int | float | None:
    """Its `width`, or the usual one, if it is a number."""
    width = dict(backbone.arguments).get("width")
    if width is None and not of_library(backbone.name):
        make = BACKBONES[backbone.name].func if backbone.name in BACKBONES else named_object(backbone.name)
        usual = signature(make).parameters.get("width")
        width = usual and usual.default
    return width if isinstance(width, int | float) and not isinstance(width, bool) else None
