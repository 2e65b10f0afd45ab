"""Next network of a search: what is given or incomplete, then what the sampler proposes, at last what is unseen."""

import random
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import optuna

from nas_attn.space import Architecture, SearchSpace, parse
from nas_attn.study import ARCHITECTURE

from .progress import Known
from .samplers import SAMPLERS, Problem

_PATIENCE = 50  # proposals in a row that need no training, before an unseen architecture is drawn instead
_DESPAIR = 1000  # such proposals in a row, before the search gives up
_APART = 1_000_003  # between the sampler's seeds of two processes
_LISTED = 20_000  # the largest space that is listed to find what is unseen


@dataclass
class Proposals:
    """Source of trials of a study, until enough networks are trained."""

    study: optuna.Study
    problem: Problem
    known: Known
    wanted: int
    """How many networks shall be trained."""
    given: Sequence[Architecture] | None
    """What shall be trained instead, however many."""
    rank: int = 0
    """How many earlier processes propose too."""
    free: int = 0
    """How many proposals in a row needed no training."""
    next: Architecture | None = field(init=False, default=None)
    """What the next trial is of; nothing where the sampler proposes."""
    _waiting: deque[Architecture] = field(init=False)
    """What comes before the sampler proposes."""

    def __post_init__(self) -> None:
        file, trials = self.problem.file, self.study.get_trials(deepcopy=False)
        seed = file.seed + len(trials) + _APART * self.rank  # neither a resumed search nor another may be repeated
        self.study.sampler = SAMPLERS[file.search.sampler if self.given is None else "random"](self.problem, seed)
        self._rng = random.Random(seed)
        self.renew()

    def renew(self) -> None:
        """See again what comes before the sampler proposes: another process may have ended before it was trained."""
        first = self._incomplete() if self.given is None else dict.fromkeys(self.given)
        self._waiting = deque(a for a in first if self.known.missing(a.key))

    def prepare(self, training: Collection[str], begun: Collection[str] = ()) -> bool:
        """Whether another trial is to begin, beside the networks in training and those that are `begun` for some seeds.

        Its network may be set beforehand, as `next`.
        """
        self.next = None
        done = {*self.known.trained, *training}
        enough = self.given is None and len(done | {*begun}) >= self.wanted
        if self.given is None and len(done) >= self.wanted:
            return False
        while self._waiting and self.next is None:
            first = self._waiting.popleft()
            self.next = first if first.key not in training and (not enough or first.key in begun) else None
        if self.next is not None:
            return True
        if self.given is not None or enough or len({*self.known.complete, *training}) >= self.space.size:
            return False
        if self.free >= _PATIENCE:
            self.next = self._unseen(training) if self.free < _DESPAIR else None
            return self.next is not None
        return True

    def role(self, architecture: Architecture) -> Literal["baseline", "search"]:
        """Whether a network is one that every search is compared with."""
        return "baseline" if architecture in self.space.baselines() else "search"

    def reason(self) -> str:
        """A sentence on why no further trial begins."""
        if self.given is not None:
            keys = {architecture.key for architecture in self.given}
            done = len(keys & {*self.known.trained})
            others = "" if done == len(keys) else "; the others are over budget"
            return f"{done} of {len(keys)} networks are trained{others}"
        done = len(self.known.trained)
        if done == self.wanted:
            return f"{done} of {done} networks are trained"
        if done > self.wanted:
            return f"{done} networks are trained already"
        if len(self.known.complete) >= self.space.size:
            return f"the space is exhausted: all {self.space.size} networks are trained or over budget"
        return f"no network was found that is neither trained nor over budget, in {self.free} proposals"

    @property
    def space(self) -> SearchSpace:
        """What may be proposed."""
        return self.problem.space

    def _incomplete(self) -> dict[Architecture, None]:
        """Baselines, what lacks some seeds, and what was proposed and has no row."""
        rows = self.known.rows
        begun = (parse(next(iter(rows[key].values())).architecture) for key in rows if self.known.begun(key))
        proposed = (trial.user_attrs.get(ARCHITECTURE) for trial in self.study.get_trials(deepcopy=False))
        stopped = filter(lambda one: one.key not in rows, map(parse, filter(None, proposed)))
        return dict.fromkeys((*self.space.baselines(), *begun, *stopped))

    def _unseen(self, training: Collection[str]) -> Architecture | None:
        if self.space.size <= _LISTED:
            drawn = [*self.space.architectures()]
            self._rng.shuffle(drawn)
        else:
            drawn = [self.space.sample(self._rng) for _ in range(_DESPAIR)]
        return next((a for a in drawn if a.key not in training and self.known.missing(a.key)), None)
