"""Spellings as networks of a search space: one for each way in which attention may start there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nas_attn.space import (
    Architecture,
    InputError,
    Kind,
    Placement,
    SearchSpace,
    Site,
    Slot,
    Value,
    allowed,
    spell_value,
)

from .spelling import Places, Wish, places, wishes, with_options

START = "start"
"""The option of every kind that says how it starts."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that is compared with the plain backbone."""

    spelling: str
    """As the user spelt it."""
    start: str
    """How its attention starts: `paper` or `identity`; several, where kinds differ in it."""
    architecture: Architecture

    @property
    def key(self) -> str:
        """That of its architecture."""
        return self.architecture.key


def candidates(
    spellings: Sequence[str], space: SearchSpace, network: str, completed: Mapping[str, Sequence[Wish]] | None = None
) -> tuple[Candidate, ...]:
    """The networks that spellings mean in a space, each with every start that it offers there.

    What a spelling leaves open has the space's preferred value; `completed` are wishes that stand for a spelling.
    Of spellings of one network the first counts.

    Raises `InputError` that begins with the spelling for what the space does not hold, with what it does.
    """
    found: dict[str, Candidate] = {}
    for spelling in spellings:
        try:
            some = (completed or {}).get(spelling) or wishes(spelling)
            for start in _starts(some, space, network):
                candidate = _candidate(spelling, start, some, space, network)
                found.setdefault(candidate.key, candidate)
        except ValueError as error:
            line = str(error)
            raise InputError(line if line.startswith(f"{spelling}: ") else f"{spelling}: {line}") from None
    return tuple(found.values())


def _candidate(spelling: str, start: str, some: Sequence[Wish], space: SearchSpace, network: str) -> Candidate:
    placed: list[Placement] = []
    for wish in some:
        placed += _placements(with_options(wish, **{START: start}) if start else wish, space, network)
    answers = space.answers(Architecture(tuple(placed)))
    architecture = space.decide(lambda question, _: answers.get(question))
    starts = {dict(each.attention.options).get(START, "paper") for each in architecture.placements}
    return Candidate(spelling, " and ".join(sorted(map(str, starts), reverse=True)), architecture)


def _starts(some: Sequence[Wish], space: SearchSpace, network: str) -> tuple[str, ...]:
    """The starts to choose from, where that is a choice; else one that says nothing."""
    offered: dict[str, None] = {}
    for wish in some:
        for _, kind in _offers(wish, space, network)[1]:
            offered.update(dict.fromkeys(map(str, dict(kind.options).get(START, ()))))
    return tuple(offered) or ("",)


def _offers(wish: Wish, space: SearchSpace, network: str) -> tuple[Places, list[tuple[Slot, Kind]]]:
    """The sites of a wish, and its kind as each of their slots offers it."""
    sites = [site for slot in space.slots for site in slot.sites]
    here = places(wish.place, sites, f"the space of {network}" if sites else network)
    named = {site.name for site in here.sites}
    pairs = []
    for slot in space.slots:
        wanted = [site for site in slot.sites if site.name in named]
        position = here.position or wish.position
        if not wanted or (position and not any(site.position == position for site in wanted)):
            continue
        kind = next((kind for kind in slot.kinds if kind.name == wish.kind), None)
        if kind is None:
            kinds = [kind.name for kind in slot.kinds]
            raise InputError(f"{slot.name}: found {wish.kind!r}; {allowed(wish.kind, kinds)}")
        pairs.append((slot, kind))
    return here, pairs


def _placements(wish: Wish, space: SearchSpace, network: str) -> Iterator[Placement]:
    here, pairs = _offers(wish, space, network)
    for slot, kind in pairs:
        position = here.position or wish.position or kind.positions[0]
        _check(slot, kind, "position", position, kind.positions)
        filled = slot.fill(kind, (position, *_choice(slot, kind, wish)))
        wanted = {site.name for site in here.at(position)} & {site.name for site in slot.sites}
        if {placement.site for placement in filled} > wanted:
            raise InputError(f"{wish.place}: this space fills {_listed(slot.sites, position)} alike; name all of them")
        yield from filled


def _choice(slot: Slot, kind: Kind, wish: Wish) -> Iterator[Value]:
    """The value of each option of a kind, as the wish says it, or the preferred one."""
    known, said = dict(kind.options), dict(wish.options)
    for name in said:
        if name not in known and not (name == START and said[name] == "paper"):
            raise InputError(f"{slot.name}: {kind.name}: unknown option {name!r}; {allowed(name, known)}")
    for name, values in kind.options:
        if name in said:
            _check(slot, kind, name, said[name], values)
        yield said.get(name, values[0])


def _check(slot: Slot, kind: Kind, name: str, found: Value, values: Sequence[Value]) -> None:
    if found not in values:
        spelt = [spell_value(value) for value in values]
        raise InputError(f"{slot.name}: {kind.name}: {name}: found {spell_value(found)}; {allowed(found, spelt)}")


def _listed(sites: Iterable[Site], position: str) -> str:
    return ", ".join(site.name for site in sites if site.position == position)
