"""Conclusion of a study: whether attention pays, which one, how sure that is, and what more minutes would decide."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from nas_attn.results import Evaluation, Kept, Slots
from nas_attn.settings import Claim, leading, learnt
from nas_attn.statistics import SURE, Lookahead, Membership, Posterior, costs_among, lookahead, membership

from . import words
from .changed_images import ChangedImages, changed_images
from .claim_words import claim_sentences
from .claims import ClaimResult, claim_results
from .comparison import Comparison, beating, comparison
from .other_images import images_said
from .picture import conclusion_chart
from .table import conclusion_table, readable_conclusion

Finding = Literal["pays", "pays no more than width", "pays nothing", "not known yet"]
"""Whether attention pays: `pays nothing` is a finding, `not known yet` is none."""


@dataclass(frozen=True, eq=False, slots=True)
class Conclusion:
    """Conclusion from the rows of full training."""

    finding: Finding
    comparison: Comparison
    membership: Membership
    nothing: float
    """The probability that no network beats the plain backbone by as much as one seed differs from the next."""
    others: tuple[tuple[str, int], ...]
    """How many networks surely beat the plain backbone by each other learnt measure that rows have."""
    lookahead: Lookahead
    objectives: tuple[str, ...]
    kept: Kept | None = None
    """What each validation image got in these trainings; None where that is not to be said."""
    claims: tuple[ClaimResult, ...] = ()
    """What is printed somewhere, compared with what was measured."""

    @property
    def pays(self) -> bool:
        """Whether a network surely beats the plain backbone, and width-matched baselines where there are any."""
        return self.finding == "pays"

    @property
    def leader(self) -> str | None:
        """The key of the most promising network with attention; None where none is likely to gain anything."""
        number = self.comparison.leader
        return None if number is None else self.comparison.trainings.networks[number].key

    @property
    def winner(self) -> str | None:
        """The leader's key, where it surely beats the plain backbone."""
        return self.leader if self.comparison.leader in self.comparison.beating else None

    @property
    def changed(self) -> ChangedImages | None:
        """Which images gain and lose by the most promising network, or the one that loses least; None if unknown."""
        found = self.comparison
        if self.kept is None or not found.order or found.plain is None:
            return None
        networks, number = found.trainings.networks, found.order[0] if found.leader is None else found.leader
        return changed_images(self.kept.found, networks[found.plain].key, networks[number].key)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The finding first, then what it rests on, in words and numbers."""
        found = self.comparison
        if words.unknown(found):
            return (self._finding(), *self._tail())
        matched = [words.width_matched(found.measure, one) for one in found.matched] if self.winner else []
        carried = (*words.carriers(found), *(words.without(found) if self.winner else ()))
        return (self._finding(), *matched, *words.widths(found), *self._disagreement(), *carried, *self._tail())

    @property
    def table(self) -> pd.DataFrame:
        """A row a network, indexed by its key: its value, its gain, and its probability to be on the front.

        The value of the leading objective with the 95 % interval of its posterior; the gain over the plain backbone,
        more is better, with the simultaneous interval; the most likely gain. Width-matched baselines come last and
        have no place on the front.
        """
        return conclusion_table(self.comparison, self.membership)

    @property
    def readable(self) -> pd.DataFrame:
        """The table as texts for readers, the most likely gain first."""
        return readable_conclusion(self.comparison, self.membership)

    @property
    def drawn(self) -> bool:
        """Whether there is a difference to draw."""
        return any(math.isfinite(one.gain.low) for one in self.comparison.networks)

    def picture(self) -> alt.ConcatChart:
        """Gains over the plain backbone with their simultaneous intervals, and what each kind adds in each slot.

        Raises `InputError` where there is no difference to draw.
        """
        return conclusion_chart(self.comparison, self.membership, self.sentences[0])

    def _finding(self) -> str:
        found = self.comparison
        match self.finding:
            case "pays":
                return f"Attention pays here: {words.gained(found)}"
            case "pays no more than width":
                return f"Attention pays here no more than width does: {words.gained(found)}"
            case "pays nothing":
                return f"No attention pays here: {words.nothing_pays(found, self.nothing)}"
        open_yet = "Whether attention pays here is not known yet"
        if reason := words.unknown(found):
            return f"{open_yet}: {reason}."
        if self.winner:
            return f"{open_yet}, as a width-matched baseline is not surely beaten: {words.gained(found)}"
        return f"{open_yet}: {words.not_known(found)}"

    def _disagreement(self) -> list[str]:
        counted = {0: "no network surely beats", 1: "one network surely beats"}
        return [
            f"By {name}, {counted.get(number, f'{number} networks surely beat')} the plain backbone: "
            "the measures disagree."
            for name, number in self.others
            if bool(number) != bool(self.comparison.beating)
        ]

    def _tail(self) -> list[str]:
        front = [words.fronts(self.membership, self.objectives)] if len(self.membership.networks) else []
        known = (self.comparison.measure, self.comparison.trainings)
        noise = [words.noise(*known), words.pairing(*known)] if self.comparison.freedom > 0 else []
        images = [] if self.kept is None else images_said(self.comparison, self.kept)
        ahead = words.ahead(self.comparison, self.lookahead)
        return [*front, *noise, *images, *ahead, *claim_sentences(self.claims)]


def conclude(
    rows: Iterable[Evaluation],
    baselines: Iterable[Evaluation],
    objectives: Sequence[str],
    *,
    minutes: float | None = None,
    slots: Slots | None = None,
    claims: Sequence[Claim] = (),
    seed: int = 0,
    kept: Kept | None = None,
) -> Conclusion:
    """Conclusion from rows of full training, of networks of a space and of width-matched baselines.

    The plain backbone, spelt `none`, has to be among the rows for anything to pay. Without `slots`, those of the space,
    a slot is what a site's name begins with: its stage. With `minutes` of training time it is said what they would
    decide; without, what doubling the seeds would. With `kept` gains hold for other images too. `claims`, which are
    printed somewhere, are compared with what was measured. Raises `InputError` as `membership` and `comparison` do.
    """
    inside, outside, judged = list(rows), list(baselines), leading(objectives)
    images, folds = (None, 1) if kept is None else (kept.found, kept.folds)
    member = membership(inside, objectives, seed)
    on_front = dict(zip(member.posterior.keys, member.probability.tolist(), strict=True))
    prices = costs_among(objectives) or ["flops"]
    found = comparison(inside, outside, judged.name, prices, slots, seed, on_front, images, folds)
    nothing = nothing_gained(found, member.posterior)
    complete = [row for row in inside if row.state == "complete"]
    others = tuple(
        (one.word, len(beating(inside, one.name, slots, seed, images, folds)))
        for one in learnt()
        if one.name != judged.name and complete and all(math.isfinite(row[one.name]) for row in complete)
    )
    ahead = lookahead(member, objectives, minutes, seed)
    printed = claim_results(found, inside, outside, claims, slots, seed)
    concluded = finding(found, nothing)
    return Conclusion(concluded, found, member, nothing, others, ahead, tuple(objectives), kept, printed)


def finding(found: Comparison, nothing: float) -> Finding:
    """What differences amount to, and the probability that none is as large as a standard deviation of the noise."""
    if found.leader in found.beating:
        if all(one.sure for one in found.matched):
            return "pays"
        open_yet = all(one.difference.gain.high > found.noise for one in found.matched)
        return "not known yet" if open_yet else "pays no more than width"
    small = all(one.gain.high < found.noise for one in found.effects)
    return "pays nothing" if nothing >= SURE and small else "not known yet"


def nothing_gained(found: Comparison, known: Posterior) -> float:
    """The probability that no network beats the plain backbone by a standard deviation of the noise; NaN if unknown."""
    plain = None if found.plain is None else found.trainings.networks[found.plain].key
    if plain not in known.keys or len(known.keys) < 2 or np.isnan(known.noise):
        return math.nan
    gains = (known.draws - known.draws[:, [known.keys.index(plain)]]) * found.measure.sign
    return float((gains.max(axis=1) < known.noise).mean())
