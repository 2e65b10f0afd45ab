"""A question answered: trainings in turns, with paired seeds, until all is known or the time is over."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nas_attn.chain import Chain
from nas_attn.space import InputError
from nas_attn.study import StudyFolder
from nas_attn.verdict.widths import prices

from .answer import Answers
from .beside import Beside
from .candidate import Candidate, candidates
from .comparing import answered
from .reply import Reply
from .spelling import Wish
from .turns import Training, in_turn, planned, round_minutes, together

OnRound = Callable[[Answers, Sequence[str]], None]
"""Called with what is known, and with the keys of the networks that are trained next."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known at a time."""

    answers: Answers
    plan: Sequence[Training]
    """The trainings of the next round; none where nothing is open."""
    seconds: Mapping[str, float]
    """What a training of each network takes."""


@dataclass(frozen=True)
class Inquiry:
    """Networks of a study that are compared with its plain backbone, and with that at other widths."""

    chain: Chain
    wanted: Sequence[Candidate]
    minutes: float
    """The time that trainings may take, from now on."""
    on_round: OnRound = lambda _answers, _keys: None
    _began: float = field(default_factory=time.monotonic, init=False)
    _spent: dict[str, float] = field(default_factory=dict, init=False)
    """Seconds that the last training of each network took with all that belongs to it, by key."""

    def run(self) -> Answers:
        """Train seed by seed what may tell anything, and answer once all is known or the time is over.

        After each round all is compared that was trained, in earlier runs too. What is decided is trained no further,
        and no training is begun that would most likely end too late. Raises as `Chain.run_step` does.
        """
        beside = Beside.of(self.chain, self.wanted)
        while True:
            known = self._known(beside)
            self.on_round(known.answers, [one.key for one in known.plan])
            if not known.plan:
                return known.answers
            for some in together(known.plan, self._many(known)):
                if self._late(max(known.seconds.get(one.key, 0.0) for one in some)):
                    return self._known(beside).answers
                self._train(some, beside)

    def _many(self, known: _Known) -> int:
        """How many trainings are begun in one go: all, where they surely end in time."""
        whole = math.fsum(known.seconds.get(one.key, math.inf) for one in known.plan)
        return self.chain.jobs if self._late(2 * whole) else len(known.plan)

    def _late(self, seconds: float) -> bool:
        """Whether what takes so long would end too late."""
        return time.monotonic() - self._began + seconds > 60 * self.minutes

    def _train(self, some: Sequence[Training], beside: Beside) -> None:
        began = time.monotonic()
        attended = [one.architecture for one in some if one.architecture is not None]
        if attended:
            self.chain.run_step(self.chain.folder.file.final_step(len(attended), some[0].seeds), attended)
        else:
            beside.train(some[0].key, some[0].seeds)
        seconds = (time.monotonic() - began) / -(-len(some) // self.chain.jobs)
        self._spent.update(dict.fromkeys((one.key for one in some), seconds))

    def _known(self, beside: Beside) -> _Known:
        folder = self.chain.folder
        rows, baselines = folder.full_rows(), folder.width_matched()
        file = folder.file
        outcomes = folder.outcomes([*rows, *baselines]).found
        found = answered(self.wanted, rows, baselines, file.leading.name, prices(file), outcomes, folds=file.folds)
        seeds: dict[str, set[int]] = {}
        seconds: dict[str, float] = {}
        for row in (*rows, *baselines):
            seeds.setdefault(row.key, set()).add(row.seed)
            seconds[row.key] = float(np.nanmax([seconds.get(row.key, 0.0), row.train_seconds]))
        seconds |= self._spent
        plan = planned(found, {key: in_turn(some, file.seed) for key, some in seeds.items()}, beside)
        answers = tuple(replace(one, minutes=one.more * round_minutes(found, seconds, beside)) for one in found.answers)
        return _Known(replace(found, answers=answers, matching=beside.reason), plan, seconds)


def run_inquiry(
    chain: Chain,
    spellings: Sequence[str],
    minutes: float,
    on_round: OnRound = lambda _answers, _keys: None,
    completed: Mapping[str, Sequence[Wish]] | None = None,
) -> Reply:
    """The reply to whether what is spelt helps the backbone of a study, in the study's own terms.

    `completed` are wishes that stand for a spelling. Page and plain values are written into the study's folder. Raises
    `InputError` for a spelling that the space does not hold, before anything is trained, and as `Inquiry.run` does.
    """
    if not minutes > 0:
        raise InputError(f"minutes: found {minutes:g}; allowed: more than 0")
    backbone, folder = chain.backbone, chain.folder
    if not spellings:
        raise InputError("found no spelling; allowed: one or more, such as 'stage3.block=cbam'")
    wanted = candidates(spellings, chain.space, backbone.name, completed)
    began, before = time.monotonic(), _trained(folder)
    found = Inquiry(chain, wanted, minutes, on_round).run()
    arguments = ", ".join(f"{name}={value}" for name, value in backbone.arguments)
    reply = Reply(
        network=f"{backbone.name}({arguments})" if arguments else backbone.name,
        data=Path(getattr(folder.file.data, "path", folder.file.data.kind)).name,
        found=found,
        trained=_trained(folder) - before,
        minutes=(time.monotonic() - began) / 60,
        folder=folder.path,
    )
    reply.write()
    return reply


def _trained(folder: StudyFolder) -> int:
    rows = (*folder.full_rows(), *folder.width_matched())
    return sum(row.state in ("complete", "failed") for row in rows)
