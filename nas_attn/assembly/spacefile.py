"""Wiring module of settings, attentions and backbones: a search-space file becomes a `SearchSpace`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, create_model, field_validator

from nas_attn.attention import ATTENTIONS, allowed_positions, attention_class
from nas_attn.backbones import network, sites
from nas_attn.settings import Backbone, Document, Pixels, Settings, check, is_named_object, read_document
from nas_attn.space import POSITIONS, InputError, Kind, SearchSpace, Site, Slot, allowed

from .kind_tables import TABLES, KindTable, Positions, Slots, Starts, own_table
from .offers import Offer, Wanted, offer, offer_remarks
from .passing import Passing, passing_sizes


class SpaceFile(Settings):
    """What a search-space file says."""

    image: tuple[Pixels, Pixels, Pixels] = (3, 32, 32)
    """Channels, height and width for which `nas-attn space` shows prices; a study takes them from its data."""
    classes: int = Field(10, ge=2, le=1_000_000, strict=True)
    """Classes for which `nas-attn space` shows prices; a study takes them from its data."""
    backbone: Backbone
    """Which network gets attention: a name, or a table with its arguments and weights."""
    per: Literal["stage", "block"] = Field("stage", validate_default=True)
    """Whether all blocks of a stage get the same attention, or each block its own."""
    slots: Slots | None = None
    """The stages or blocks that may be filled; without it all of them."""
    position: Positions | None = None
    """Where in a block, some of `POSITIONS`; without it, the first place that a kind allows and the network has, the
    paper's own standing first. A kind may say otherwise for itself."""
    start: Starts = ("paper",)
    """How attentions start: as the `paper` says, or as the `identity`. A kind may say otherwise for itself."""
    kinds: Any
    """The kinds to choose from, each a table of its options with the values to try, the preferred one first."""

    @field_validator("backbone")
    @classmethod
    def _find_sites(cls, backbone: Backbone, info: ValidationInfo) -> Backbone:
        image, classes = info.data.get("image", (3, 32, 32)), info.data.get("classes", 10)
        make = network(backbone)
        try:
            found = sites(lambda insert: make(in_channels=image[0], classes=classes, insert=insert))
        except (RuntimeError, OverflowError, MemoryError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"{backbone.name} cannot be built so: {reason}") from None
        if info.context is not None:
            info.context["sites"] = found
        return backbone

    @field_validator("per")
    @classmethod
    def _name_slots(cls, per: Literal["stage", "block"], info: ValidationInfo) -> Literal["stage", "block"]:
        if info.context is not None and "sites" in info.context:
            info.context["slots"] = tuple(_by_slot(info.context["sites"], per))
        return per

    @field_validator("slots")
    @classmethod
    def _narrow_slots(cls, slots: Slots | None, info: ValidationInfo) -> Slots | None:
        """Leave a kind only what the file does."""
        if info.context is not None and slots is not None:
            info.context["slots"] = slots
        return slots

    @field_validator("kinds")
    @classmethod
    def _some_kind(cls, kinds: Settings) -> Settings:
        if not any(table is not None for _, table in kinds):
            raise ValueError(f"is empty, so there is nothing to choose; {allowed('', ATTENTIONS)}")
        return kinds


def load_space(
    path: Path | str,
    *,
    start: str | None = None,
    image: tuple[int, int, int] | None = None,
    classes: int | None = None,
    backbone: Backbone | None = None,
) -> tuple[SpaceFile, SearchSpace]:
    """Read a search-space file: what it says, and the space that follows from it.

    With `start`, all attentions start so, whatever the file says. `image`, (channels, height, width), and `classes`
    stand for those that the file names. Kinds are tried with the maps of that image; where one cannot stand it is left
    out, which the space's `remarks` say. `backbone` is the network of a task of the user's own, which the file does not
    name.

    Raises `InputError` with every fault of the file.
    """
    file, document, slots = _read(Path(path), backbone, image, classes)
    passing = passing_sizes(file.backbone, image or file.image, file.classes)
    offered: dict[str, list[Kind]] = {slot: [] for slot in slots}
    remarks: list[str] = []
    for name, table in file.kinds:
        if table is not None:
            starts = (start,) if start else table.start or file.start
            with _at(document, "kinds", name):
                found = dict(_offers(name, table, starts, slots, file, passing))
                remarks.extend(offer_remarks(name, found, slots, passing))
            for slot, kind in found.items():
                offered[slot].extend([kind.kind] if kind.kind else [])
    offers = tuple(Slot(name, slots[name], tuple(kinds)) for name, kinds in offered.items() if kinds)
    return file, SearchSpace(offers, tuple(remarks))


