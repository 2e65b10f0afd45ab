"""Wiring module of space and attentions: which choices of a kind can stand at a slot's sites, and differ there."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from nas_attn.attention import Situation, attention_class, check_export, check_stands, construct, is_own, signature_of
from nas_attn.backbones import on_meta
from nas_attn.cost import unfilled
from nas_attn.space import Attention, Choice, InputError, Kind, Site, Value, first_line, fold, spell_value

from .passing import Passing, Size

Options = Mapping[str, tuple[Value, ...]]
"""Each option of a kind with its values, the preferred one first."""

_Chosen = tuple[tuple[str, Value], ...]
_Tried = Mapping[tuple[str, _Chosen], Hashable]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a choice cannot stand at a site."""

    site: str
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a kind may be in a slot."""

    kind: Kind | None
    """Nothing where it cannot stand there in any way."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What cannot stand there, an option's value or a position, and why."""


def offer_remarks(
    name: str, offers: Mapping[str, Offer], slots: Mapping[str, Sequence[Site]], passing: Passing
) -> Iterator[str]:
    """What to say of a kind: what of it is left out at which slots, and of somebody else's class what was found.

    Raises `InputError` where a kind, or one of its values, can stand in no slot, and where it cannot be exported.
    """
    reasons: dict[str, str] = {}
    left_out: dict[str, list[str]] = {}
    for slot, offered in offers.items():
        for what, reason in offered.left_out.items():
            reasons.setdefault(what, reason)
            left_out.setdefault(what, []).append(slot)
    for what, places in left_out.items():
        if len({*places, *left_out.get("", ())}) == len(offers):
            raise InputError(f"{f'{what} ' if what else ''}cannot stand at {', '.join(fold(offers))}: {reasons[what]}")
    if is_own(name):
        yield from (f"{name}: {line}" for line in _found(name, offers, slots, passing))
    for what, places in left_out.items():
        yield f"{name}{f' with {what}' if what else ''} is left out at {', '.join(fold(places))}: {reasons[what]}"


def _found(
    name: str, offers: Mapping[str, Offer], slots: Mapping[str, Sequence[Site]], passing: Passing
) -> Iterator[str]:
    """What the parameters of somebody else's class are taken as, and for which sizes it can be exported."""
    attention = attention_class(name)
    if said := ", ".join(signature_of(attention).remarks()):
        yield said
    for slot, offered in offers.items():
        if offered.kind is not None:
            options = {option: values[0] for option, values in offered.kind.options if option != "start"}
            site = next(site for site in slots[slot] if site.position == offered.kind.positions[0])
            widths = site.widths(getattr(attention, "gated", False))
            sizes = [sizes for names in passing.values() for sizes in names]
            here = next(iter(passing.get(site.name, ())), ((8, 8), (8, 8)))
            other = next((size for size, _ in sizes if size != here[0]), None)
            if remark := _exported(name, tuple(options.items()), widths, *here, other):
                yield remark
            return


