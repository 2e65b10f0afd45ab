"""An attention of somebody else's: a class named as `my_package.blocks:MyAttention`, or one of timm by `timm:eca`."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from torch import nn

from nas_attn.settings import library, named_object
from nas_attn.space import POSITIONS, InputError, allowed, is_kind, reported

from .signature import keyword_options, signature_of
from .trial import SIZES, Situation, Size, changes_nothing, check_export, check_stands, needed

_WIDTHS = (16, 64, 256, 512)

TIMM = (
    *("se", "ese", "eca", "ecam", "ceca", "ge", "gc", "gca", "cbam", "lcbam", "coord", "scoord", "ela", "strip"),
    *("sk", "splat", "lambda", "bottleneck", "halo", "nl", "bat"),
)
"""The names of timm's `create_attn`; as kinds `timm:se` and so on."""


def own_class(kind: str) -> type[nn.Module]:
    """The class that a kind names; a `partial` of a class is a class that has its arguments.

    Raises `InputError` where it cannot be spelt, cannot be imported, or is no class of modules.
    """
    if not is_kind(kind):
        raise InputError(f"{kind}: cannot be spelt; allowed: ASCII letters, digits and _ only")
    found = _object(kind)
    if isinstance(found, partial) and isinstance(found.func, type) and not found.args:
        found = _with_arguments(kind)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        shown = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise InputError(f"{kind}: found {shown}; allowed: a subclass of torch.nn.Module")
    return found


def check_call(kind: str) -> type[nn.Module]:
    """The class of a kind, whose parameters and positions are what a space file can give.

    All but its width, and the width of the signal of a gated one, have defaults; `positions`, where it has them, are
    some of `POSITIONS`. Raises `InputError` that begins with the kind and says what was found.
    """
    attention = own_class(kind)
    with _named(kind):
        with reported("its parameters cannot be read", TypeError):
            signature_of(attention)
        _check_positions(attention)
    return attention


def check_own(kind: str) -> tuple[str, ...]:
    """Compare an attention with all that is required of one, without a network; what was found of it, a line each.

    Besides what `check_call` sees: with its defaults it keeps the shape of a map, leaves its input as it was, hands
    gradients on, and gives the same numbers when it is exported. Some width and some size have to do: a space tries it
    at its places. The global random state stays as it was.

    Raises `InputError` that begins with the kind and says what was found.
    """
    attention = check_call(kind)
    with _named(kind):
        found = {channels: _first(attention, channels) for channels in _WIDTHS}
        fitting = [first for first in found.values() if isinstance(first, Situation)]
        if not fitting:
            return (_cure(attention, str(found[_WIDTHS[0]])),)
        first = fitting[0]
        sizes = {size: _standing(attention, first.widths[0], size) for size in SIZES}
        others = [size for size, standing in sizes.items() if isinstance(standing, Situation) and size != first.size]
        exported = check_export(attention, first, next(iter(others), None))
    size = "" if not first.options else f"built for one size of map, {' and '.join(signature_of(attention).sides)}"
    widths = [f"not with {channels} channels: {fault}" for channels, fault in found.items() if isinstance(fault, str)]
    maps = [f"not on maps of {h} x {w}: {fault}" for (h, w), fault in sizes.items() if isinstance(fault, str)]
    start = "changes nothing at first" if changes_nothing(attention, first.widths, needed(attention, first)) else ""
    return tuple(line for line in (remarks_of(attention), size, start, *widths, *maps, exported) if line)


@contextmanager
def _named(kind: str) -> Iterator[None]:
    """Say of a fault which kind has it."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{kind}: {error}") from None


@cache
def fitting_situation(kind: str) -> Situation | None:
    """The first width and size, of those that are tried without a network, with which a kind works by its defaults."""
    attention = own_class(kind)
    found = (_first(attention, channels) for channels in _WIDTHS)
    first = next((one for one in found if isinstance(one, Situation)), None)
    return replace(first, options=needed(attention, first)) if first else None


def remarks_of(attention: type[nn.Module]) -> str:
    """What is guessed of its parameters, in a line; empty where it is written as the built-in kinds are."""
    return ", ".join(signature_of(attention).remarks())


def _first(attention: type[nn.Module], channels: int) -> Situation | str:
    """The first map on which it works with this width, or why it does not on the first of all."""
    standing = [_standing(attention, channels, size) for size in SIZES[:1]]
    standing += [_standing(attention, channels, size) for size in SIZES[1:] if isinstance(standing[0], str)]
    return next((one for one in standing if isinstance(one, Situation)), standing[0])


def _standing(
    attention: type[nn.Module], channels: int, size: Size, options: Mapping[str, Any] | None = None
) -> Situation | str:
    """How an attention stands where the map has this width and size, or why it cannot."""
    plain = Situation((channels,) * 2, size, dict(options or {}))
    sided = bool(signature_of(attention).sides)
    faults = []
    for situation in (plain, replace(plain, options={**plain.options, **plain.sides()}))[: 1 + sided]:
        try:
            check_stands(attention, situation)
        except ValueError as error:
            faults.append(str(error))
        else:
            return situation
    return faults[0]


def _cure(attention: type[nn.Module], fault: str) -> str:
    """Of an attention that cannot be used with its defaults: the one switch with which it can.

    Raises `ValueError` where there is none.
    """
    for option in keyword_options(attention):
        if isinstance(option.default, bool):
            switched = {option.name: not option.default}
            if any(isinstance(_standing(attention, 64, size, switched), Situation) for size in SIZES[:2]):
                return f"only with {option.name} = {str(not option.default).lower()}: {fault}"
    raise ValueError(fault)


def _check_positions(attention: type[nn.Module]) -> None:
    found = getattr(attention, "positions", POSITIONS)
    several = isinstance(found, tuple | list) and found
    if not several or any(place not in POSITIONS or found.count(place) > 1 for place in found):
        raise ValueError(f"positions: found {found!r}; allowed: some of {', '.join(POSITIONS)}, each once")


def _object(kind: str) -> Any:
    module, _, name = kind.partition(":")
    if module != "timm":
        return named_object(kind)
    if name not in TIMM:
        raise InputError(f"{kind}: {allowed(name, TIMM)}, or a class as timm.layers:SEModule")
    library("timm")
    try:
        return named_object("timm.layers:get_attn")(name)
    except AssertionError:
        raise InputError(f"{kind}: timm {version('timm')} does not have it; pip install --upgrade timm") from None


@cache
def _with_arguments(kind: str) -> type[nn.Module]:
    """A class that is called as the partial is which a kind names."""
    made, (module, _, name) = _object(kind), kind.partition(":")
    base: Any = made.func

    def begin(self: Any, *widths: Any, **options: Any) -> None:
        base.__init__(self, *widths, **{**made.keywords, **options})

    said = {
        "__init__": begin,
        "__signature__": inspect.signature(made),
        "__module__": module,
        "__doc__": made.func.__doc__,
    }
    return type(name, (base,), said)
