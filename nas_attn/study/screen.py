"""Screening: thousands of networks that are scored without being trained, and written down in bulk."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, create_trial

from nas_attn.results import Evaluation
from nas_attn.settings import Budget, Step
from nas_attn.space import Architecture, SearchSpace, parse
from nas_attn.space.values import Value

from .answers import answer
from .record import ARCHITECTURE, read_objectives, read_rows, row_attrs

_CHUNK = 50  # networks that are scored between two times of writing

Score = Callable[[Sequence[Architecture]], Iterable[Evaluation]]
"""The rows of some networks, one after the other; those over budget say so."""
OnProgress = Callable[[int, int], None]
"""Called with the number of networks that have a row, and of all."""


def screen(
    study: optuna.Study,
    space: SearchSpace,
    step: Step,
    architectures: Iterable[Architecture],
    score: Score,
    on_progress: OnProgress,
    budget: Budget = Budget(),  # noqa: B008
) -> None:
    """Give each of these networks a row of this step, if it has none yet.

    Whatever is raised meanwhile, what `score` has yielded is written down first; a killed process loses what it scored
    since the last 50.
    """
    known = {key for key, _ in read_rows(study)}
    wanted = list(dict.fromkeys(architectures))
    left = [architecture for architecture in wanted if architecture.key not in known]
    objectives, done = read_objectives(study), len(wanted) - len(left)
    on_progress(done, len(wanted))
    for start in range(0, len(left), _CHUNK):
        trials: list[FrozenTrial] = []
        try:
            for row in score(left[start : start + _CHUNK]):
                trials.append(_trial(replace(row, step=step.name), space, objectives, budget))  # noqa: PERF401 - each is there, whatever is raised next
        finally:
            study.add_trials(trials)
        done += len(trials)
        on_progress(done, len(wanted))


def _trial(row: Evaluation, space: SearchSpace, objectives: Sequence[str], budget: Budget) -> FrozenTrial:
    """A trial as it would be, had Optuna proposed this network."""
    architecture = parse(row.architecture)
    answers, distributions = space.answers(architecture), dict[str, BaseDistribution]()

    def choose(question: str, values: tuple[Value, ...]) -> Value:
        distributions[question] = CategoricalDistribution(values)
        return answers[question]

    space.decide(choose)
    told = answer(row, objectives, budget)
    return create_trial(
        state=told.state,
        values=told.values,
        params={question: answers[question] for question in distributions},
        distributions=distributions,
        user_attrs={ARCHITECTURE: row.architecture, **row_attrs(row)},
        constraints=told.constraints,
    )
