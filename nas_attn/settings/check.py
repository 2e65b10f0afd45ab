"""What a file may say, checked with every fault at once, each with its line."""

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nas_attn.space import InputError, allowed, quoted, without_passwords

from .document import Document, KeyPath

M = TypeVar("M", bound=BaseModel)

_ALLOWED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_from_float": "an integer",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "tuple_type": "a list",
    "too_short": "a list of {min_length} or more",
    "too_long": "a list of {max_length} at most",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "mapping_type": "a table",
    "dict_type": "a table",
}
"""What pydantic's complaints mean for who writes the file."""


def check(model: type[M], document: Document, context: dict[str, Any] | None = None) -> M:
    """The document as a value of this model; `context` reaches the model's validators, which may add to it.

    Raises `InputError` with one line a fault: file, line, key path, what was found, what is allowed.
    """
    try:
        return model.model_validate(document.data, context={} if context is None else context)
    except ValidationError as error:
        faults = sorted(error.errors(), key=lambda fault: document.line(_where(fault, document)))
        raise InputError("\n".join(_tell(fault, model, document) for fault in faults)) from None


def _where(fault: ErrorDetails, document: Document) -> KeyPath:
    """The fault's key path without the names of union members that pydantic puts in."""
    where: KeyPath = ()
    inner: Any = document.data
    tagged = False
    for number, key in enumerate(fault["loc"], start=1):
        keys = inner if isinstance(inner, Mapping) else range(len(inner)) if isinstance(inner, list) else ()
        if not tagged and isinstance(inner, Mapping) and inner.get("kind") == key:
            tagged = True
        elif key in keys:
            where, inner, tagged = (*where, key), inner[key], False
        elif fault["type"] == "missing" and number == len(fault["loc"]):
            where = (*where, key)
    if fault["type"].startswith("union_tag"):
        return (*where, fault["ctx"]["discriminator"].strip("'"))
    return where


def _tell(fault: ErrorDetails, model: type[BaseModel], document: Document) -> str:
    where = _where(fault, document)
    named = without_passwords(".".join(map(str, where or fault["loc"]))) or "the file"
    place = f"{document.path}:{document.line(where)}: {named}"
    if fault["type"] == "extra_forbidden":
        return f"{place}: unknown name; {allowed(fault['loc'][-1], _names(model, fault['loc'][:-1]))}"
    if fault["type"] == "missing":
        return f"{place}: is missing"
    if fault["type"] == "union_tag_not_found":
        return f"{place}: is missing; allowed: {', '.join(map(_tag, _members(model, fault['loc'])))}"
    if fault["type"] in ("value_error", "assertion_error"):
        return f"{place}: {without_passwords(fault['msg'].removeprefix('Value error, '))}"
    return f"{place}: found {quoted(_found(fault))}; {meaning(fault)}"


def meaning(fault: ErrorDetails) -> str:
    """What is allowed where pydantic complains."""
    context = fault.get("ctx", {})
    if fault["type"] in _ALLOWED:
        return f"allowed: {_ALLOWED[fault['type']].format(**context)}"
    if listed := context.get("expected") or context.get("expected_tags"):
        return allowed(_found(fault), [name.strip("' ") for name in listed.replace(" or ", ",").split(",")])
    return f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _found(fault: ErrorDetails) -> Any:
    return fault["ctx"]["tag"] if fault["type"] == "union_tag_invalid" else fault["input"]


def _names(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The field names of the model that stands at this place of a larger model."""
    members = _members(model, loc)
    tag = str(loc[-1]) if loc else ""
    named = [member for member in members if _tag(member) == tag] or members
    return list(dict.fromkeys(name for member in named for name in member.model_fields))


def _members(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The models, one or those of a union, that may stand at this place of a larger model."""
    members = [model]
    for key in loc:
        inner = [member.model_fields[key].annotation for member in members if key in member.model_fields]
        members = [member for annotation in inner for member in _models(annotation)] or members
    return members


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated, tuple, list, Mapping):
        return [model for part in typing.get_args(annotation) for model in _models(part)]
    return []


def _tag(model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    return str(kind.default) if kind is not None else ""
