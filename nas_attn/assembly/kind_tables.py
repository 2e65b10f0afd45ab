"""Tables of kinds in a search-space file: what each takes, and which values its class accepts."""

import warnings
from typing import Annotated, Any, Literal, TypeVar, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, create_model
from pydantic.types import Strict
from torch import nn

from nas_attn.attention import ATTENTIONS, STARTS, allowed_positions, keyword_options, usable_class
from nas_attn.backbones import on_meta
from nas_attn.settings import Settings
from nas_attn.space import POSITIONS, InputError, Value, allowed

T = TypeVar("T")

_ANY_CHANNELS = 3840  # divisible by much: only options that are faulty at any width are faulty here


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _differ(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(map(str, values))) < len(values):
        raise ValueError(f"found {', '.join(map(str, values))}; each value may stand there once")
    return values


_ONE_OR_MORE = (BeforeValidator(_listed), Field(min_length=1), AfterValidator(_differ))

Positions = Annotated[tuple[Literal[POSITIONS], ...], *_ONE_OR_MORE]  # type: ignore[valid-type]
Starts = Annotated[tuple[Literal[STARTS], ...], *_ONE_OR_MORE]  # type: ignore[valid-type]


def _known_slots(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    known = (info.context or {}).get("slots")
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"found {name!r}; {allowed(name, known)}")
    return names


Slots = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_differ), AfterValidator(_known_slots)]


class KindTable(Settings):
    """What may be said of every kind beside its options."""

    position: Positions | None = None
    start: Starts | None = None
    slots: Slots | None = None


def _strict(annotation: Any) -> tuple[Any, ...]:
    """A number is no text and a text no number; of a few values it is one of them."""
    return (Field(),) if get_origin(annotation) is Literal else (Strict(),)


def _kind_table(kind: str, attention: type[nn.Module]) -> Any:
    """The table of a kind: each keyword option of its class takes a value or a list of values."""

    def accepted(option: str) -> AfterValidator:
        def build(value: Value) -> Value:
            try:
                with on_meta():
                    attention(_ANY_CHANNELS, **{option: value})
            except (ValueError, RuntimeError, TypeError, OverflowError, MemoryError) as error:
                reason = next(iter(str(error).removeprefix(f"{option}: ").splitlines()), type(error).__name__)
                raise ValueError(reason if isinstance(error, ValueError) else f"found {value!r}; {reason}") from None
            return value

        return AfterValidator(build)

    position: Any = Literal[allowed_positions(attention)]
    fields: dict[str, Any] = {"position": (Annotated[tuple[position, ...], *_ONE_OR_MORE] | None, None)}
    for option in keyword_options(attention):
        # of somebody else's class only its places can tell which values it takes
        seen = (accepted(option.name),) if attention is ATTENTIONS.get(kind) else ()
        value: Any = Annotated[option.annotation, *_strict(option.annotation), *seen]
        fields[option.name] = (Annotated[tuple[value, ...], *_ONE_OR_MORE] | None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an option may be called as something that pydantic's models have
        return create_model(f"{kind} table", __base__=KindTable, **fields)


def own_table(kind: str) -> Any:
    """The table of a user's own attention; where that has a fault, any table has it."""
    try:
        return _kind_table(kind, usable_class(kind))
    except InputError as error:
        message = str(error).removeprefix(f"{kind}: ")

        def refuse(_: object) -> None:
            raise ValueError(message)

        return Annotated[Any, BeforeValidator(refuse)]


TABLES = {kind: _kind_table(kind, attention) for kind, attention in ATTENTIONS.items()}
"""Of each built-in kind."""
