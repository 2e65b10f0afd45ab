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
    free: int = 0
    """How many proposals in a row needed no training."""
    _waiting: deque[Architecture] = field(init=False)
    """What comes before the sampler proposes."""

    def __post_init__(self) -> None:
        file, trials = self.problem.file, self.study.get_trials(deepcopy=False)
        seed = file.seed + len(trials)  # a resumed search must not repeat itself
        self.study.sampler = SAMPLERS[file.search.sampler if self.given is None else "random"](self.problem, seed)
        self._rng = random.Random(seed)
        first = self._incomplete() if self.given is None else dict.fromkeys(self.given)
        self._waiting = deque(a for a in first if self.known.missing(a.key))

    def prepare(self, training: Collection[str]) -> bool:
        """Whether another trial is to begin, beside the networks in training; its network may be set beforehand."""
        if self.given is None and len(self.known.trained) + len(training) >= self.wanted:
            return False
        if self._waiting:
            self._enqueue(self._waiting.popleft())
        elif self.given is not None or len(self.known.complete) + len(training) >= self.space.size:
            return False
        elif self.free >= _PATIENCE:
            unseen = self._unseen(training) if self.free < _DESPAIR else None
            if unseen is None:
                return False
            self._enqueue(unseen)
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

    def _enqueue(self, architecture: Architecture) -> None:
        self.study.enqueue_trial(self.space.answers(architecture))

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
