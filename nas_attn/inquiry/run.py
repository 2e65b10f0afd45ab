"""A question answered: trainings in turns, with paired seeds, until all is known or the time is over."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from nas_attn.chain import Chain
from nas_attn.results import Evaluation
from nas_attn.space import Architecture, InputError
from nas_attn.study import StudyFolder
from nas_attn.verdict.widths import prices

from .answer import Answers
from .beside import Beside
from .candidate import Candidate, candidates
from .comparing import answered
from .reply import Reply
from .spelling import Wish

OnRound = Callable[[Answers, Sequence[str]], None]
"""Called with what is known, and with the keys of the networks that are trained next."""

_PLAIN = Architecture()


@dataclass(frozen=True, slots=True)
class _Training:
    """One network that is to have so many seeds, one more than it has."""

    key: str
    seeds: int
    architecture: Architecture | None
    """None for a width-matched baseline."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known at a time."""

    answers: Answers
    plan: Sequence[_Training]
    """The trainings of the next round; none where nothing is left to be told."""
    seconds: Mapping[str, float]
    """What a training of each network took."""


@dataclass(frozen=True)
class Inquiry:
    """Networks of a study that are compared with its plain backbone, and with that at other widths."""

    chain: Chain
    wanted: Sequence[Candidate]
    minutes: float
    """The time that trainings may take, from now on."""
    on_round: OnRound = lambda _answers, _keys: None
    _began: float = field(default_factory=time.monotonic, init=False)

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
            for some in _together(known.plan, self.chain.jobs):
                if self._late(max(known.seconds.get(one.key, 0.0) for one in some)):
                    return self._known(beside).answers
                self._train(some, beside)

    def _late(self, seconds: float) -> bool:
        """Whether what takes so long would end too late."""
        return time.monotonic() - self._began + seconds > 60 * self.minutes

    def _train(self, some: Sequence[_Training], beside: Beside) -> None:
        attended = [one.architecture for one in some if one.architecture is not None]
        if attended:
            self.chain.run_step(self.chain.folder.file.final_step(len(attended), some[0].seeds), attended)
        else:
            beside.train(some[0].key, some[0].seeds)

    def _known(self, beside: Beside) -> _Known:
        folder = self.chain.folder
        rows, baselines = folder.full_rows(), folder.width_matched()
        found = answered(self.wanted, rows, baselines, folder.file.leading.name, prices(folder.file))
        seeds: dict[str, set[int]] = {}
        spent: dict[str, list[float]] = {}
        for row in (*rows, *baselines):
            seeds.setdefault(row.key, set()).add(row.seed)
            spent.setdefault(row.key, []).append(row.train_seconds)
        had = {key: _in_turn(some, folder.file.seed) for key, some in seeds.items()}
        seconds = {key: float(np.nanmean([0.0, *some])) for key, some in spent.items()}
        plan = _plan(found, had, beside)
        answers = tuple(replace(one, minutes=one.more * _round(found, seconds, beside)) for one in found.answers)
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
        data=str(getattr(folder.file.data, "path", "") or folder.file.data.kind),
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


def _plan(found: Answers, had: Mapping[str, int], beside: Beside) -> list[_Training]:
    """One seed more of the plain backbone and of what is open, whichever have the fewest, and of their baselines."""
    open_yet = [one for one in found.answers if one.open]
    if not open_yet:
        return []
    networks = {_PLAIN.key: _PLAIN, **{one.candidate.key: one.candidate.architecture for one in open_yet}}
    goal = 1 + min(had.get(key, 0) for key in networks)
    hopes = [one.candidate.key for one in open_yet if not one.gain.value <= 0]
    goals = {key: beside.seeds(key, hopes, goal) for key in beside.widths}
    wanted = {**dict.fromkeys(networks, goal), **goals}
    return [
        _Training(key, number, networks.get(key))
        for key, most in wanted.items()
        for number in range(had.get(key, 0) + 1, most + 1)
    ]


def _round(found: Answers, seconds: Mapping[str, float], beside: Beside) -> float:
    """Minutes that a seed of all takes that are open, with their baselines."""
    keys = [one.candidate.key for one in found.answers if one.open]
    shares = {key: beside.seeds(key, keys, 100) / 100 for key in beside.widths}
    spent = {**dict.fromkeys([_PLAIN.key, *keys], 1.0), **shares}
    return sum(share * seconds.get(key, 0.0) for key, share in spent.items()) / 60


def _in_turn(seeds: set[int], first: int) -> int:
    """How many seeds there are, one after the other from the first."""
    return next(number for number in range(len(seeds) + 1) if first + number not in seeds)


def _together(plan: Sequence[_Training], jobs: int) -> Iterator[Sequence[_Training]]:
    """The trainings of a plan, as many at a time as may be: networks of the space with equal seeds, or one baseline."""
    for (seeds, attended), some in groupby(plan, key=lambda one: (one.seeds, one.architecture is not None)):
        group = list(some)
        size = jobs if attended else 1
        yield from (group[number : number + size] for number in range(0, len(group), size))
