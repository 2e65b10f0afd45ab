"""Candidate architectures as integer codes, with their known costs."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from nas_attn.pricing import Integers, SpacePrices
from nas_attn.space import NONE, Architecture, InputError, SearchSpace, Slot, Value

from .features import Code, Floats

UNANSWERED = -1
"""The filling number of a place without an answer."""
Answers = Mapping[str, Any]
"""An answer to each question, by its name: what Optuna calls a trial's `params`."""
Choices = Mapping[str, Sequence[Value | None]] | SearchSpace
"""The questions with what may be answered; in a search space, some questions come only after some answers."""


@dataclass(frozen=True)
class Priced:
    """A measure that is known of every network of a space, as a sum over its slots."""

    prices: SpacePrices
    measure: str


@dataclass(frozen=True)
class Within:
    """Limits of measures that are known of every network of a space."""

    prices: SpacePrices
    limits: Mapping[str, float]


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

    def code(self, answers: Answers) -> int:
        """Which filling these answers lead to, `UNANSWERED` where one is missing; raises `ValueError` as `number`."""
        try:
            return self.number(answers)
        except KeyError:
            return UNANSWERED

    def compatible(self, answers: Answers) -> list[int]:
        """The fillings that go with some answers."""
        return [
            number
            for number, filling in enumerate(self.fillings)
            if all(question not in answers or answers[question] == answer for question, answer in filling.items())
        ]


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
            questions = dict(_questions(self.choices))
        else:
            questions = _checked(self.choices)
            self.places = tuple(_question(name, values) for name, values in questions.items())
        self.distributions = {name: CategoricalDistribution(values) for name, values in questions.items()}

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
        return np.indices(self.sizes).reshape(len(self.sizes), self.number).T

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
        """The candidate that answers lead to, `UNANSWERED` where some are missing; None where some are none."""
        try:
            return tuple(place.code(answers) for place in self.places)
        except ValueError:
            return None

    def compatible(self, answers: Answers) -> dict[int, list[int]]:
        """The fillings that go with some answers, by place, of the places where not all do."""
        found = {number: place.compatible(answers) for number, place in enumerate(self.places)}
        return {number: fillings for number, fillings in found.items() if 0 < len(fillings) < self.sizes[number]}

    def offers(self, code: object) -> bool:
        """Whether this is the code of a candidate, as a list."""
        return (
            isinstance(code, list)
            and len(code) == len(self.sizes)
            and all(map(range.__contains__, map(range, self.sizes), code))
        )

    def costs(self, known: Sequence[Cost], codes: Integers) -> Floats:
        """The known costs of these candidates, (candidates, costs). Raises `InputError` for what is no number."""
        found = np.empty((len(codes), len(known)))
        for column, cost in enumerate(known):
            if isinstance(cost, Priced):
                found[:, column] = cost.prices.totals(codes)[cost.measure]
            else:
                found[:, column] = [_number(cost(dict(answers)), answers) for answers in self._all_answers(codes)]
        return found

    def fitting(self, fits: Fits | None, codes: Integers) -> NDArray[np.bool_]:
        """Which of these may be proposed."""
        if fits is None:
            return np.ones(len(codes), dtype=np.bool_)
        if isinstance(fits, Within):
            return fits.prices.fits(codes, fits.limits)
        return np.array([bool(fits(answers)) for answers in self._all_answers(codes)], dtype=np.bool_)

    def _all_answers(self, codes: Integers) -> Iterable[dict[str, Any]]:
        return map(self.answers, codes.tolist())


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
    number = partial(_answered, name, CategoricalDistribution(values))
    return _Place(tuple({name: value} for value in values), tuple(map(str, values)), number)


def _answered(name: str, offered: CategoricalDistribution, answers: Answers) -> int:
    return int(offered.to_internal_repr(answers[name]))


def _slot(slot: Slot) -> _Place:
    alone, numbers = SearchSpace((slot,)), {Architecture(filling): n for n, filling in enumerate(slot.fillings())}
    labels = tuple(one.placements[0].attention.kind if one.placements else NONE for one in numbers)
    return _Place(tuple(map(alone.answers, numbers)), labels, partial(_filling, alone, numbers))


def _filling(alone: SearchSpace, numbers: Mapping[Architecture, int], answers: Answers) -> int:
    return numbers[alone.decide(lambda question, _: answers[question])]


def _questions(space: SearchSpace) -> Iterable[tuple[str, tuple[Value, ...]]]:
    """Each question of a space with its answers, of those with more than one."""
    for slot in space.slots:
        every: list[tuple[str, tuple[Value, ...]]] = [(slot.name, (NONE, *(kind.name for kind in slot.kinds)))]
        every += [(f"{slot.name}.{kind.name}.{name}", values) for kind in slot.kinds for name, values in kind.questions]
        yield from (question for question in every if len(question[1]) > 1)
