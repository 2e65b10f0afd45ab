"""The audit of proxies: whether a cheap ranking of networks is that of full training, and what it costs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nas_attn.results import Evaluation, across_seeds
from nas_attn.settings import Measure, measure
from nas_attn.space import InputError
from nas_attn.statistics import (
    UNKNOWN,
    Ceiling,
    Components,
    Estimate,
    Numbers,
    Truth,
    ceiling,
    components,
    estimate,
    kendall,
    resamples,
    spearman,
    truth,
)

_TOP = 0.1
_TOP_AT_LEAST = 3
_COUNTED = ("flops", "params")


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order of networks, and what it costs to know it."""

    name: str
    scores: Mapping[str, float]
    """A score for each key; more is better. A network without a finite score is not ranked."""
    kind: Literal["proxy", "zero-cost", "trivial"] = "proxy"
    """A step of the study's chain; a score of untrained networks; or a count that needs no network at all."""
    seconds: float = math.nan
    """What one network costs."""
    shared_seconds: float = 0.0
    """What is spent once, whatever the number of networks: the training of a supernet, or of a base."""
    shared_by: int = 1
    """How many networks share it."""


Regret = Mapping[str, float]
"""What is lost by taking the first of a ranking in place of the best: by each learnt measure, of means over seeds.

The best mean owes something to luck, so that a perfect ranking has some regret too where seeds are noisy.
"""


@dataclass(frozen=True, slots=True)
class Ranked:
    """How a ranking stands the audit."""

    ranking: Ranking
    networks: int
    """How many networks of the truth it ranks."""
    spearman: Estimate
    kendall: Estimate
    """Tau-b."""
    share: Estimate
    """The share of the ceiling that Spearman's correlation reaches; unknown where seeds do not agree."""
    above_counting: Estimate
    """By how much its correlation is above that of the best count of the same networks; unknown for a count."""
    regret: Regret
    """Of its first; of several firsts, the mean."""
    top_regret: Regret
    """Of the best one of its first tenth, at least 3 networks."""
    cost: float
    """Seconds of one network as a fraction of one full training."""
    whole_cost: float
    """The same with the network's part of what is shared."""


@dataclass(frozen=True, eq=False, slots=True)
class Audit:
    """What full training says of rankings."""

    measure: Measure
    """What the truth is measured by."""
    truth: Truth
    ceiling: Ceiling
    components: Mapping[str, Components]
    """How networks differ, against noise; candidates of one seed are paired."""
    ranked: tuple[Ranked, ...]
    """In the order given, then the counts."""
    counting: str
    """The count that does best: the trivial ranking with the highest correlation, taken with its sign."""


def audit(rows: Iterable[Evaluation], rankings: Iterable[Ranking], name: str = "loss", seed: int = 0) -> Audit:
    """Compare rankings with the rows of full training, by a learnt measure.

    "More FLOPs" and "more parameters" are compared with them too, with the sign that their names say. Every interval is
    of 2,000 bootstrap resamples of the networks, the same for all rankings, so that differences are paired.

    Raises `InputError` for two rankings of one name, and as `truth` does.
    """
    known, given = truth(rows), list(rankings)
    given += [_count(count, known.networks) for count in _COUNTED]
    names = [ranking.name for ranking in given]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise InputError(f"rankings: found {', '.join(twice)} twice; each needs a name of its own")
    rng = np.random.default_rng(seed)
    drawn = resamples(len(known.networks), rng)
    limit, reachable = ceiling(known.values[name], drawn, rng)
    reachable = np.where((reachable > 0) & limit.agreement.positive, reachable, math.nan)
    trivial = [(ranking.name, _scores(ranking, known.keys)) for ranking in given if ranking.kind == "trivial"]
    means = known.means(name)
    counting, counted = max(trivial, key=lambda named: float(_order(named[1], means, drawn[:1])[0]))
    judge = _Judge(known, means, drawn, reachable, counted)
    ranked = tuple(judge.ranked(ranking) for ranking in given)
    parts = {each: components(values) for each, values in known.values.items()}
    return Audit(measure(name), known, limit, parts, ranked, counting)


def step_ranking(
    rows: Iterable[Evaluation], step: str, score: str = "loss", shared_seconds: float = 0.0, shared_by: int = 1
) -> Ranking:
    """The order in which a step of the chain puts networks, by their mean over its seeds; it costs all of them."""
    trained = [row for row in rows if row.step == step and row.state == "complete"]
    networks = across_seeds(trained)
    seconds = math.fsum(row.train_seconds for row in trained) / len(networks) if networks else math.nan
    scores = {row.key: measure(score).sign * row[score] for row in networks}
    return Ranking(step, scores, "proxy", seconds, shared_seconds, shared_by)


@dataclass(frozen=True, eq=False, slots=True)
class _Judge:
    truth: Truth
    means: Numbers
    drawn: Numbers
    """How often each network stands in each resample."""
    reachable: Numbers
    """The ceiling in each resample."""
    counted: Numbers
    """The scores of the best count."""

    def ranked(self, ranking: Ranking) -> Ranked:
        scores = _scores(ranking, self.truth.keys)
        scored = np.isfinite(scores)
        drawn, number = self.drawn * scored, int(scored.sum())
        correlation = spearman(np.where(scored, scores, 0), self.means, drawn)
        seconds = np.mean([network.train_seconds for network in self.truth.networks]) if number else math.nan
        whole = ranking.seconds + ranking.shared_seconds / ranking.shared_by
        return Ranked(
            ranking,
            number,
            estimate(correlation),
            estimate(kendall(np.where(scored, scores, 0), self.means, drawn)),
            estimate(correlation / self.reachable),
            UNKNOWN if ranking.kind == "trivial" else estimate(correlation - _order(self.counted, self.means, drawn)),
            self._regret(scores, 1),
            self._regret(scores, max(_TOP_AT_LEAST, math.ceil(_TOP * number))),
            ranking.seconds / float(seconds),
            whole / float(seconds),
        )

    def _regret(self, scores: Numbers, number: int) -> Regret:
        scored = np.isfinite(scores)
        return {name: _lost(self.truth.means(name)[scored], scores[scored], number) for name in self.truth.values}


def _count(name: str, networks: Sequence[Evaluation]) -> Ranking:
    counts = {network.key: float(network[name]) for network in networks}
    return Ranking(f"more {measure(name).word}", counts, "trivial", 0.0)


def _scores(ranking: Ranking, keys: Sequence[str]) -> Numbers:
    """A score for each key, in this order; NaN where it is not ranked."""
    scores = np.array([ranking.scores.get(key, math.nan) for key in keys], dtype=np.float64)
    return np.where(np.isfinite(scores), scores, math.nan)


def _order(scores: Numbers, means: Numbers, counts: Numbers) -> Numbers:
    """Spearman's correlation in every resample; 0 where all scores are the same, which is no order."""
    scored = np.isfinite(scores)
    return np.nan_to_num(spearman(np.where(scored, scores, 0), means, counts * scored))


def _lost(means: Numbers, scores: Numbers, number: int) -> float:
    """How far the best of the first so many is from the best of all; where scores tie, on average over the ties."""
    if not len(scores):
        return math.nan
    number = min(number, len(scores))
    last = np.sort(scores)[-number]
    sure, tied = means[scores > last], np.sort(means[scores == last])[::-1]
    drawn = number - len(sure)
    ways = [math.comb(len(tied) - 1 - place, drawn - 1) for place in range(len(tied))]
    best = np.maximum(tied, sure.max(initial=-math.inf))
    return float(means.max() - np.average(best, weights=ways))