def read_space(
    path: Path | str, backbone: Backbone | None = None, image: tuple[int, int, int] | None = None
) -> SpaceFile:
    """What a search-space file says; its kinds are not tried at their places.

    Raises `InputError` with every fault of the file.
    """
    return _read(Path(path), backbone, image)[0]


def _read(
    path: Path,
    backbone: Backbone | None = None,
    image: tuple[int, int, int] | None = None,
    classes: int | None = None,
) -> tuple[SpaceFile, Document, dict[str, tuple[Site, ...]]]:
    document = read_document(path)
    if backbone is not None:
        document = _of_task(document, backbone)
    known = {"image": image and list(image), "classes": classes or None}
    document = replace(document, data={**document.data, **{name: one for name, one in known.items() if one}})
    context: dict[str, Any] = {}
    named = document.data.get("kinds")
    own = filter(is_named_object, named) if isinstance(named, Mapping) else ()
    file = check(_model(tuple(own)), document, context)
    file = file.model_copy(update={"backbone": _with_weights(file.backbone, document)})
    return file, document, _by_slot(context["sites"], file.per)


def _of_task(document: Document, backbone: Backbone) -> Document:
    """The document with the network of a task of the user's own, of which it may say where attention stands."""
    said = document.data.get("backbone", {})
    others = [name for name in said if name not in ("modules", "attention")] if isinstance(said, Mapping) else [""]
    if others:
        with _at(document, "backbone", others[0]):
            raise InputError("the network is that of the study's task; allowed: modules and attention, or no backbone")
    known = backbone.model_dump(exclude_defaults=True) | {"arguments": dict(backbone.arguments), **said}
    return replace(document, data={**document.data, "backbone": known})


@contextmanager
def _at(document: Document, *where: str) -> Iterator[None]:
    """Say of a fault where in the file it is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{document.path}:{document.line(where)}: {'.'.join(where)}: {error}") from None


@cache
def _model(own: tuple[str, ...]) -> type[SpaceFile]:
    """The model of a file in which these attentions of the user's own are kinds beside the built-in ones."""
    tables = {**TABLES, **{kind: own_table(kind) for kind in own}}
    fields: dict[str, Any] = {kind: (table | None, None) for kind, table in tables.items()}
    kinds: Any = create_model("kinds", __base__=Settings, **fields)
    return create_model("SpaceFile", __base__=SpaceFile, kinds=(kinds, ...))


def _with_weights(backbone: Backbone, document: Document) -> Backbone:
    """The backbone with the path of its weights, which is relative to the file."""
    if backbone.weights in (None, "pretrained"):
        return backbone
    path = document.path.parent / backbone.weights
    if not path.is_file():
        with _at(document, "backbone", "weights"):
            raise InputError(f"there is no file {path}; allowed: a file, or 'pretrained'")
    return backbone.model_copy(update={"weights": str(path)})


def _by_slot(found: Iterable[Site], per: Literal["stage", "block"]) -> dict[str, tuple[Site, ...]]:
    slots: dict[str, tuple[Site, ...]] = {}
    for site in found:
        name = site.stage if per == "stage" else site.block
        slots[name] = (*slots.get(name, ()), site)
    return slots


def _offers(
    name: str,
    table: KindTable,
    starts: tuple[str, ...],
    slots: Mapping[str, Sequence[Site]],
    file: SpaceFile,
    passing: Passing,
) -> Iterator[tuple[str, Offer]]:
    """The slots in which a kind is wanted, each with what it may be there."""
    options = {
        option: getattr(table, option)
        for option in type(table).model_fields
        if option not in KindTable.model_fields and getattr(table, option) is not None
    }
    chosen = {slot: _positions(name, table, file, slots[slot]) for slot in table.slots or file.slots or slots}
    for slot, positions in chosen.items():
        if positions:
            yield slot, offer(Wanted(name, options, starts, positions, slots[slot], passing))
    if not any(chosen.values()):
        here = sorted({site.position for places in slots.values() for site in places}, key=POSITIONS.index)
        wanted = ", ".join(table.position or file.position or allowed_positions(attention_class(name)))
        raise InputError(f"{file.backbone.name} has no such place there: {wanted}; it has {', '.join(here)}")


def _positions(name: str, table: KindTable, file: SpaceFile, places: Iterable[Site]) -> tuple[str, ...]:
    """Where a kind may stand in this slot: as its table says, else the file; else in the first place that it allows."""
    possible = allowed_positions(attention_class(name))
    wanted = table.position or tuple(position for position in file.position or possible if position in possible)
    if not wanted:
        raise InputError(
            f"may stand at {', '.join(possible)}, and the file's position is {', '.join(file.position or ())}"
        )
    here = {site.position for site in places}
    found = tuple(position for position in wanted if position in here)
    return found if table.position or file.position else found[:1]
