"""Holding a file against what it may say, with every fault told at once, at its line."""

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nas_attn.space import InputError, allowed

from .document import Document, KeyPath

M = TypeVar("M", bound=BaseModel)


def check(model: type[M], document: Document, context: Mapping[str, Any] | None = None) -> M:
    """The document as a value of this model; `context` reaches the model's validators.

    Raises `InputError` with one line a fault: file, line, key path, what was found, what is allowed.
    """
    try:
        return model.model_validate(document.data, context=dict(context or {}))
    except ValidationError as error:
        faults = sorted(error.errors(), key=lambda fault: document.line(_where(fault, document)))
        raise InputError("\n".join(_tell(fault, model, document) for fault in faults)) from None


def _where(fault: ErrorDetails, document: Document) -> KeyPath:
    """The fault's key path without the names of union members that pydantic puts in."""
    where: KeyPath = ()
    for key in fault["loc"]:
        last = fault["type"] == "missing" and key == fault["loc"][-1]
        if last or _holds(document.data, (*where, key)):
            where = (*where, key)
    return where


def _holds(data: Any, where: KeyPath) -> bool:
    for key in where:
        if isinstance(data, Mapping) and key in data:
            data = data[key]
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return False
    return True


def _tell(fault: ErrorDetails, model: type[BaseModel], document: Document) -> str:
    where = _where(fault, document)
    place = f"{document.path}:{document.line(where)}: {'.'.join(map(str, where)) or 'the file'}"
    if fault["type"] == "extra_forbidden":
        names = _names(model, fault["loc"][:-1])
        return f"{place}: unknown name; {allowed(where[-1], names)}"
    if fault["type"] == "missing":
        return f"{place}: is missing"
    if fault["type"] == "union_tag_not_found":
        return f"{place}: says no {fault['ctx']['discriminator']}; allowed: {fault['ctx'].get('expected_tags', '')}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in ("value_error", "assertion_error"):
        return f"{place}: {message}"
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        names = [name.strip("' ") for name in fault["ctx"]["expected"].replace(" or ", ",").split(",")]
        return f"{place}: found {fault['input']!r}; {allowed(fault['input'], names)}"
    if fault["type"] == "union_tag_invalid":
        names = [name.strip("' ") for name in fault["ctx"]["expected_tags"].split(",")]
        return f"{place}: found {fault['ctx']['tag']!r}; {allowed(fault['ctx']['tag'], names)}"
    return f"{place}: found {fault['input']!r}; {message[:1].lower()}{message[1:]}"


def _names(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The field names of the model that stands at this place of a larger model."""
    members: list[Any] = [model]
    for key in loc:
        inner = [
            field.annotation
            for member in members
            if isinstance(member, type) and issubclass(member, BaseModel)
            for name, field in member.model_fields.items()
            if name == key
        ]
        members = [member for annotation in inner for member in _models(annotation)] or members
    names = [dict.fromkeys(member.model_fields) for member in members if issubclass(member, BaseModel)]
    tag = str(loc[-1]) if loc else ""
    tagged = [fields for member, fields in zip(members, names, strict=True) if _tag(member) == tag]
    return [name for fields in (tagged or names) for name in fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated, tuple, list):
        return [model for part in typing.get_args(annotation) for model in _models(part)]
    return []


def _tag(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    return str(kind.default) if kind is not None else None
