"""Joint of chain and study: from step to step the best go on, and jobs that are left over begin with them early."""

from collections.abc import Collection
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise

from nas_attn.results import Evaluation
from nas_attn.search import Search, lead, promoted
from nas_attn.settings import Step
from nas_attn.space import Architecture

from .steps import Chain, Chosen


def run_chain(chain: Chain, trials: int | None = None) -> str:
    """Take every step of a chain, and say in a sentence why the last one stopped.

    `trials` stands for the number of networks of the first step. With several jobs, those that a step has no more use
    for while its last trainings run begin with what has done best so far in the next step. What is begun early and
    turns out not to be among the best is kept, beyond the number of networks of that step. Raises as `Search.run` does.
    """
    first, *_ = steps = chain.folder.file.steps
    later = [_Later(chain, before, step) for before, step in pairwise(steps)]
    said = chain.look(first.model_copy(update={"networks": trials or first.networks}), None, _early(later[:1]))
    for number, step in enumerate(later):
        said = step.run(_early(later[number + 1 : number + 2]))
    return said


@dataclass
class _Later:
    """A step that looks at what was best in the step before."""

    chain: Chain
    before: Step
    step: Step
    _search: Search | None = field(init=False, default=None)
    """What has begun early."""
    _opened: ExitStack = field(init=False, default_factory=ExitStack)

    def run(self, following: "_Later | None") -> str:
        """Take the step, and say why it stopped."""
        if self._search is None:
            return self.chain.look(self.step, self._chosen(), following)
        with self._opened:
            self._search.offer(self._promoted)
            return self._search.run(following=following)

    @property
    def may_begin_early(self) -> bool:
        """Whether it takes networks one by one from a step that trains them one by one."""
        trained = "supernet" not in (self.before.proxy, self.step.proxy)
        return self.chain.jobs > 1 and trained and self.step.chosen_by == "promotion"

    def fill(self, jobs: int) -> Collection[Future[Evaluation]]:
        """Begin with the best so far, as long as fewer than so many trainings run; all that run."""
        if self._search is None:
            if not jobs:
                return ()
            self._search = self._opened.enter_context(self.chain.search(self.step, ()))
            self._search.begin()
        looked_at = self._search.looked_at
        fresh = [architecture for architecture in self._promoted if architecture.key not in looked_at]
        self._search.offer(fresh[: max(0, self._networks - len(looked_at))])
        return self._search.fill(jobs, racing=False)

    def collect(self, done: Collection[Future[Evaluation]]) -> None:
        """Write down what these have found, as far as they are of this step."""
        if self._search is not None:
            self._search.collect(done)

    def abandon(self) -> None:
        """Write down what is finished, and tell the trials of all else that they have failed."""
        if self._search is not None:
            self._search.abandon()
            self._opened.close()

    @property
    def _networks(self) -> int:
        return self.step.networks or 1

    @property
    def _promoted(self) -> list[Architecture]:
        rows = self.chain.folder.seed_rows(self.before.name)
        return promoted(rows, self.chain.folder.file, self._networks, self.before.score)

    def _chosen(self) -> Chosen:
        if self.step.chosen_by == "promotion":
            return self._promoted
        rows = self.chain.folder.seed_rows(self.before.name)
        return lead(rows, self.chain.folder.file, self._networks, self.before.score)


def _early(steps: list[_Later]) -> _Later | None:
    return next((step for step in steps if step.may_begin_early), None)
