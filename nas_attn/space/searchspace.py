"""What may be chosen: slots, the kinds that may fill them, and the values of their options."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar

from .architecture import NONE, Architecture, Attention, Placement, Site
from .errors import InputError, allowed
from .values import Value, spell_value

_V = TypeVar("_V", bound=Value)

Choice = tuple[Value, ...]
"""An answer to each question of a kind, in their order."""

Choose = Callable[[str, tuple[Value, ...]], Value | None]
"""Answers a question of a space with one of the values offered, as Optuna's `trial.suggest_categorical` does."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of attention that may fill a slot, with every value that its options may take.

    Raises `ValueError` for a question without an answer, an answer that is offered twice (`1` and `true` are one), and
    an answer that cannot be spelt.
    """

    name: str
    options: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    """Each option with its values, the preferred one first; an option with one value is no question."""
    positions: tuple[str, ...] = ("branch",)
    """Where in a block it may stand, the preferred position first."""
    equivalents: tuple[tuple[Choice, Choice], ...] = ()
    """Pairs of choices that build the same network; the second of each is the one that counts."""

    def __post_init__(self) -> None:
        if self.name == NONE:
            raise ValueError(f"{NONE!r} is the empty answer; it cannot name a kind")
        Attention(self.name, tuple((option, NONE) for option, _ in self.questions))
        for option, values in self.questions:
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{self.name}.{option}: found {values}; allowed: one value or more, each once")
            for value in values:
                spell_value(value)

    @property
    def questions(self) -> tuple[tuple[str, tuple[Value, ...]], ...]:
        """What has to be answered once this kind is chosen, in order."""
        return (("position", self.positions), *self.options)

    @property
    def spellings(self) -> int:
        """How many choices there are; some may build the same network."""
        return math.prod(len(values) for _, values in self.questions)

    @property
    def size(self) -> int:
        """How many choices there are that build different networks."""
        return self.spellings - len(self.equivalents)

    def choices(self) -> Iterator[Choice]:
        """Every choice that builds a network of its own."""
        equivalents = dict(self.equivalents)
        return (choice for choice in product(*(values for _, values in self.questions)) if choice not in equivalents)


@dataclass(frozen=True, slots=True)
class Slot:
    """One question of a space: what stands at these sites? All of them get the same answer.

    Raises `ValueError` for a kind that is offered twice, and a position that none of the sites has.
    """

    name: str
    """A stage (`stage2`) or a block (`stage2.block0`)."""
    sites: tuple[Site, ...]
    kinds: tuple[Kind, ...]

    def __post_init__(self) -> None:
        if repeated := _repeated(kind.name for kind in self.kinds):
            raise ValueError(f"{self.name}: offers the kind {repeated!r} twice")
        here = {site.position for site in self.sites}
        for kind in self.kinds:
            if missing := [position for position in kind.positions if position not in here]:
                raise ValueError(f"{self.name}.{kind.name}: no site has the position {missing[0]!r}")

    @property
    def size(self) -> int:
        """How many answers there are that build different networks, the empty one among them."""
        return 1 + sum(kind.size for kind in self.kinds)

    def fill(self, kind: Kind, choice: Choice) -> tuple[Placement, ...]:
        """The placements of this kind at this slot's sites; choices that build the same network give the same."""
        position, *values = dict(kind.equivalents).get(choice, choice)
        attention = Attention(kind.name, tuple(zip((name for name, _ in kind.options), values, strict=True)))
        return tuple(Placement(site.name, attention) for site in self.sites if site.position == position)

    def fillings(self) -> Iterator[tuple[Placement, ...]]:
        """Everything that may stand in this slot, nothing first."""
        yield ()
        for kind in self.kinds:
            for choice in kind.choices():
                yield self.fill(kind, choice)


