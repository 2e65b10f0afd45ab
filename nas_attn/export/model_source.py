"""Source of a module that stands alone and builds the network of an architecture."""

import json
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import nn

from nas_attn.attention import IdentityStart, attention_class, signature_of
from nas_attn.backbones import (
    BACKBONES,
    Point,
    attach,
    construction,
    is_foreign,
    network,
    of_library,
    plan,
    seeded,
    sites,
)
from nas_attn.settings import Backbone, is_named_object, listed
from nas_attn.space import Architecture, Attention, Site

from .leaving import Leaving
from .standalone.own_code import own_code
from .standalone.source import standalone_source
from .standalone.tensors import read_tensors

TEMPLATES = Environment(
    loader=PackageLoader("nas_attn.export", "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)
_AS_SOURCE = Leaving("its own source")


def model_source(
    architecture: Architecture,
    backbone: Backbone,
    leaves: Leaving = _AS_SOURCE,
    *,
    in_channels: int,
    classes: int,
    seed: int = 0,
) -> str:
    """The text of `model.py`: `build` and `load`, and every class and function of ours as it is written.

    A network of timm or torchvision is made by its library; a user's own network and attentions are imported, from the
    folder `code` where their files go along, and else by the names of their packages. What is drawn when a user's own
    network is built is drawn from the seed, as it was before the training.
    """
    if is_foreign(backbone.name):
        return _foreign_source(architecture, backbone, leaves, in_channels, classes, seed)
    make = network(backbone)
    listed = sites(lambda insert: make(in_channels=in_channels, classes=classes, insert=insert))
    known = {site.name: site for site in listed}
    made = BACKBONES[backbone.name]
    return _rendered(
        "model.py.jinja",
        architecture,
        backbone,
        leaves,
        copied=[made.func],
        make=made.func.__name__,
        arguments={**made.keywords, **dict(backbone.arguments), "in_channels": in_channels, "classes": classes},
        placed=[(one.site, _call(one.attention, known[one.site])) for one in architecture.placements],
    )


def _foreign_source(
    architecture: Architecture, backbone: Backbone, leaves: Leaving, in_channels: int, classes: int, seed: int
) -> str:
    made = construction(backbone, in_channels=in_channels, classes=classes)
    found = plan(backbone, in_channels=in_channels, classes=classes)
    places = {place.site.name: place for place in found.places}
    own = not of_library(backbone.name)
    return _rendered(
        "attached_model.py.jinja",
        architecture,
        backbone,
        leaves,
        copied=[Point, attach],
        packages=[] if own else [made.name.partition(".")[0]],
        seed=seed if own else None,
        make=_imported(backbone.name) if own else made.name,
        arguments=made.arguments,
        part=backbone.part,
        stripped=found.own_attention if backbone.attention == "strip" else (),
        placed=[(places[p.site].point, _call(p.attention, places[p.site].site)) for p in architecture.placements],
    )


def _rendered(
    template: str,
    architecture: Architecture,
    backbone: Backbone,
    leaves: Leaving,
    *,
    copied: list[Callable[..., Any]],
    seed: int | None = None,
    packages: Sequence[str] = (),
    **values: Any,
) -> str:
    attentions = [placement.attention for placement in architecture.placements]
    kinds = dict.fromkeys(kind for attention in attentions for kind in _classes(attention))
    own = seed is not None or any(is_named_object(attention.kind) for attention in attentions)
    copied = [
        read_tensors,
        *kinds,
        *copied,
        *([seeded] if seed is not None else []),
        *([own_code] if leaves.files else []),
    ]
    imports, definitions = standalone_source(copied, [*packages, *(["importlib"] if own else [])])
    drawn = [] if seed is None else [f"seeded({seed})"]
    values["arguments"] = {name: _literal(value) for name, value in values["arguments"].items()}
    return TEMPLATES.get_template(template).render(
        about=textwrap.fill(f"{backbone.name} with {architecture}", 110, break_on_hyphens=False),
        imports=imports,
        definitions=definitions,
        needs=listed(sorted({"torch", *leaves.packages})),
        along=bool(leaves.files),
        decorators=[*(["own_code()"] if leaves.files else []), *drawn],
        **values,
    )


def _classes(attention: Attention) -> list[type[nn.Module]]:
    """The classes of ours that make an attention."""
    own = [] if is_named_object(attention.kind) else [attention_class(attention.kind)]
    return own + [IdentityStart] * (("start", "identity") in attention.options)


def _imported(name: str) -> str:
    """The expression that imports what is named as `shop.nets:make_net`, whatever else has that name."""
    module, _, member = name.partition(":")
    if module == "timm":
        return f'importlib.import_module("timm.layers").get_attn("{member}")'
    return f'importlib.import_module("{module}").{member}'


def _call(attention: Attention, site: Site) -> str:
    """The expression that constructs an attention for a site."""
    made = attention_class(attention.kind)
    make = _imported(attention.kind) if is_named_object(attention.kind) else made.__name__
    options = {name: value for name, value in attention.options if name != "start"}
    widths, named = signature_of(made).arguments(site.widths(getattr(made, "gated", False)), options)
    arguments = [*map(str, widths), *(f"{name}={_literal(value)}" for name, value in named.items())]
    call = f"{make}({', '.join(arguments)})"
    return f"{IdentityStart.__name__}({call})" if ("start", "identity") in attention.options else call


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value) if isinstance(value, str) else repr(value)
