"""Answers from rows: every network of a question against the plain backbone and against other widths, in one family."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nas_attn.results import Evaluation, Outcomes
from nas_attn.settings import measure
from nas_attn.space import NONE
from nas_attn.statistics import (
    AdjustedMeans,
    Contrasts,
    Family,
    ImageRecords,
    Trainings,
    additive,
    adjusted_means,
    compared,
    image_records,
    image_variance,
    trainings,
)
from nas_attn.verdict.difference import differences
from nas_attn.verdict.matched import Matched, matched
from nas_attn.verdict.widened import for_other_images

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
    outcomes: Mapping[tuple[str, int], Outcomes] | None = None,
    seed: int = 0,
    folds: int = 1,
) -> Answers:
    """What rows of full training say of these networks, judged by a measure.

    Every network with attention that was trained against the plain backbone, and these against width-matched baselines
    at their prices, share one family of simultaneous intervals: who was chosen for what it did before is not favoured.
    With outcomes, by key and seed, intervals hold for other validation images too; they are of so many folds.

    Raises `InputError` where rows come from several steps.
    """
    known, judged = trainings([*rows, *baselines], name), measure(name)
    places = {row.key: number for number, row in enumerate(known.networks)}
    unattended = [number for number, row in enumerate(known.networks) if row.architecture == NONE]
    inside = {row.key for row in rows}
    plain = next((number for number in unattended if known.networks[number].key in inside), None)
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
    records = image_records([*places], outcomes or {}, name, folds)
    compare = _Comparisons(known, adjusted, plain, others, pairs, records, seed)
    answers = tuple(
        compare.answer(one, places[one.key]) if one.key in places else _untrained(one, rows) for one in wanted
    )
    mean = judged.sign * float(adjusted.means[plain])
    return Answers(judged, answers, known.networks[plain], *compare.known_of_all, mean, share=compare.share)


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
        records: ImageRecords | None,
        seed: int,
    ) -> None:
        self.known, self.adjusted, self.others, self.pairs = known, adjusted, list(others), list(pairs)
        self.rows = [{number: 1.0, plain: -1.0} for number in others]
        self.rows += [{number: 1.0, **{place: -share for place, share in one.shares.items()}} for number, one in pairs]
        networks = len(known.networks)
        nothing = additive([{}] * networks, [False] * networks, adjusted)
        contrasts = Contrasts.few(self.rows, networks)
        names = [known.networks[number].key for number in (*others, *(number for number, _ in pairs))]
        self.seeds = differences(names, compared(adjusted, nothing, Family.single(contrasts), seed))
        self.both = self.seeds
        self.images, self.known_images, self.share = 0, set[int](), 1.0 if records is None else records.share
        if records is not None and self.seeds:
            self.both = for_other_images(self.seeds, image_variance(records, contrasts @ np.eye(networks), seed=seed))
            self.known_images = set(map(int, records.who))
            self.images = records.images if {place for row in self.rows for place in row} <= self.known_images else 0
        self.plain, self.noise = plain, float(np.sqrt(adjusted.variance))

    @property
    def known_of_all(self) -> tuple[float, int, int]:
        """Seed noise, how many differences there are, and how many images are known."""
        return self.noise, len(self.rows), self.images

    def answer(self, candidate: Candidate, number: int) -> Answer:
        """What is known of a network that was trained."""
        chosen = [self.others.index(number)]
        chosen += [len(self.others) + place for place, (who, _) in enumerate(self.pairs) if who == number]
        gain, *over = (self.both[place] for place in chosen)
        widths = tuple(
            OverWidth(found.price, tuple(found.names(self.known.networks)), found.cheaper, each.gain)
            for each, found in zip(over, (found for who, found in self.pairs if who == number), strict=True)
        )
        rule = Rule(self.noise, tuple(one.cheaper for one in widths))
        seeds = int(self.known.counts[number])
        low, high = (np.array([getattr(self.both[place].gain, end) for place in chosen]) for end in ("low", "high"))
        known = bool(np.isfinite(low).all())
        finding = rule.finding(low, high) if known else "not known yet"
        images = gain.images if {number, self.plain} <= self.known_images else math.nan
        answer = Answer(candidate, finding, gain.gain, widths, seeds, self.known.networks[number], images=images)
        if finding != "not known yet":
            return answer
        if known and rule.stuck(low, high):
            return replace(answer, reason=STUCK)
        weights = np.zeros((len(chosen), len(self.known.networks)))
        for line, place in enumerate(chosen):
            weights[line, [*self.rows[place]]] = [*self.rows[place].values()]
        covariance = self.adjusted.covariance(weights) * self.adjusted.variance
        each = [(one.gain.value, one.seeds, one.images) for one in (self.both[place] for place in chosen)]
        values, reach, images = np.array(each).T
        more = more_seeds(rule, values, reach, images, covariance, seeds, share=self.share)
        return replace(answer, more=more)
