"""Which networks are on the front, and how sure that is: one answer for the front, the page and the verdict."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nas_attn.results import Evaluation, Front
from nas_attn.settings import FINAL
from nas_attn.statistics import Estimate, Membership, Trainings, estimate, membership, posterior, trainings
from nas_attn.study import StudyFolder

from . import words

_LISTED = 20
"""How many networks are listed at most that are not on the front of the means."""


@dataclass(frozen=True, eq=False, slots=True)
class Standings:
    """Networks that are on the front, and those of which it is undecided, by the trainings of one step."""

    membership: Membership
    trainings: Trainings
    """Those of the networks and of width-matched baselines, from all of which noise is known."""
    objectives: tuple[str, ...]
    baselines: Mapping[str, Estimate] = field(default_factory=dict)
    """What is known of the leading measure of each width-matched baseline, by its key, as of the networks."""

    @classmethod
    def of(
        cls, rows: Iterable[Evaluation], baselines: Iterable[Evaluation], objectives: Sequence[str]
    ) -> "Standings | None":
        """From rows seed by seed; None where no two networks share two seeds, so that noise is not known.

        Raises `InputError` as `membership` does.
        """
        inside, outside = list(rows), list(baselines)
        found = membership(inside, objectives)
        if not len(found.probability) or not np.isfinite(found.probability).all():
            return None
        name = found.measure.name
        known = trainings([*inside, *outside], name)
        return cls(found, known, tuple(objectives), _estimates(inside, outside, name))

    def place(self, key: str) -> str:
        """Whether a network is on the front, with the probability that it is; empty where it is not compared."""
        keys = self.membership.posterior.keys
        if key not in keys:
            return ""
        number = keys.index(key)
        return words.place(self.membership.standing(number), float(self.membership.probability[number]))

    def rows(self, front: Front) -> pd.DataFrame:
        """The front of the means, then the other networks that may be on it, the likeliest first."""
        found, listed = self.membership, set(map(str, front.best.index))
        others = [
            key
            for number in np.argsort(-found.probability, kind="stable").tolist()
            if found.standing(number) != "out" and (key := found.posterior.keys[number]) not in listed
        ]
        order = [*map(str, front.best.index), *others[:_LISTED]]
        rows = front.rows.loc[[key for key in order if key in front.rows.index]]
        return rows.assign(front=[self.place(str(key)) for key in rows.index])

    @property
    def counted(self) -> str:
        """How many networks stand where."""
        found = Counter(self.membership.standing(number) for number in range(len(self.membership.networks)))
        sure = f"{found['in']} on the front with probability at least 0.95"
        return f"{found.total():,} networks were trained: {sure}, {found['undecided']} undecided, {found['out']} out."

    @property
    def sentence(self) -> str:
        """Which are on the front."""
        return words.fronts(self.membership, self.objectives)

    @property
    def noise(self) -> str:
        """How noisy trainings are, as the verdict says it."""
        return words.noise(self.membership.measure, self.trainings)


def _estimates(inside: Sequence[Evaluation], outside: Sequence[Evaluation], name: str) -> dict[str, Estimate]:
    """Of what is outside, judged together with what is inside, with which it shares seeds."""
    keys = {row.key for row in outside if row.state == "complete"}
    if not keys:
        return {}
    known = posterior([*inside, *outside], name)
    means = np.concatenate([known.draws.mean(axis=0, keepdims=True), known.draws])
    return {key: estimate(means[:, number]) for number, key in enumerate(known.keys) if key in keys}


def standings(folder: StudyFolder) -> Standings | None:
    """Those of the networks whose front a study shows."""
    step = folder.step
    rows = folder.full_rows() if step == FINAL else folder.seed_rows(step)
    return Standings.of(rows, folder.width_matched() if step == FINAL else [], folder.file.objectives)
