"""What a study concludes: whether attention pays, which one, how sure that is, and what more minutes would settle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from .comparison import Comparison, comparison
from .membership import Membership, leading, membership
from .placements import Slots
from .rival import PRICES
from .rows import Evaluation
from .truth import Metric

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

    @property
    def pays(self) -> bool:
        """Whether a network surely beats the bare one, and its rivals at the same price where there are any."""
        return self.finding == "pays"

    @property
    def leader(self) -> str | None:
        """The key of the most promising network with attention; None where there is none."""
        number = self.comparison.leader
        return None if number is None else self.comparison.trainings.networks[number].key

    @property
    def winner(self) -> str | None:
        """The leader's key, where it surely beats the bare network."""
        return self.leader if self.comparison.leader in self.comparison.beating else None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The finding first, then what it rests on, in words and numbers."""
        return (self.finding,)

    @property
    def table(self) -> pd.DataFrame:
        """A row a network, indexed by its key."""
        return pd.DataFrame()


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
    compared = comparison(inside, outside, metric, prices, slots, seed)
    member = membership(inside, objectives, seed)
    nothing = _nothing(compared, member)
    return Conclusion(metric, _finding(compared, nothing), compared, member, nothing)


def _finding(compared: Comparison, nothing: float) -> Finding:
    if compared.leader in compared.beating:
        if all(held.sure for held in compared.against):
            return "pays"
        worth_it = [held.gain.gain.high > compared.noise for held in compared.against]
        return "not known yet" if all(worth_it) else "pays no more than width"
    return "pays nothing" if nothing >= SURE else "not known yet"


def _nothing(compared: Comparison, member: Membership) -> float:
    """The probability that no network beats the bare one by a standard deviation of the noise."""
    keys = member.belief.keys
    bare = None if compared.bare is None else compared.trainings.networks[compared.bare].key
    if bare not in keys or len(keys) < 2:
        return float("nan")
    gains = member.belief.draws - member.belief.draws[:, [keys.index(bare)]]
    gains *= 1.0 if member.metric == "accuracy" else -1.0
    return float((gains.max(axis=1) < member.belief.noise).mean())
