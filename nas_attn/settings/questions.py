"""Questions that stored results answer: settings by dotted names, where an absent name means its default."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from nas_attn.space import without_passwords

from .backbone import Backbone
from .chain import Step
from .data import DataSource, ImageFacts
from .latency import LatencyTarget
from .recipe import Recipe

_TABLES: Mapping[str, type[BaseModel]] = {
    "backbone": Backbone,
    "base": Recipe,
    "latency": LatencyTarget,
    "recipe": Recipe,
    "step": Step,
    "target": LatencyTarget,
}
_DATA: Mapping[str, type[BaseModel]] = {
    table.model_fields["kind"].default: table for table in get_args(get_args(DataSource)[0])
}
_REMOVED = {"versions.nas-attn": "0.1.0"}
"""Names that earlier versions stored, each with the only value that means what the present version does."""
_FORMER = {"data.split_by": "order"}
"""What a setting was before it had a name, where its default is another."""
_RECIPE_OF_0_1_0 = {
    *("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay"),
    *("label_smoothing", "horizontal_flip", "crop_padding", "cutout"),
}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested tables by dotted names, with lists for tuples as JSON has them."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{name}."))
        else:
            found[f"{prefix}{name}"] = _listed(value)
    return found


def complete(question: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a stored or present question by its dotted name."""
    settings = flat(question)
    if "backbone" in settings:
        settings["backbone.name"] = settings.pop("backbone")
    removed = {name for name, value in _REMOVED.items() if settings.get(name) == value}
    known = {name: value for name, value in settings.items() if name not in removed}
    return {**_defaults(str(settings.get("data.kind"))), **known}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each setting in which two questions differ by more than rounding; none where they are one question."""
    before, now = complete(before), complete(now)
    return [
        without_passwords(f"{name}: was {before.get(name, 'absent')}, {_said(name, now)}")
        for name in sorted({*before, *now})
        if _rounded(before.get(name)) != _rounded(now.get(name))
    ]


def lasting(recipe: Recipe) -> dict[str, Any]:
    """A recipe as digests are made of it: without the defaults of settings that came after version 0.1.0."""
    return recipe.model_dump(include=_RECIPE_OF_0_1_0) | recipe.model_dump(exclude_defaults=True)


@cache
def _defaults(kind: str) -> dict[str, Any]:
    """The default of every setting of a question about images of this kind."""
    tables = {name: table.model_construct().model_dump() for name, table in _tables(kind).items()}
    facts = {field.name: field.default for field in fields(ImageFacts) if field.default is not MISSING}
    known = flat({**tables, "images": facts})
    return known | {name: value for name, value in _FORMER.items() if name in known}


def _tables(kind: str) -> dict[str, type[BaseModel]]:
    return {**_TABLES, **({"data": _DATA[kind]} if kind in _DATA else {})}


def _said(name: str, now: Mapping[str, Any]) -> str:
    if name in now:
        return f"is {now[name]}"
    table, _, setting = name.partition(".")
    known = _tables(str(now.get("data.kind"))).get(table)
    knows = known is None or setting.partition(".")[0] in known.model_fields
    return "is absent" if knows else "which this version does not know"


def _listed(value: Any) -> Any:
    return [*map(_listed, value)] if isinstance(value, tuple | list) else value


def _rounded(value: Any) -> Any:
    """The value without the last digits of what was computed."""
    if isinstance(value, list):
        return [*map(_rounded, value)]
    return float(f"{value:.4g}") if isinstance(value, float) else value
