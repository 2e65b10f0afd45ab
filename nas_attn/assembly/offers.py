"""Wiring module of space and attentions: which choices of a kind build networks of their own at a slot's sites."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import product

import torch

from nas_attn.attention import attention_class
from nas_attn.space import Attention, Choice, InputError, Kind, Site, Value

Options = Mapping[str, tuple[Value, ...]]
"""Each option of a kind with its values, the preferred one first."""

_Chosen = tuple[tuple[str, Value], ...]


def offer(
    name: str, options: Options, starts: tuple[str, ...], positions: Sequence[str], places: Sequence[Site]
) -> Kind:
    """The kind as these places can have it: values that never make a difference stand there once.

    Choices are equivalent where they build the same network: ratios that meet under a `divisor`, or the positions
    `block` and `stage` where a stage has one block.

    Raises `InputError` for a choice that cannot be built at one of the places.
    """
    built = {
        (position, chosen): tuple(_stands(name, chosen, site, places) for site in places if site.position == position)
        for position in positions
        for chosen in _choices(options)
    }
    kept = {option: _distinct(option, values, built) for option, values in options.items()}
    if starts != ("paper",):
        kept["start"] = starts
    first: dict[Hashable, Choice] = {}
    equivalents: list[tuple[Choice, Choice]] = []
    for position, chosen in product(positions, _choices(kept)):
        choice = (position, *(value for _, value in chosen))
        module = tuple(pair for pair in chosen if pair[0] in options)
        network = built[position, module], dict(chosen).get("start")
        if (same := first.setdefault(network, choice)) is not choice:
            equivalents.append((choice, same))
    return Kind(name, tuple(kept.items()), tuple(positions), tuple(equivalents))


def _choices(options: Options) -> Iterable[_Chosen]:
    """Every way to choose a value for each option."""
    for values in product(*options.values()):
        yield tuple(zip(options, values, strict=True))


def _distinct(
    option: str, values: tuple[Value, ...], built: Mapping[tuple[str, _Chosen], Hashable]
) -> tuple[Value, ...]:
    """The values that make a difference, whatever else is chosen; of those that make none, the first."""
    made: dict[Hashable, Value] = {}
    for value in values:
        with_value = tuple(what for (_, chosen), what in built.items() if (option, value) in chosen)
        made.setdefault(with_value, value)
    return tuple(made.values())


def _stands(kind: str, chosen: _Chosen, site: Site, places: Iterable[Site]) -> Hashable:
    """What stands at a site, and where: after a stage is after its last block, or its branch if nothing is added."""
    here = {other.position for other in places if other.block == site.block}
    end = "block" if "block" in here else "branch"
    place = (site.block, end if site.position == "stage" else site.position)
    try:
        return place, _built(kind, chosen, site.widths(getattr(attention_class(kind), "gated", False)))
    except ValueError as error:
        raise InputError(f"{Attention(kind, chosen)} cannot stand at {site.name}: {error}") from None


@cache
def _built(kind: str, chosen: _Chosen, widths: tuple[int, ...]) -> Hashable:
    """What tells one module from another: the types, plain attributes and parameter shapes of all that is in it."""
    with torch.device("meta"):
        built = attention_class(kind)(*widths, **dict(chosen))
    return tuple(
        (
            name,
            type(module),
            tuple((key, str(value)) for key, value in sorted(vars(module).items()) if not key.startswith("_")),
            tuple((key, tuple(tensor.shape)) for key, tensor in module.named_parameters(recurse=False)),
        )
        for name, module in built.named_modules()
    )
