"""What a sampler may propose: the answers to every question, as numbers, and what they cost."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from nas_attn.results.spaces import SpacePrices
from nas_attn.space import NONE, Architecture, InputError, SearchSpace, Slot, Value

from .features import Floats, Integers
from .posterior import Code

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


@dataclass(frozen=True, eq=False)
class Scored:
    """A number that is known of some candidates, which alone may be proposed; any other is taken as the median."""

    numbers: Mapping[Code, float]

    @classmethod
    def of(cls, space: SearchSpace, scores: Mapping[Architecture, float]) -> "Scored":
        """Of a space's networks."""
        candidates = Candidates(space)
        coded = ((candidates.code(space.answers(architecture)), score) for architecture, score in scores.items())
        return cls({code: score for code, score in coded if code is not None})

    @property
    def codes(self) -> Integers:
        """Those candidates, (candidates, slots)."""
        return np.array([*self.numbers], dtype=np.int64)

    def totals(self, codes: Integers) -> Floats:
        """The number of each of these."""
        median = float(np.median([*self.numbers.values()]))
        return np.array([self.numbers.get(tuple(code), median) for code in codes.tolist()])

    def holds(self, codes: Integers) -> NDArray[np.bool_]:
        """Which of these may be proposed."""
        return np.array([tuple(code) in self.numbers for code in codes.tolist()], dtype=np.bool_)


Cost = Callable[[dict[str, Any]], float] | Priced | Scored
"""From answers to a number."""
Fits = Callable[[dict[str, Any]], bool] | Within | Scored
"""Whether answers may be proposed."""


@dataclass(frozen=True)
class _Place:
    """A question, or a slot with all of its questions."""

    fillings: tuple[dict[str, Any], ...]
    """The answers that lead to each."""
    labels: tuple[str, ...]
    """What each is called; what is alike has one label."""
    number: Callable[[Answers], int]
    """Which filling these answers lead to; raises `KeyError` or `ValueError` where they lead to none."""


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
        try:
            return tuple(place.number(answers) for place in self.places)
        except (KeyError, ValueError):
            return None

    def costs(self, known: Sequence[Cost], codes: Integers) -> Floats:
        """What is known of these candidates, (candidates, costs). Raises `InputError` for what is no number."""
        found = np.empty((len(codes), len(known)))
        answers = None
        for column, cost in enumerate(known):
            if isinstance(cost, Priced | Scored):
                found[:, column] = cost.totals(codes)
                continue
            answers = [self.answers(code) for code in codes.tolist()] if answers is None else answers
            found[:, column] = [_number(cost(dict(one)), one) for one in answers]
        return found

    def fitting(self, fits: Fits | None, codes: Integers) -> NDArray[np.bool_]:
        """Which of these may be proposed."""
        if fits is None:
            return np.ones(len(codes), dtype=np.bool_)
        if isinstance(fits, Within | Scored):
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


def _question(name: str, values: tuple[Any, ...]) -> _Place:
    return _Place(
        tuple({name: value} for value in values),
        tuple(map(str, values)),
        lambda answers: values.index(answers[name]),
    )


def _slot(slot: Slot) -> _Place:
    alone = SearchSpace((slot,))
    asked = [name for name, _ in _questions(alone)]
    fillings = [Architecture(placements) for placements in slot.fillings()]
    numbers = {architecture: number for number, architecture in enumerate(fillings)}

    @cache
    def number(answers: tuple[Any, ...]) -> int:
        known = dict(zip(asked, answers, strict=True))
        return numbers[alone.decide(lambda question, _: known[question])]

    return _Place(
        tuple(alone.answers(architecture) for architecture in fillings),
        tuple(one.placements[0].attention.kind if one.placements else "none" for one in fillings),
        lambda answers: number(tuple(answers.get(name) for name in asked)),
    )


def _questions(space: SearchSpace) -> Iterable[tuple[str, tuple[Value, ...]]]:
    for slot in space.slots:
        asked: list[tuple[str, tuple[Value, ...]]] = [(slot.name, (NONE, *(kind.name for kind in slot.kinds)))]
        asked += [(f"{slot.name}.{kind.name}.{name}", values) for kind in slot.kinds for name, values in kind.questions]
        yield from (question for question in asked if len(question[1]) > 1)
