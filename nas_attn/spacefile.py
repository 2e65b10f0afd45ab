"""Joint of settings, attentions and backbones: a search-space file becomes a `SearchSpace`."""

import inspect
from collections.abc import Hashable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, create_model, field_validator
from pydantic.types import Strict
from torch import nn

from nas_attn.attention import ATTENTIONS, STARTS
from nas_attn.backbones import BACKBONES, sites
from nas_attn.settings import Document, Settings, check, read_document
from nas_attn.space import POSITIONS, Attention, InputError, Kind, SearchSpace, Site, Slot, Value, allowed

T = TypeVar("T")
_Choice = tuple[tuple[str, Value], ...]
Position = Literal[POSITIONS]  # type: ignore[valid-type]

_Pixels = Annotated[int, Field(ge=1, strict=True)]

_ANY_CHANNELS = 3840  # divisible by much: only options that are faulty at any width are faulty here


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _differ(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(map(str, values))) < len(values):
        raise ValueError(f"found {', '.join(map(str, values))}; each value may stand there once")
    return values


_ONE_OR_MORE = (BeforeValidator(_listed), Field(min_length=1), AfterValidator(_differ))

Positions = Annotated[tuple[Position, ...], *_ONE_OR_MORE]
Starts = Annotated[tuple[Literal[STARTS], ...], *_ONE_OR_MORE]  # type: ignore[valid-type]


def _known_slots(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    known = (info.context or {}).get("slots")
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"found {name!r}; {allowed(name, known)}")
    return names


Slots = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_differ), AfterValidator(_known_slots)]


class _KindTable(Settings):
    position: Positions | None = None
    start: Starts | None = None
    slots: Slots | None = None


def _kind_table(kind: str, attention: type[nn.Module]) -> Any:
    """The table of a kind: each keyword option of its class takes a value or a list of values."""

    def accepted(option: str) -> AfterValidator:
        def build(value: Value) -> Value:
            try:
                with torch.device("meta"):
                    attention(_ANY_CHANNELS, **{option: value})
            except ValueError as error:
                raise ValueError(str(error).removeprefix(f"{option}: ")) from None
            return value

        return AfterValidator(build)

    fields: dict[str, Any] = {}
    for option in inspect.signature(attention, eval_str=True).parameters.values():
        if option.kind is option.KEYWORD_ONLY:
            value: Any = Annotated[option.annotation, Strict(), accepted(option.name)]
            fields[option.name] = (Annotated[tuple[value, ...], *_ONE_OR_MORE] | None, None)
    return create_model(f"{kind} table", __base__=_KindTable, **fields)


_Kinds: Any = create_model(
    "kinds",
    __base__=Settings,
    **{kind: (_kind_table(kind, cls) | None, None) for kind, cls in ATTENTIONS.items()},  # type: ignore[call-overload]
)


class SpaceFile(Settings):
    """What a search-space file says."""

    backbone: str
    """Which network asks for attention."""
    per: Literal["stage", "block"] = Field("stage", validate_default=True)
    """Whether all blocks of a stage get the same attention, or each block its own."""
    slots: Slots | None = None
    """The stages or blocks that may be filled; without it all of them."""
    position: Positions = ("branch",)
    """Where in a block: in the residual branch, after its last normalisation (`branch`), after its first convolution
    (`inner`) or before everything in it (`pre`); on the shortcut (`identity`); or after the addition (`block`). A kind
    may say otherwise for itself."""
    start: Starts = ("paper",)
    """How attentions start: as the `paper` says, or as the `identity`. A kind may say otherwise for itself."""
    image: tuple[_Pixels, _Pixels, _Pixels] = (3, 32, 32)
    """Channels, height and width for which `nas-attn space` shows prices; a study takes them from its data."""
    classes: int = Field(10, ge=2, strict=True)
    """Classes for which `nas-attn space` shows prices; a study takes them from its data."""
    kinds: _Kinds
    """The kinds to choose from, each a table of its options with the values to try, the preferred one first."""

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, backbone: str) -> str:
        if backbone not in BACKBONES:
            raise ValueError(f"found {backbone!r}; {allowed(backbone, BACKBONES)}")
        return backbone

    @field_validator("per")
    @classmethod
    def _tell_slots(cls, per: Literal["stage", "block"], info: ValidationInfo) -> Literal["stage", "block"]:
        if info.context is not None and "backbone" in info.data:
            info.context["slots"] = tuple(_sites_by_slot(info.data["backbone"], per))
        return per

    @field_validator("slots")
    @classmethod
    def _narrow_slots(cls, slots: Slots | None, info: ValidationInfo) -> Slots | None:
        """A kind may only ask for what the file leaves it."""
        if info.context is not None and slots is not None:
            info.context["slots"] = slots
        return slots

    @field_validator("kinds")
    @classmethod
    def _some_kind(cls, kinds: Settings) -> Settings:
        if not any(table is not None for _, table in kinds):
            raise ValueError(f"is empty, so there is nothing to choose; {allowed('', ATTENTIONS)}")
        return kinds