@cache
def _exported(
    name: str, chosen: _Chosen, widths: tuple[int, ...], size: Size, of_signal: Size, other: Size | None
) -> str:
    try:
        return check_export(attention_class(name), Situation(widths, size, dict(chosen), of_signal), other)
    except ValueError as error:
        raise InputError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file wants in a slot."""

    kind: str
    options: Options
    starts: tuple[str, ...]
    positions: Sequence[str]
    places: Sequence[Site]
    passing: Passing


def offer(wanted: Wanted) -> Offer:
    """The kind as these places can have it: values that never make a difference stand there once.

    Choices are equivalent where they build the same network: ratios that meet under a `divisor`, or the positions
    `block` and `stage` where a stage has one block. A position and a value that cannot stand there whatever else is
    chosen are left out. A class that is built for one size of map gets `height` and `width` as options of one value.

    Raises `InputError` for a choice that cannot be built at one of the places though each of its values can.
    """
    sized = _sized(wanted)
    tried = _tried(wanted, sized)
    if _all_fail(tried) and not sized and signature_of(attention_class(wanted.kind)).sides:
        sized = _size_of(wanted)
        tried = _tried(wanted, sized)
    if _all_fail(tried):
        return Offer(None, {"": next(fault for fault in tried.values() if isinstance(fault, _Fault)).reason})
    options = {**wanted.options, **sized}
    if not any(isinstance(what, _Fault) for what in tried.values()):
        return Offer(_kind(wanted, options, wanted.positions, tried))
    left_out: dict[str, str] = {}
    positions = [place for place in wanted.positions if _works(tried, "position", place, left_out)]
    tried = {key: what for key, what in tried.items() if key[0] in positions}
    options = {
        name: tuple(value for value in values if _works(tried, name, value, left_out))
        for name, values in options.items()
    }
    tried = {key: what for key, what in tried.items() if all(value in options[name] for name, value in key[1])}
    for (_, chosen), fault in tried.items():
        if isinstance(fault, _Fault):
            raise InputError(f"{Attention(wanted.kind, chosen)} cannot stand at {fault.site}: {fault.reason}")
    return Offer(_kind(wanted, options, positions, tried), left_out)


def _kind(wanted: Wanted, options: Options, positions: Sequence[str], built: _Tried) -> Kind:
    """The kind with the values that make a difference, and the choices that are equivalent."""
    kept = {option: _distinct(option, values, built) for option, values in options.items()}
    if wanted.starts != ("paper",):
        kept["start"] = wanted.starts
    first: dict[Hashable, Choice] = {}
    equivalents: list[tuple[Choice, Choice]] = []
    for position, chosen in product(positions, _choices(kept)):
        choice = (position, *(value for _, value in chosen))
        module = tuple(pair for pair in chosen if pair[0] in options)
        network = built[position, module], dict(chosen).get("start")
        if (same := first.setdefault(network, choice)) is not choice:
            equivalents.append((choice, same))
    return Kind(wanted.kind, tuple(kept.items()), tuple(positions), tuple(equivalents))


def _tried(wanted: Wanted, sized: Options) -> _Tried:
    """What stands at the places of each position with each choice, or why it cannot."""
    tried: dict[tuple[str, _Chosen], Hashable] = {}
    for position in wanted.positions:
        places = [site for site in wanted.places if site.position == position]
        for chosen in _choices({**wanted.options, **sized}):
            standing = tuple(_stands(wanted, chosen, site) for site in places)
            fault = next((what for what in standing if isinstance(what, _Fault)), None)
            tried[position, chosen] = fault or standing
    return tried


def _all_fail(tried: _Tried) -> bool:
    return all(isinstance(what, _Fault) for what in tried.values())


def _works(tried: _Tried, name: str, value: Value, left_out: dict[str, str]) -> bool:
    """Whether a position, or a value of an option, can stand there with some choice of the others; else it is noted."""
    having = [what for (place, chosen), what in tried.items() if (name, value) in (*chosen, ("position", place))]
    faults = [what for what in having if isinstance(what, _Fault)]
    if len(faults) < len(having):
        return True
    left_out[f"{name}={spell_value(value)}"] = faults[0].reason
    return False


def _sized(wanted: Wanted) -> Options:
    """Height and width as options, for a class that is always built for one size."""
    return _size_of(wanted) if signature_of(attention_class(wanted.kind)).sized else {}


def _size_of(wanted: Wanted) -> Options:
    """Height and width of the maps at most positions, those of one size, unless the file says them."""
    by_position: dict[str, set[Size]] = {position: set() for position in wanted.positions}
    for site in wanted.places:
        if site.position in by_position:
            by_position[site.position].update(size for size, _ in _at(wanted, site))
    found = Counter(size for sizes in by_position.values() if len(sizes) == 1 for size in sizes).most_common(1)
    said = {"height", "width", *signature_of(attention_class(wanted.kind)).sides} & wanted.options.keys()
    return {} if said or not found else {"height": (found[0][0][0],), "width": (found[0][0][1],)}


def _at(wanted: Wanted, site: Site) -> tuple[tuple[Size, Size], ...]:
    return wanted.passing.get(site.name, ())


def _choices(options: Options) -> Iterable[_Chosen]:
    """Every way to choose a value for each option."""
    for values in product(*options.values()):
        yield tuple(zip(options, values, strict=True))


def _distinct(option: str, values: tuple[Value, ...], built: _Tried) -> tuple[Value, ...]:
    """The values that make a difference, whatever else is chosen; of those that make none, the first."""
    made: dict[Hashable, Value] = {}
    for value in values:
        with_value = tuple(what for (_, chosen), what in built.items() if (option, value) in chosen)
        made.setdefault(with_value, value)
    return tuple(made.values())


def _stands(wanted: Wanted, chosen: _Chosen, site: Site) -> Hashable:
    """What stands at a site, and where: after a stage is after its last block, or its branch if nothing is added."""
    here = {other.position for other in wanted.places if other.block == site.block}
    end = "block" if "block" in here else "branch"
    place = (site.block, end if site.position == "stage" else site.position)
    widths = site.widths(getattr(attention_class(wanted.kind), "gated", False))
    try:
        built = _built(wanted.kind, chosen, widths)
        for size, of_signal in _at(wanted, site):  # a built-in kind takes a size whatever its options are
            _run(wanted.kind, chosen if is_own(wanted.kind) else (), widths, size, of_signal)
    except ValueError as error:
        return _Fault(site.name, first_line(error))
    return place, built


@cache
def _built(kind: str, chosen: _Chosen, widths: tuple[int, ...]) -> Hashable:
    """What tells one module from another: the types, plain attributes and parameter shapes of all that is in it."""
    module = _module(kind, chosen, widths)
    if any(isinstance(parameter, UninitializedParameter) for parameter in module.parameters()):
        raise ValueError("has lazy layers, whose widths are not known before a pass; allowed: layers with their widths")
    return tuple(_facts(module))


def _facts(built: nn.Module) -> Iterator[Hashable]:
    for name, module in built.named_modules():
        plain = ((key, str(value)) for key, value in sorted(vars(module).items()) if not key.startswith("_"))
        shapes = ((key, tuple(tensor.shape)) for key, tensor in module.named_parameters(recurse=False))
        yield name, type(module), tuple(plain), tuple(shapes)


def _module(kind: str, chosen: _Chosen, widths: tuple[int, ...]) -> nn.Module:
    """The module on the `meta` device; raises `ValueError` where it cannot be built."""
    try:
        with on_meta():
            module: nn.Module = construct(attention_class(kind), widths, dict(chosen))
            return module
    except Exception as error:
        if isinstance(error, ValueError) and not is_own(kind):
            raise
        raise ValueError(f"{type(error).__name__}: {first_line(error)}") from None


@cache
def _run(kind: str, chosen: _Chosen, widths: tuple[int, ...], size: Size, of_signal: Size) -> None:
    """See that it takes a map of this size; of somebody else's also that it keeps to what is required.

    Raises `ValueError` that says what was found.
    """
    situation = Situation(widths, size, dict(chosen), of_signal)
    if is_own(kind):
        check_stands(attention_class(kind), situation)
        return
    module = unfilled(_module(kind, chosen, widths))
    with torch.no_grad():
        module(*(torch.zeros(shape) for shape in situation.shapes(bool(getattr(module, "gated", False)))))
