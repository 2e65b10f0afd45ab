"""Answers from rows: every network of a question against the plain backbone and against other widths, in one family."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas_attn.results import Evaluation
from nas_attn.settings import measure
from nas_attn.space import NONE
from nas_attn.statistics import (
    AdjustedMeans,
    Contrasts,
    Estimate,
    Family,
    Trainings,
    additive,
    adjusted_means,
    compared,
    trainings,
)
from nas_attn.verdict.matched import Matched, matched

from .answer import Answer, Answers, OverWidth
from .candidate import Candidate
from .foresight import Rule, more_seeds

STUCK = "no width that was trained costs as much, so that more seeds would not tell"
"""Why a network that beats all else has no answer."""


def answered(
    wanted: Sequence[Candidate],
    rows: Sequence[Evaluation],
    baselines: Sequence[Evaluation],
    name: str,
    prices: Sequence[str] = ("flops",),
    seed: int = 0,
) -> Answers:
    """What rows of full training say of these networks, judged by a measure.

    Every network with attention that was trained against the plain backbone, and these against width-matched baselines
    at their prices, share one family of simultaneous intervals: who was chosen for what it did before is not favoured.
    Raises `InputError` where rows come from several steps.
    """
    known, judged = trainings([*rows, *baselines], name), measure(name)
    places = {row.key: number for number, row in enumerate(known.networks)}
    outside = {row.key for row in baselines}
    unattended = [number for number, row in enumerate(known.networks) if row.architecture == NONE]
    plain = next((number for number in unattended if known.networks[number].key not in outside), None)
    if plain is None:
        return Answers(judged, tuple(_untrained(one, rows) for one in wanted), None, math.nan, 0)
    adjusted = adjusted_means(known, judged.sign)
    others = [number for number in range(len(known.networks)) if number not in unattended]
    pairs = [
        (places[one.key], found)
        for one in wanted
        for price in (prices if len(unattended) > 1 else ())
        if one.key in places and (found := matched(known.networks, unattended, price, places[one.key])) is not None
    ]
    compare = _Comparisons(known, adjusted, plain, others, pairs, seed)
    noise = float(np.sqrt(adjusted.variance))
    answers = tuple(
        compare.answer(one, places[one.key], noise) if one.key in places else _untrained(one, rows) for one in wanted
    )
    mean = judged.sign * float(adjusted.means[plain])
    return Answers(judged, answers, known.networks[plain], noise, len(others) + len(pairs), mean)


def _untrained(one: Candidate, rows: Sequence[Evaluation]) -> Answer:
    """The answer where there is no result; what was found before or in training says why."""
    row = next((row for row in rows if row.key == one.key), None)
    if row is None or row.state in ("priced", "complete"):
        return Answer(one, "not known yet", row=row)
    what = "costs more than the study's budget" if row.state == "over_budget" else "cannot be trained"
    return Answer(one, "not known yet", row=row, reason=f"{what}: {row.reason}")


class _Comparisons:
    """All differences of a question, with simultaneous intervals."""

    def __init__(
        self,
        known: Trainings,
        adjusted: AdjustedMeans,
        plain: int,
        others: Sequence[int],
        pairs: Sequence[tuple[int, Matched]],
        seed: int,
    ) -> None:
        self.known, self.adjusted, self.others, self.pairs = known, adjusted, list(others), list(pairs)
        self.rows = [{number: 1.0, plain: -1.0} for number in others]
        self.rows += [{number: 1.0, **{place: -share for place, share in one.shares.items()}} for number, one in pairs]
        networks = len(known.networks)
        nothing = additive([{}] * networks, [False] * networks, adjusted)
        self.compared = compared(adjusted, nothing, Family.single(Contrasts.few(self.rows, networks)), seed)

    def answer(self, candidate: Candidate, number: int, noise: float) -> Answer:
        """What is known of a network that was trained."""
        chosen = [self.others.index(number)]
        chosen += [len(self.others) + place for place, (who, _) in enumerate(self.pairs) if who == number]
        gain, *over = map(self._estimate, chosen)
        widths = tuple(
            OverWidth(found.price, tuple(found.names(self.known.networks)), found.cheaper, each)
            for each, found in zip(over, (found for who, found in self.pairs if who == number), strict=True)
        )
        rule = Rule(noise, tuple(one.cheaper for one in widths))
        seeds = int(self.known.counts[number])
        low, high = self.compared.low[chosen], self.compared.high[chosen]
        finding = rule.finding(low, high) if np.isfinite(low).all() else "not known yet"
        answer = Answer(candidate, finding, gain, widths, seeds, self.known.networks[number])
        if finding != "not known yet":
            return answer
        if np.isfinite(low).all() and rule.stuck(low, high):
            return replace(answer, reason=STUCK)
        weights = np.zeros((len(chosen), len(self.known.networks)))
        for line, place in enumerate(chosen):
            weights[line, [*self.rows[place]]] = [*self.rows[place].values()]
        covariance = self.adjusted.covariance(weights) * self.adjusted.variance
        return replace(answer, more=more_seeds(rule, self.compared.values[chosen], high, covariance, seeds))

    def _estimate(self, place: int) -> Estimate:
        found = self.compared
        return Estimate(float(found.values[place]), float(found.low[place]), float(found.high[place]))
