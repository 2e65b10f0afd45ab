"""How a class of attentions is called, whoever wrote it: which of its parameters are widths, sizes and options."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from nas_attn.space import is_word

_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
_PLAIN = (str, int, float, bool)
_TAKEN = ("channels", "position", "slots", "start")  # what a space file says of any kind
_NO_WIDTH = re.compile(r"kernel|k_?size|reduction|ratio|head|group|stride|dilation|lambda|eps", re.IGNORECASE)
_WIDTH = re.compile(
    r".*(chan|plane|feat|filter|embed).*|(in_?|n_?|num_?)?(dims?|width|maps)|(in_?)?chs?|c_?(1|in)?|n_?c|inp?|inc|input|"
    r"d_model|in_c|in_size",
    re.IGNORECASE,
)
_SAME_WIDTH = re.compile(
    r"(out|output)_?(p|c|chs?|chan\w*|dims?|planes?|features|filters|width)?|oup|ouc|c_?2|c_?out|(ch|dim|chan\w*|planes)_out",
    re.IGNORECASE,
)
_SIDES = (("height", "width"), ("h", "w"), ("feat_size",), ("fmap_size",), ("input_resolution",), ("resolution",))


@dataclass(frozen=True, slots=True)
class Signature:
    """What each parameter of a class of attentions is taken as."""

    widths: tuple[str, ...]
    """Those that get the channels of the map, the first of them positionally."""
    signal: str | None
    """The one that gets the channels of the gating signal."""
    sides: tuple[str, ...]
    """Those that get the height and the width of the map, or one that gets both as a pair."""
    sized: bool
    """Whether it is always built for one height and width."""
    options: tuple[inspect.Parameter, ...]
    """Those that a space file may give, each with its type, or that of its default, as annotation."""
    alone: tuple[str, ...]
    """Those that keep their defaults, which are nothing that a file could say."""
    leading: int
    """How many of the widths are given positionally."""

    def arguments(self, widths: tuple[int, ...], options: Mapping[str, Any]) -> tuple[tuple[int, ...], dict[str, Any]]:
        """Positional and keyword arguments for a map of these channels, and a signal, with these options."""
        signal = {} if self.signal is None else {self.signal: widths[-1]}
        named = dict.fromkeys(self.widths[:1], widths[0]) | signal | dict.fromkeys(self.widths[1:], widths[0])
        given = {name: value for name, value in options.items() if name not in ("height", "width")}
        if {"height", "width"} <= options.keys():
            size = (options["height"], options["width"])
            given |= {self.sides[0]: size} if len(self.sides) == 1 else dict(zip(self.sides, size, strict=True))
        else:
            given = dict(options)
        leading = [*named][: self.leading]
        return tuple(named.pop(name) for name in leading), {**named, **given}

    def remarks(self) -> Iterator[str]:
        """What is guessed or passed over, a few words each; nothing where it is written as the built-in kinds are."""
        if not self.widths:
            yield "has no width, so it is the same at any"
        elif self.widths[0] != "channels":
            yield f"{self.widths[0]} is taken as the width"
        if len(self.widths) > 1:
            yield f"{' and '.join(self.widths[1:])} as the same"
        if self.sized:
            yield f"{' and '.join(self.sides)} as the size of the map"
        if self.alone:
            yield f"{', '.join(self.alone)} left alone"


def signature_of(attention: Any) -> Signature:
    """What the parameters of a class are taken as.

    The first is the width, whatever it is called, or one with a default that is not called like one, and then there is
    none. A second width (`oup`, `out_channels`) is the same; a gated class has that of its signal second. `height` and
    `width`, or a pair such as `feat_size`, are the size of the map. All others with a plain default are options.

    Raises `ValueError` for a parameter that has no default and is none of these.
    """
    return _signature(attention)


@cache
def _signature(attention: Any) -> Signature:
    found = {one.name: one for one in _parameters(attention)}
    names = [*found]
    first = names[:1] if found and _is_width(found[names[0]]) else []
    signal = names[1:2] if first and getattr(attention, "gated", False) else []
    rest = names[len(first) + len(signal) :]
    same = [name for name in rest if first and _SAME_WIDTH.fullmatch(name) and _gives_width(found[name])]
    sides = next((sides for sides in _SIDES if set(sides) <= set(rest)), ())
    if len(sides) == 1 and _has_plain_default(found[sides[0]]):
        sides = ()  # the side of a square, which a file may give
    given = (*first, *signal, *same, *sides)
    options = {name: option for name in rest if name not in same and (option := _option(found[name]))}
    missing = [name for name in names if found[name].default is inspect.Parameter.empty and name not in given]
    if missing or (getattr(attention, "gated", False) and not signal):
        raise ValueError(_unknown(attention, missing))
    return Signature(
        widths=(*first, *same),
        signal=signal[0] if signal else None,
        sides=sides,
        sized=len(sides) == 2 or any(found[side].default is inspect.Parameter.empty for side in sides),
        options=tuple(options.values()),
        alone=tuple(name for name in rest if name not in (*given, *options)),
        leading=_leading((*first, *signal, *same), [*found.values()]),
    )


def keyword_options(attention: type) -> tuple[inspect.Parameter, ...]:
    """The options of a class of attentions, in its order, each with its type, or that of its default, as annotation.

    >>> from nas_attn.attention import TripletAttention
    >>> [(option.name, option.annotation, option.default) for option in keyword_options(TripletAttention)]
    [('kernel_size', <class 'int'>, 7)]
    """
    return signature_of(attention).options


def construct(attention: type, widths: tuple[int, ...], options: Mapping[str, Any]) -> Any:
    """An attention for a map of these channels and, for a gated one, a signal of these, with these options."""
    positional, named = signature_of(attention).arguments(widths, options)
    return attention(*positional, **named)


def _parameters(attention: Any) -> list[inspect.Parameter]:
    """The parameters of a class that have names; of one that only hands on `*args`, those of the class above it."""
    try:
        found = inspect.signature(attention, eval_str=True)
    except (NameError, TypeError, AttributeError, SyntaxError):  # a type that is only known to a checker
        found = inspect.signature(attention)
    kinds = {one.kind for one in found.parameters.values()}
    above = [base for base in getattr(attention, "__mro__", ())[1:] if base.__init__ is not attention.__init__]
    if inspect.Parameter.VAR_POSITIONAL in kinds and kinds <= _VARIABLE and above:
        return _parameters(above[0])
    return [one for one in found.parameters.values() if one.kind not in _VARIABLE]


def _is_width(first: inspect.Parameter) -> bool:
    if first.default is first.empty:
        return not _NO_WIDTH.search(first.name)
    return bool(_WIDTH.fullmatch(first.name)) and _gives_width(first)


def _gives_width(one: inspect.Parameter) -> bool:
    return one.default is one.empty or one.default is None or type(one.default) is int


def _has_plain_default(one: inspect.Parameter) -> bool:
    return type(one.default) in _PLAIN


def _leading(widths: tuple[str, ...], found: list[inspect.Parameter]) -> int:
    """How many widths are given positionally, as they stand first."""
    by_name = (inspect.Parameter.KEYWORD_ONLY,)
    return sum(
        1
        for _ in takewhile(
            lambda pair: pair[0] == pair[1].name and pair[1].kind not in by_name, zip(widths, found, strict=False)
        )
    )


def _unknown(attention: Callable[..., Any], missing: list[str]) -> str:
    shown = re.sub(r"<class '([^']+)'>", r"\1", str(inspect.signature(attention)))
    usual = "the width and that of the signal first" if getattr(attention, "gated", False) else "the width first"
    reason = f", and {', '.join(missing)} without a default" if missing else ""
    return f"found the parameters {shown}{reason}; allowed: {usual}, then options, each with a default"


def _option(one: inspect.Parameter) -> inspect.Parameter | None:
    """A parameter as an option, or nothing where a file cannot give it."""
    if not is_word(one.name) or one.name in _TAKEN:
        return None
    if _is_plain(one.annotation) and (one.default is None or _has_plain_default(one)):
        return one
    return one.replace(annotation=type(one.default)) if _has_plain_default(one) else None


def _is_plain(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(type(value) in _PLAIN for value in get_args(annotation))
    union = get_origin(annotation) in (Union, UnionType)
    types = [one for one in (get_args(annotation) if union else (annotation,)) if one is not NoneType]
    return bool(types) and all(one in _PLAIN for one in types)
