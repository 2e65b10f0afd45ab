"""What a study concludes: whether attention pays, which one, how sure that is, and what more minutes would settle."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from nas_attn.results import Evaluation, Slots
from nas_attn.statistics import Belief, Membership, Metric, Settling, leading, membership, settling

from . import words as words
from .comparison import Comparison, beating, comparison
from .matched import PRICES
from .picture import conclusion_chart
from .table import conclusion_table, told_conclusion

Finding = Literal["pays", "pays no more than width", "pays nothing", "not known yet"]
"""Whether attention pays: `pays nothing` is a finding, `not known yet` is none."""

SURE = 0.95
"""The probability from which it is said that nothing pays."""


@dataclass(frozen=True, eq=False, slots=True)
class Conclusion:
    """What is concluded from the rows of full training."""

    metric: Metric
    """What networks are judged by."""
    finding: Finding
    comparison: Comparison
    membership: Membership
    nothing: float
    """The probability that no network beats the bare one by as much as one seed differs from the next."""
    other: int | None
    """How many networks surely beat the bare one by the other one of accuracy and loss; None where rows lack it."""
    settling: Settling
    """What further minutes would settle."""
    objectives: tuple[str, ...]

    @property
    def pays(self) -> bool:
        """Whether a network surely beats the bare one, and its rivals at the same price where there are any."""
        return self.finding == "pays"

    @property
    def leader(self) -> str | None:
        """The key of the most promising network with attention; None where none is likely to gain anything."""
        number = self.comparison.leader
        return None if number is None else self.comparison.trainings.networks[number].key

    @property
    def winner(self) -> str | None:
        """The leader's key, where it surely beats the bare network."""
        return self.leader if self.comparison.leader in self.comparison.beating else None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The finding first, then what it rests on, in words and numbers."""
        told, metric = self.comparison, self.metric
        if words.reason(told):
            return (self._finding(), *self._tail())
        rivals = [words.rival(metric, held) for held in told.against] if self.winner else []
        carried = (*words.carriers(metric, told), *(words.without(metric, told) if self.winner else ()))
        wider = words.widths(metric, told)
        return (self._finding(), *rivals, *wider, *self._disagreement(), *carried, *self._tail())

    @property
    def table(self) -> pd.DataFrame:
        """A row a network, indexed by its key: what is known of it, of its gain and of the front.

        The network's accuracy or loss with the 95 % interval of what is believed; its gain over the bare
        network, more is better, with the simultaneous interval; the most likely gain; the probability that it belongs
        to the front. Rivals come last and have no place on the front.
        """
        return conclusion_table(self.metric, self.comparison, self.membership)

    @property
    def told(self) -> pd.DataFrame:
        """The table as texts for readers, the most likely gain first."""
        return told_conclusion(self.metric, self.comparison, self.membership)

    @property
    def drawn(self) -> bool:
        """Whether there is a difference to draw."""
        return any(math.isfinite(held.gain.low) for held in self.comparison.networks)

    def picture(self) -> alt.ConcatChart:
        """Gains over the bare network with their simultaneous intervals, and what each kind adds in each slot.

        Raises `InputError` where there is no difference to draw.
        """
        return conclusion_chart(self.metric, self.comparison, self.membership, self.sentences[0])

    def _finding(self) -> str:
        told, metric = self.comparison, self.metric
        match self.finding:
            case "pays":
                return f"Attention pays here: {words.gained(metric, told)}"
            case "pays no more than width":
                return f"Attention pays here no more than width does: {words.gained(metric, told)}"
            case "pays nothing":
                return f"No attention pays here: {words.nothing_pays(metric, told, self.nothing)}"
        unknown = "Whether attention pays here is not known yet"
        if unsaid := words.reason(told):
            return f"{unknown}: {unsaid}."
        if self.winner:
            return f"{unknown}, as a plain network at its price is not surely beaten: {words.gained(metric, told)}"
        return f"{unknown}: {words.not_known(metric, told)}"

    def _disagreement(self) -> list[str]:
        if self.other is None or bool(self.other) == bool(self.comparison.beating):
            return []
        name = "loss" if self.metric == "accuracy" else "accuracy"
        if self.other:
            return [f"By {name}, {self.other} networks surely beat the bare one: the measures disagree."]
        return [f"By {name}, no network surely beats the bare one: the measures disagree."]

    def _tail(self) -> list[str]:
        told = [words.fronts(self.membership, self.objectives)] if len(self.membership.networks) else []
        told += [words.noise(self.metric, self.comparison)] if self.comparison.freedom > 0 else []
        return [*told, *words.ahead(self.comparison, self.settling)]


def conclude(
    rows: Iterable[Evaluation],
    rivals: Iterable[Evaluation],
    objectives: Sequence[str],
    *,
    minutes: float | None = None,
    slots: Slots | None = None,
    seed: int = 0,
) -> Conclusion:
    """What rows of full training say of networks of a space, and of plain networks of other widths, their rivals.

    The bare network, spelt `none`, has to be among the rows for anything to pay. Without `slots`, those of the space,
    a slot is what a site's name begins with: its stage. With `minutes` of training time it is said what they would
    settle; without, what doubling the seeds would. Raises `InputError` as `membership` and `comparison` do.
    """
    inside, outside, metric = list(rows), list(rivals), leading(objectives)
    prices = [name for name in PRICES if name in objectives] or ["flops"]
    member = membership(inside, objectives, seed)
    on_front = dict(zip(member.belief.keys, member.probability.tolist(), strict=True))
    compared = comparison(inside, outside, metric, prices, slots, seed, on_front)
    nothing, ahead = nothing_gained(compared, member.belief, metric), settling(member, objectives, minutes, seed)
    measured = all(math.isfinite(row.accuracy) and math.isfinite(row.loss) for row in inside if row.state == "complete")
    second: Metric = "loss" if metric == "accuracy" else "accuracy"
    other = len(beating(inside, second, slots, seed)) if measured else None
    return Conclusion(metric, found(compared, nothing), compared, member, nothing, other, ahead, tuple(objectives))


def found(compared: Comparison, nothing: float) -> Finding:
    """What differences amount to, and the probability that none is worth a standard deviation of the noise."""
    if compared.leader in compared.beating:
        if all(held.sure for held in compared.against):
            return "pays"
        open_yet = all(held.gain.gain.high > compared.noise for held in compared.against)
        return "not known yet" if open_yet else "pays no more than width"
    small = all(held.gain.high < compared.noise for held in compared.effects)
    return "pays nothing" if nothing >= SURE and small else "not known yet"


def nothing_gained(compared: Comparison, belief: Belief, metric: Metric) -> float:
    """The probability that no network beats the bare one by a standard deviation of the noise; NaN if not known."""
    bare = None if compared.bare is None else compared.trainings.networks[compared.bare].key
    if bare not in belief.keys or len(belief.keys) < 2 or np.isnan(belief.noise):
        return math.nan
    gains = (belief.draws - belief.draws[:, [belief.keys.index(bare)]]) * (1.0 if metric == "accuracy" else -1.0)
    return float((gains.max(axis=1) < belief.noise).mean())
