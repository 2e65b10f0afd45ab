"""What a sampler may propose: the answers to every question, as numbers, and what they cost."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from nas_attn.pricing import SpacePrices
from nas_attn.space import NONE, Architecture, InputError, SearchSpace, Slot, Value

from .features import Floats, Integers
from .posterior import Code

NOT_ASKED = -1
"""The filling number of a place that was not asked for."""
Answers = Mapping[str, Any]
"""An answer to each question, by its name: what Optuna calls a trial's `params`."""
Choices = Mapping[str, Sequence[Value | None]] | SearchSpace
"""The questions with what may be answered; in a search space, some questions are asked only after some answers."""


@dataclass(frozen=True)
class Priced:
    """A measure that is known of every network of a space, as a sum over its slots."""

    prices: SpacePrices
    measure: str

    def totals(self, codes: Integers) -> Floats:
        """The measure of each of these networks, (networks, slots)."""
        return self.prices.totals(codes)[self.measure].astype(np.float64)


@dataclass(frozen=True)
class Within:
    """Whether networks keep within limits of measures that are known."""

    prices: SpacePrices
    limits: Mapping[str, float]

    def holds(self, codes: Integers) -> NDArray[np.bool_]:
        """Of each of these networks, (networks, slots)."""
        totals = self.prices.totals(codes)
        held = np.ones(len(codes), dtype=np.bool_)
        for measure, limit in self.limits.items():
            held &= totals[measure] <= limit
        return held


Cost = Callable[[dict[str, Any]], float] | Priced
"""From answers to a number."""
Fits = Callable[[dict[str, Any]], bool] | Within
"""Whether answers may be proposed."""


@dataclass(frozen=True)
class _Place:
    """A question, or a slot with all of its questions."""

    fillings: tuple[dict[str, Any], ...]
    """The answers that lead to each."""
    labels: tuple[str, ...]
    """What each is called; what is alike has one label."""
    number: Callable[[Answers], int]
    """Which filling these answers lead to; raises `KeyError` where one is missing, `ValueError` for what is none."""


