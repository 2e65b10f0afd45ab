"""Who proposes the next network, by the name that a study file uses."""

from collections.abc import Callable
from dataclasses import dataclass

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from nas_attn.results.spaces import MEASURES, SpacePrices
from nas_attn.settings import StudyFile
from nas_attn.space import SearchSpace

from .candidates import Priced, Within
from .known_cost import KnownCostSampler


@dataclass(frozen=True)
class Asked:
    """What a sampler may know of a study."""

    seed: int
    space: SearchSpace
    file: StudyFile
    prices: Callable[[], SpacePrices]
    """What every network of the space costs."""


def _known_cost(asked: Asked) -> BaseSampler:
    """What adds up over slots is known; accuracy, else loss, is learnt; latency is predicted from rows."""
    objectives, limits = asked.file.objectives, asked.file.budget.limits
    if set(objectives) <= set(MEASURES):
        return _tpe(asked)
    prices = asked.prices()
    leading = next((objectives.index(name) for name in ("accuracy", "loss") if name in objectives), None)
    return KnownCostSampler(
        asked.space,
        {number: Priced(prices, name) for number, name in enumerate(objectives) if name in MEASURES},
        fits=Within(prices, {name: limit for name, limit in limits.items() if name in MEASURES}),
        facts=[Priced(prices, name) for name in MEASURES if name not in objectives],
        leading=leading,
        seed=asked.seed,
    )


def _tpe(asked: Asked) -> BaseSampler:
    return TPESampler(multivariate=True, n_startup_trials=10, seed=asked.seed)


SAMPLERS: dict[str, Callable[[Asked], BaseSampler]] = {
    "known_cost": _known_cost,
    "tpe": _tpe,
    "nsga2": lambda asked: NSGAIISampler(population_size=20, seed=asked.seed),
    "random": lambda asked: RandomSampler(seed=asked.seed),
}
"""Each makes a sampler for a study."""