def load_space(path: Path | str) -> tuple[SpaceFile, SearchSpace]:
    """Read a search-space file: what it says, and the space that follows from it.

    Raises `InputError` with every fault of the file.
    """
    document = read_document(Path(path))
    file = check(SpaceFile, document, context={})
    slots = []
    for name, places in _sites_by_slot(file.backbone, file.per).items():
        if file.slots is None or name in file.slots:
            slots.append(Slot(name, places, tuple(_offered(name, places, file, document))))
    return file, SearchSpace(tuple(slot for slot in slots if slot.kinds))


def _sites_by_slot(backbone: str, per: Literal["stage", "block"]) -> dict[str, tuple[Site, ...]]:
    slots: dict[str, tuple[Site, ...]] = {}
    for site in sites(lambda insert: BACKBONES[backbone](in_channels=3, classes=10, insert=insert)):
        name = site.stage if per == "stage" else site.block
        slots[name] = (*slots.get(name, ()), site)
    return slots


def _offered(slot: str, places: Iterable[Site], file: SpaceFile, document: Document) -> Iterable[Kind]:
    for name, table in file.kinds:
        if table is None or (table.slots is not None and slot not in table.slots):
            continue
        positions = table.position or file.position
        widths = sorted({site.channels for site in places if site.position in positions})
        options = {
            option: getattr(table, option)
            for option in type(table).model_fields
            if option not in _KindTable.model_fields and getattr(table, option) is not None
        }
        built = {choice: _built(name, dict(choice), widths, document, slot) for choice in _choices(options)}
        distinct = [(option, _distinct(option, options, built)) for option in options]
        starts = table.start or file.start
        if starts != ("paper",):
            distinct.append(("start", starts))
        yield Kind(name, tuple(distinct), positions)


def _choices(options: Mapping[str, tuple[Value, ...]]) -> Iterable[_Choice]:
    """Every way to choose a value for each option."""
    for values in product(*options.values()):
        yield tuple(zip(options, values, strict=True))


def _built(kind: str, options: dict[str, Value], widths: Iterable[int], document: Document, slot: str) -> Hashable:
    """What a kind with these options is at each of these widths; all that may be chosen together must be possible."""
    try:
        with torch.device("meta"):
            return tuple(_identity(ATTENTIONS[kind](width, **options)) for width in widths)
    except ValueError as error:
        attention = Attention(kind, tuple(options.items()))
        place = f"{document.path}:{document.line(('kinds', kind))}: kinds.{kind}"
        raise InputError(f"{place}: {attention} cannot stand in {slot}: {error}") from None


def _distinct(
    option: str, options: Mapping[str, tuple[Value, ...]], built: Mapping[_Choice, Hashable]
) -> tuple[Value, ...]:
    """The values that make a difference, whatever else is chosen; of those that make none, the first."""
    made: dict[Hashable, Value] = {}
    for value in options[option]:
        with_value = tuple(what for choice, what in built.items() if (option, value) in choice)
        made.setdefault(with_value, value)
    return tuple(made.values())


def _identity(network: nn.Module) -> Hashable:
    """What tells one module from another: the types, plain attributes and parameter shapes of all that is in it."""
    return tuple(
        (
            name,
            type(module),
            tuple((key, str(value)) for key, value in sorted(vars(module).items()) if not key.startswith("_")),
            tuple((key, tuple(tensor.shape)) for key, tensor in module.named_parameters(recurse=False)),
        )
        for name, module in network.named_modules()
    )
