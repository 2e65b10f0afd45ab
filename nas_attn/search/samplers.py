"""Who proposes the next network, by the name that a study file uses."""

from collections.abc import Callable
from dataclasses import dataclass

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from nas_attn.pricing import MEASURES, SpacePrices
from nas_attn.sampler import Cost, Fits, KnownCostSampler, Priced, Scored, Within
from nas_attn.settings import StudyFile
from nas_attn.space import SearchSpace

from .promotion import Lead


@dataclass(frozen=True)
class Asked:
    """What a sampler may know of a study."""

    space: SearchSpace
    file: StudyFile
    prices: Callable[[], SpacePrices]
    """What every network of the space costs."""
    lead: Lead | None = None
    """What an earlier step says of the networks that may be proposed; without it, any may be."""


def _known_cost(asked: Asked, seed: int) -> BaseSampler:
    """What adds up over slots is known; the leading objective is learnt; latency is predicted from rows."""
    objectives, limits = asked.file.objectives, asked.file.budget.limits
    if set(objectives) <= set(MEASURES):
        return _tpe(asked, seed)
    prices = asked.prices()
    fits: Fits = Within(prices, {name: limit for name, limit in limits.items() if name in MEASURES})
    facts: list[Cost] = [Priced(prices, name) for name in MEASURES if name not in objectives]
    if asked.lead and asked.lead.scores:
        fits = Scored.of(asked.space, asked.lead.scores)
        facts.append(fits)
    leading = objectives.index(asked.file.leading.name)
    return KnownCostSampler(
        asked.space,
        {number: Priced(prices, name) for number, name in enumerate(objectives) if name in MEASURES},
        fits=fits,
        facts=facts,
        leading=leading,
        seed=seed,
    )


def _tpe(_asked: Asked, seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, n_startup_trials=10, seed=seed)


SAMPLERS: dict[str, Callable[[Asked, int], BaseSampler]] = {
    "known_cost": _known_cost,
    "tpe": _tpe,
    "nsga2": lambda _asked, seed: NSGAIISampler(population_size=20, seed=seed),
    "random": lambda _asked, seed: RandomSampler(seed=seed),
}
"""Each makes a sampler for a study, with a seed."""
