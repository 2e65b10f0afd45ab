"""The fewest networks in which all that may stand at a slot stands once, and which of it fails."""

from collections.abc import Callable, Sequence

from nas_attn.space import Architecture, Placement, SearchSpace
from nas_attn.training import TrainingFailed


def covering(space: SearchSpace, *, options: bool = False) -> list[Architecture]:
    """The fewest networks in which each kind, with its preferred options, stands in every slot that offers it.

    With `options` each of its choices does.
    """
    if options:
        slots = [[filling for filling in slot.fillings() if filling] for slot in space.slots]
    else:
        slots = [
            [slot.fill(kind, tuple(v[0] for _, v in kind.questions)) for kind in slot.kinds] for slot in space.slots
        ]
    return [
        Architecture(tuple(placement for fillings in slots for placement in _at(fillings, number)))
        for number in range(max(map(len, slots), default=0))
    ]


def culprits(
    architecture: Architecture, space: SearchSpace, attempt: Callable[[Architecture], object]
) -> list[tuple[Architecture, TrainingFailed]]:
    """What of a network fails in an attempt, slot by slot, and why; the whole network where no slot fails alone."""
    whole = _failure(architecture, attempt)
    if whole is None:
        return []
    parts = [part for slot in space.slots if (part := _within(architecture, {site.name for site in slot.sites}))]
    found = [(part, failure) for part in map(Architecture, parts) if (failure := _failure(part, attempt)) is not None]
    return found or [(architecture, whole)]


def _failure(architecture: Architecture, attempt: Callable[[Architecture], object]) -> TrainingFailed | None:
    try:
        attempt(architecture)
    except TrainingFailed as failure:
        return failure
    return None


def _at(fillings: Sequence[tuple[Placement, ...]], number: int) -> tuple[Placement, ...]:
    return fillings[number] if number < len(fillings) else ()


def _within(architecture: Architecture, sites: set[str]) -> tuple[Placement, ...]:
    return tuple(placement for placement in architecture.placements if placement.site in sites)
