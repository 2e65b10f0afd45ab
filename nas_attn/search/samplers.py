"""Samplers by the name that a study file uses."""

from collections.abc import Callable
from dataclasses import dataclass

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from nas_attn.pricing import COUNTED, SpacePrices
from nas_attn.sampler import KnownCostSampler, Priced, Within
from nas_attn.settings import StudyFile
from nas_attn.space import SearchSpace


@dataclass(frozen=True)
class Problem:
    """What a sampler may know of a study."""

    space: SearchSpace
    file: StudyFile
    prices: Callable[[], SpacePrices]
    """What every network of the space costs."""


def _known_cost(problem: Problem, seed: int) -> BaseSampler:
    """What adds up over slots is known; the leading objective is learnt; latency is predicted from rows."""
    objectives, limits = problem.file.objectives, problem.file.budget.limits
    if set(objectives) <= set(COUNTED):
        return _tpe(problem, seed)
    prices = problem.prices()
    return KnownCostSampler(
        problem.space,
        {number: Priced(prices, name) for number, name in enumerate(objectives) if name in COUNTED},
        fits=Within(prices, {name: limit for name, limit in limits.items() if name in COUNTED}),
        facts=[Priced(prices, name) for name in COUNTED if name not in objectives],
        leading=objectives.index(problem.file.leading.name),
        seed=seed,
    )


def _tpe(_problem: Problem, seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, n_startup_trials=10, seed=seed)


SAMPLERS: dict[str, Callable[[Problem, int], BaseSampler]] = {
    "known_cost": _known_cost,
    "tpe": _tpe,
    "nsga2": lambda _problem, seed: NSGAIISampler(population_size=20, seed=seed),
    "random": lambda _problem, seed: RandomSampler(seed=seed),
}
"""Each makes a sampler for a study, with a seed."""