@dataclass(frozen=True, repr=False, slots=True)
class SearchSpace:
    """A walk of questions, slot by slot, that leads to an architecture.

    Raises `ValueError` for two slots of one name, and a site in two slots.
    """

    slots: tuple[Slot, ...]
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What the user should know of it, a line each: what was left out at which slots, and what was guessed."""

    def __post_init__(self) -> None:
        for what in ((slot.name for slot in self.slots), (site.name for slot in self.slots for site in slot.sites)):
            if repeated := _repeated(what):
                raise ValueError(f"{repeated}: stands in this space twice")

    def __repr__(self) -> str:
        slots = [slot.name for slot in self.slots]
        return f"SearchSpace({', '.join([*slots[:6], *(['...'] if len(slots) > 6 else [])])})"

    def decide(self, choose: Choose) -> Architecture:
        """Walk the questions: `"stage2"`, and where the answer is `se`, `"stage2.se.reduction"`.

        A question with one possible answer answers itself. Random sampling, replay of given answers and
        Optuna's `trial.suggest_categorical` are all a `choose`.

        Raises `InputError` for an answer that was not offered.
        """
        placements: list[Placement] = []
        for slot in self.slots:
            name = _ask(choose, slot.name, (NONE, *(kind.name for kind in slot.kinds)))
            for kind in slot.kinds:
                if kind.name == name:
                    prefix = f"{slot.name}.{kind.name}"
                    choice = tuple(_ask(choose, f"{prefix}.{option}", values) for option, values in kind.questions)
                    placements.extend(slot.fill(kind, choice))
        return Architecture(tuple(placements))

    def answers(self, architecture: Architecture) -> dict[str, Value]:
        """The answers that lead to this architecture: `decide` replays them.

        Raises `InputError` where this space does not hold the architecture, and says at which site.
        """
        remaining = {placement.site: placement for placement in architecture.placements}
        answers: dict[str, Value] = {}
        for slot in self.slots:
            answers.update(_slot_answers(slot, remaining))
            for site in slot.sites:
                remaining.pop(site.name, None)
        if remaining:
            sites = ", ".join(slot.name for slot in self.slots)
            raise InputError(f"{next(iter(remaining))}: no slot of this space holds this site; the slots are {sites}")
        return answers

    @property
    def size(self) -> int:
        """How many architectures there are, exactly; no two of them build the same network."""
        return math.prod(slot.size for slot in self.slots)

    @property
    def spellings(self) -> int:
        """How many ways there are to answer; some may lead to the same architecture."""
        return math.prod(1 + sum(kind.spellings for kind in slot.kinds) for slot in self.slots)

    def sample(self, rng: random.Random) -> Architecture:
        """An architecture whose every question is answered uniformly at random."""
        return self.decide(lambda _, values: rng.choice(values))

    def architectures(self) -> Iterator[Architecture]:
        """Every architecture, one after the other; the plain backbone first."""
        for fillings in product(*(tuple(slot.fillings()) for slot in self.slots)):
            yield Architecture(tuple(placement for filling in fillings for placement in filling))

    def baselines(self) -> tuple[Architecture, ...]:
        """What every search is compared with: nothing anywhere, and each kind everywhere.

        A kind takes the first value of each option, and leaves empty the slots that do not offer it.
        """
        slots = {slot.name for slot in self.slots}

        def everywhere(kind: str) -> Choose:
            return lambda question, values: kind if question in slots and kind in values else values[0]

        return (Architecture(), *(self.decide(everywhere(name)) for name in self.kinds))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds that some slot offers."""
        return tuple(dict.fromkeys(kind.name for slot in self.slots for kind in slot.kinds))


def _ask(choose: Choose, question: str, values: tuple[_V, ...]) -> _V:
    if len(values) == 1:
        return values[0]
    answer = choose(question, values)
    for value in values:
        if value == answer:
            return value
    raise InputError(f"{question}: found {answer!r}; {allowed(answer, map(spell_value, values))}")


def _repeated(names: Iterable[str]) -> str | None:
    """The first name that stands there twice."""
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _slot_answers(slot: Slot, placed: Mapping[str, Placement]) -> dict[str, Value]:
    here = [placed[site.name] for site in slot.sites if site.name in placed]
    if not here:
        return {slot.name: NONE} if slot.kinds else {}
    attention = here[0].attention
    position = next(site.position for site in slot.sites if site.name == here[0].site)
    found: dict[str, Value] = {"position": position, **dict(attention.options)}
    for kind in slot.kinds:
        if kind.name != attention.kind or found.keys() != {name for name, _ in kind.questions}:
            continue
        choice = {name: value for name, values in kind.questions for value in values if value == found[name]}
        if choice.keys() == found.keys() and slot.fill(kind, tuple(choice.values())) == tuple(here):
            prefix = f"{slot.name}.{kind.name}"
            more = {f"{prefix}.{name}": choice[name] for name, values in kind.questions if len(values) > 1}
            return {slot.name: kind.name, **more}
    raise InputError(
        f"{here[0].site}: this space does not offer {attention} there, at every site of {slot.name} in one position"
    )
