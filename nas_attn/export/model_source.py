"""Source of a module that stands alone and builds the network of an architecture."""

import ast
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import nn

from nas_attn.attention import IdentityStart, attention_class, signature_of
from nas_attn.backbones import BACKBONES, Point, attach, construction, is_foreign, network, plan, sites
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, Attention, Placement, Site, reported

from .standalone.source import standalone_source
from .standalone.tensors import read_tensors

TEMPLATES = Environment(
    loader=PackageLoader("nas_attn.export", "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)


def model_source(architecture: Architecture, backbone: Backbone, *, in_channels: int, classes: int) -> str:
    """The text of `model.py`: `build` and `load`, and every class and function in use as it is written in its package.

    A network of timm or torchvision is made by its library; all else is copied, a user's own network and attentions
    too. Raises `InputError` where a definition of the user's own cannot be copied.
    """
    if is_foreign(backbone.name):
        return _foreign_source(architecture, backbone, in_channels, classes)
    make = network(backbone)
    listed = sites(lambda insert: make(in_channels=in_channels, classes=classes, insert=insert))
    known = {site.name: site for site in listed}
    made = BACKBONES[backbone.name]
    return _rendered(
        "model.py.jinja",
        architecture,
        backbone,
        copied=[made.func],
        make=made.func.__name__,
        arguments={**made.keywords, **dict(backbone.arguments), "in_channels": in_channels, "classes": classes},
        placed=[(one.site, _call(one.attention, known[one.site])) for one in architecture.placements],
    )


def needed_packages(source: str) -> list[str]:
    """The packages that a module imports, those of the standard library aside."""
    roots: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            roots.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.partition(".")[0])
    return sorted(roots - sys.stdlib_module_names)


def _foreign_source(architecture: Architecture, backbone: Backbone, in_channels: int, classes: int) -> str:
    made = construction(backbone, in_channels=in_channels, classes=classes)
    found = plan(backbone, in_channels=in_channels, classes=classes)
    places = {place.site.name: place for place in found.places}
    from_library = "." in made.name
    return _rendered(
        "attached_model.py.jinja",
        architecture,
        backbone,
        copied=[Point, attach, *([] if from_library else [made.make])],
        packages=[made.name.partition(".")[0]] if from_library else (),
        make=made.name if from_library else made.make.__name__,
        arguments=made.arguments,
        stripped=found.own_attention if backbone.attention == "strip" else (),
        placed=[(places[p.site].point, _call(p.attention, places[p.site].site)) for p in architecture.placements],
    )


def _rendered(
    template: str,
    architecture: Architecture,
    backbone: Backbone,
    *,
    copied: list[Callable[..., Any]],
    packages: Sequence[str] = (),
    **values: Any,
) -> str:
    kinds = dict.fromkeys(kind for placement in architecture.placements for kind in _classes(placement))
    placed = [_library_module(placement.attention.kind) for placement in architecture.placements]
    packages = [*packages, *filter(None, placed)]
    named = f"{backbone.name} with {architecture}"
    with reported(f"{named}: cannot be copied into a module of its own", ValueError, OSError, TypeError):
        imports, definitions = standalone_source([read_tensors, *kinds, *copied], packages)
    values["arguments"] = {name: _literal(value) for name, value in values["arguments"].items()}
    return TEMPLATES.get_template(template).render(
        about=textwrap.fill(named, 110, break_on_hyphens=False),
        imports=imports,
        definitions=definitions,
        needs=" and ".join(needed_packages(imports)),
        **values,
    )


def _classes(placement: Placement) -> list[type[nn.Module]]:
    around = [IdentityStart] if ("start", "identity") in placement.attention.options else []
    kind = placement.attention.kind
    return [*([] if _library_module(kind) else [attention_class(kind)]), *around]


def _library_module(kind: str) -> str:
    """The module of a library that makes a kind, and is imported instead of copied; empty for any other kind."""
    module = kind.partition(":")[0]
    if module == "timm":
        return "timm.layers"
    return module if module.partition(".")[0] in ("timm", "torchvision") else ""


def _call(attention: Attention, site: Site) -> str:
    """The expression that constructs an attention for a site."""
    made = attention_class(attention.kind)
    options = {name: value for name, value in attention.options if name != "start"}
    widths, named = signature_of(made).arguments(site.widths(getattr(made, "gated", False)), options)
    library, name = _library_module(attention.kind), attention.kind.partition(":")[2]
    by_name = f'{library}.get_attn("{name}")' if attention.kind.startswith("timm:") else f"{library}.{name}"
    arguments = [*map(str, widths), *(f"{name}={_literal(value)}" for name, value in named.items())]
    call = f"{by_name if library else made.__name__}({', '.join(arguments)})"
    return f"{IdentityStart.__name__}({call})" if ("start", "identity") in attention.options else call


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value) if isinstance(value, str) else repr(value)
