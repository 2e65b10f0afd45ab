"""Stored values, checked against their types and the version of their format when they are read."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.types import Strict

from nas_attn.space import InputError, allowed, quoted

from .check import meaning

T = TypeVar("T")

LARGEST = 2**63 - 1
"""The largest whole number that tables and databases hold."""


@cache
def bounded(largest: float = math.inf, smallest: float = 0.0) -> Any:
    """The type of a number from the smallest to the largest, or NaN."""
    above = "a finite number" + ("" if math.isinf(smallest) else f" of {smallest:g} or more")
    limits = above if math.isinf(largest) else f"a number from {smallest:g} to {largest:g}"

    def check(value: float) -> float:
        if value < smallest or value > largest or math.isinf(value):
            raise ValueError(f"allowed: {limits}, or none")
        return value

    return Annotated[float, Strict(), AfterValidator(check)]


Count = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
"""A whole number of 0 or more: what an `int` is taken for."""

_SEAL = "sha256"
_BY_TYPE: Mapping[Any, Any] = {int: Count, float: bounded(), str: Annotated[str, Strict()]}


def check_format(found: object, newest: int, where: str) -> None:
    """Raise `InputError` for a format version that only a newer nas-attn reads, or none at all."""
    if type(found) is not int or not 1 <= found <= newest:
        newer = "; a newer nas-attn reads it" if type(found) is int and found > newest else ""
        raise InputError(f"{where}: format_version: found {quoted(found)}; allowed: 1 to {newest}{newer}")


def sealed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A table that is written down as JSON, with the SHA-256 of all else in it."""
    return {**stored, _SEAL: _digest(stored)}


def unsealed(stored: Any) -> Any:
    """What `sealed` was given; what earlier versions wrote, without a seal, is as it is.

    Raises `ValueError` where it is not what was written.
    """
    if not isinstance(stored, dict) or _SEAL not in stored:
        return stored
    known = {name: value for name, value in stored.items() if name != _SEAL}
    if stored[_SEAL] != _digest(known):
        raise ValueError("its contents are not those that were written")
    return known


def _digest(stored: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


def with_null(value: Any) -> Any:
    """Nested tables and lists with null for numbers that are not finite, which JSON does not know."""
    if isinstance(value, Mapping):
        return {name: with_null(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [*map(with_null, value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def with_nan(value: Any) -> Any:
    """Nested tables as `with_null` has written them, with NaN for null."""
    if isinstance(value, Mapping):
        return {name: with_nan(inner) for name, inner in value.items()}
    return math.nan if value is None else value


def read_written(kind: type[T], stored: object, where: str) -> T:
    """A dataclass from its stored fields; an absent field has its default.

    Raises `InputError` with a line for each fault: where, the field, what was found, what is allowed.
    """
    model = _model(cast("Any", kind))
    try:
        return kind(**dict(model.model_validate(stored)))
    except ValidationError as error:
        raise InputError("\n".join(f"{where}: {_line(fault, model)}" for fault in error.errors())) from None


@cache
def _model(kind: Any) -> type[BaseModel]:
    hints = get_type_hints(kind, include_extras=True)
    types: dict[str, Any] = {
        field.name: (
            _BY_TYPE.get(hints[field.name], hints[field.name]),
            ... if field.default is MISSING else field.default,
        )
        for field in fields(kind)
    }
    return create_model(kind.__name__, __config__=ConfigDict(extra="forbid"), **types)


def _line(fault: Any, model: type[BaseModel]) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"{name}: is missing"
    if fault["type"] == "extra_forbidden":
        return f"{quoted(name)}: unknown name; {allowed(name, model.model_fields)}"
    place = f"{name}: " if name else ""
    cure = fault["msg"].removeprefix("Value error, ") if fault["type"] == "value_error" else meaning(fault)
    return f"{place}found {quoted(fault['input'])}; {cure}"