@dataclass
class Candidates:
    """All that may be proposed. Raises `InputError` where a question has no answer, or one twice."""

    choices: Choices
    places: tuple[_Place, ...] = field(init=False)
    distributions: dict[str, CategoricalDistribution] = field(init=False)
    """Of every question with more than one answer."""

    def __post_init__(self) -> None:
        if isinstance(self.choices, SearchSpace):
            self.places = tuple(map(_slot, self.choices.slots))
            asked = dict(_questions(self.choices))
        else:
            asked = _checked(self.choices)
            self.places = tuple(_question(name, values) for name, values in asked.items())
        self.distributions = {name: CategoricalDistribution(values) for name, values in asked.items()}

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many fillings each place has."""
        return tuple(len(place.fillings) for place in self.places)

    @property
    def number(self) -> int:
        """How many candidates there are."""
        return math.prod(self.sizes)

    @property
    def labels(self) -> list[tuple[str, ...]]:
        """What the fillings of each place are called."""
        return [place.labels for place in self.places]

    def listed(self) -> Integers:
        """Every candidate, (candidates, places)."""
        return np.array([*product(*map(range, self.sizes))], dtype=np.int64).reshape(-1, len(self.sizes))

    def drawn(self, number: int, rng: np.random.Generator) -> Integers:
        """Different candidates, each as likely as any other; fewer where some were drawn twice."""
        return np.unique(rng.integers(0, self.sizes, (number, len(self.sizes))), axis=0)

    def neighbours(self, codes: Iterable[Sequence[int]]) -> Integers:
        """All that differ from one of these in one place."""
        found = {
            (*code[:place], other, *code[place + 1 :])
            for code in map(tuple, codes)
            for place, size in enumerate(self.sizes)
            for other in range(size)
            if other != code[place]
        }
        return np.array(sorted(found), dtype=np.int64).reshape(-1, len(self.sizes))

    def answers(self, code: Sequence[int]) -> dict[str, Any]:
        """The answers that lead to a candidate."""
        return {name: v for place, n in zip(self.places, code, strict=True) for name, v in place.fillings[n].items()}

    def code(self, answers: Answers) -> Code | None:
        """The candidate that answers lead to, or nothing where some are missing or were not offered."""
        code = self.asked(answers)
        return None if code is None or NOT_ASKED in code else code

    def asked(self, answers: Answers) -> Code | None:
        """What answers lead to, `NOT_ASKED` where some are missing, or nothing where some were not offered."""
        try:
            return tuple(_asked(place, answers) for place in self.places)
        except ValueError:
            return None

    def holding(self, answers: Answers) -> dict[int, list[int]]:
        """The fillings that go with some answers, by place, of the places where not all do."""
        found: dict[int, list[int]] = {}
        for number, place in enumerate(self.places):
            fits = [
                n
                for n, one in enumerate(place.fillings)
                if all(q not in answers or answers[q] == v for q, v in one.items())
            ]
            if 0 < len(fits) < len(place.fillings):
                found[number] = fits
        return found

    def offers(self, code: object) -> bool:
        """Whether this is the code of a candidate, as a list."""
        return (
            isinstance(code, list)
            and len(code) == len(self.sizes)
            and all(map(range.__contains__, map(range, self.sizes), code))
        )

    def costs(self, known: Sequence[Cost], codes: Integers) -> Floats:
        """What is known of these candidates, (candidates, costs). Raises `InputError` for what is no number."""
        found = np.empty((len(codes), len(known)))
        answers = None
        for column, cost in enumerate(known):
            if isinstance(cost, Priced):
                found[:, column] = cost.totals(codes)
                continue
            answers = [self.answers(code) for code in codes.tolist()] if answers is None else answers
            found[:, column] = [_number(cost(dict(one)), one) for one in answers]
        return found

    def fitting(self, fits: Fits | None, codes: Integers) -> NDArray[np.bool_]:
        """Which of these may be proposed."""
        if fits is None:
            return np.ones(len(codes), dtype=np.bool_)
        if isinstance(fits, Within):
            return fits.holds(codes)
        return np.array([bool(fits(self.answers(code))) for code in codes.tolist()], dtype=np.bool_)


def _number(found: Any, answers: Answers) -> float:
    if isinstance(found, int | float | np.number) and math.isfinite(found):
        return float(found)
    raise InputError(f"known_costs: found {found!r} for {dict(answers)}; allowed: a finite number")


def _checked(choices: Any) -> dict[str, tuple[Value, ...]]:
    if not isinstance(choices, Mapping) or not choices:
        raise InputError(
            f"choices: found {choices!r}; allowed: a SearchSpace, or answers by question: {{'l0': ['0', '1']}}"
        )
    for name, values in choices.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise InputError(f"choices: {name}: found {values!r}; allowed: a list of one answer or more")
        if any(value in values[:number] for number, value in enumerate(values)):
            raise InputError(f"choices: {name}: found {list(values)}; each answer may stand there once")
    return {name: tuple(values) for name, values in choices.items()}


def _asked(place: _Place, answers: Answers) -> int:
    try:
        return place.number(answers)
    except KeyError:
        return NOT_ASKED


def _question(name: str, values: tuple[Any, ...]) -> _Place:
    number = partial(_answered, name, CategoricalDistribution(values))
    return _Place(tuple({name: value} for value in values), tuple(map(str, values)), number)


def _answered(name: str, offered: CategoricalDistribution, answers: Answers) -> int:
    return int(offered.to_internal_repr(answers[name]))


def _slot(slot: Slot) -> _Place:
    fillings = _Fillings(SearchSpace((slot,)), {Architecture(some): n for n, some in enumerate(slot.fillings())})
    return _Place(
        tuple(map(fillings.alone.answers, fillings.numbers)),
        tuple(one.placements[0].attention.kind if one.placements else "none" for one in fillings.numbers),
        fillings,
    )


@dataclass(frozen=True, eq=False)
class _Fillings:
    """Numbers what may stand in a slot by the answers that lead there, and remembers them."""

    alone: SearchSpace
    numbers: dict[Architecture, int]
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def __call__(self, answers: Answers) -> int:
        given = tuple(answers.get(name) for name, _ in _questions(self.alone))
        if given not in self.known:
            self.known[given] = self.numbers[self.alone.decide(lambda question, _: answers[question])]
        return self.known[given]


def _questions(space: SearchSpace) -> Iterable[tuple[str, tuple[Value, ...]]]:
    for slot in space.slots:
        asked: list[tuple[str, tuple[Value, ...]]] = [(slot.name, (NONE, *(kind.name for kind in slot.kinds)))]
        asked += [(f"{slot.name}.{kind.name}.{name}", values) for kind in slot.kinds for name, values in kind.questions]
        yield from (question for question in asked if len(question[1]) > 1)
