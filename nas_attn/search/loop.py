"""The search: Optuna asks, prices are paid before training, and nothing is trained twice."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import optuna
from optuna.trial import TrialState

from nas_attn.pricing import SpacePrices
from nas_attn.results import Evaluation, front, table
from nas_attn.sampler import EVALUATIONS
from nas_attn.settings import Step, StudyFile
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.study import ARCHITECTURE, over_budget, read_objectives, read_rows, write_row

from .extra_seeds import Race, untrained
from .outcome import answer
from .progress import Known
from .promotion import Lead
from .proposals import Proposals
from .samplers import Asked

OnRow = Callable[[Evaluation, int], None]
"""Called with a row and the number of networks trained so far for all their seeds: of each network and seed that was
trained, and of each network that was found to be over budget or to fail before training, or was timed at last because
it stands on the front."""


class Evaluator(Protocol):
    """Finds out about an architecture, the cheapest knowledge first."""

    @property
    def jobs(self) -> int:
        """How many trainings it takes on at once."""

    def prices(self, space: SearchSpace) -> SpacePrices:
        """Parameters, MACs and FLOPs of every architecture, without running anything."""

    def count(self, architecture: Architecture) -> Evaluation:
        """Parameters, MACs and FLOPs, without running anything."""

    def time(self, row: Evaluation) -> Evaluation:
        """The row with its latency, measured or predicted, or with the reason why there is none."""

    def measure(self, row: Evaluation) -> Evaluation:
        """The row with its latency measured, or with the reason why there is none."""

    def train(self, row: Evaluation) -> Future[Evaluation]:
        """The row, some time, with its accuracy and losses for its `seed`, or with the reason why there are none."""


class Following(Protocol):
    """What trains with jobs that a search has no more use for, while its last trainings run."""

    def fill(self, jobs: int) -> Collection[Future[Evaluation]]:
        """Begin trainings, as long as fewer than so many run; all that run."""

    def collect(self, done: Collection[Future[Evaluation]]) -> None:
        """Write down what these have found, as far as they are its own."""

    def abandon(self) -> None:
        """Write down what is finished, and tell the trials of all else that they have failed."""


@dataclass
class _Training:
    """A network that is in training, and all that wait for it."""

    row: Evaluation
    """What is known before training."""
    seeds: deque[int]
    """Those that no training was begun for."""
    trials: list[optuna.Trial]
    """Those that are told what comes out; the first keeps the rows."""


@dataclass
class Search:
    """A search of one step that can stop at any moment and go on later, in this process or another."""

    study: optuna.Study
    space: SearchSpace
    file: StudyFile
    step: Step
    evaluator: Evaluator
    on_row: OnRow
    given: Sequence[Architecture] | None = None
    """What is trained, these and no others; without it, baselines and then what the sampler proposes."""
    lead: Lead | None = None
    """What an earlier step says of the networks that the sampler may propose; without it, it may propose any."""
    check_hold: Callable[[], None] = lambda: None
    """Called before a trial is asked for and before a row is written; raises where the study is not ours any more."""
    _begun: bool = field(init=False, default=False)
    _known: Known = field(init=False)
    _proposals: Proposals = field(init=False)
    _race: Race = field(init=False)
    _trainings: dict[str, _Training] = field(init=False, default_factory=dict)
    """By key."""
    _futures: dict[Future[Evaluation], str] = field(init=False, default_factory=dict)
    """The key of the network that each trains."""

    def __post_init__(self) -> None:
        self._known = Known(self.file.budget, range(self.file.seed, self.file.seed + self.step.seeds))
        self._objectives = read_objectives(self.study)
        self._race = Race(self._known, self._objectives, self.step.extra_trainings)

    def run(self, trials: int | None = None, following: Following | None = None) -> str:
        """Train until this many networks of the step are trained, and say in a sentence why the search stopped.

        Without a number, as many as the step says; what is `given` is trained whole. Each network is trained for every
        seed of the step, up to `evaluator.jobs` at once; then, where the step has more trainings to spend, with further
        seeds, as `Race.next` says. Jobs for which nothing is left are lent to what is `following`. At last, in the
        study's last step, networks on the front whose latency is predicted are measured, until those of the front all
        are.

        Raises `InputError` where even the bare network is over budget. Whatever else is raised, `KeyboardInterrupt`
        among it, what is finished is written down and the running trials are told first.
        """
        self.begin(trials)
        try:
            while running := self.fill(self.evaluator.jobs):
                lent = following.fill(self.evaluator.jobs - len(running)) if following else ()
                done = wait([*running, *lent], return_when=FIRST_COMPLETED).done
                self.collect(done)
                if following:
                    following.collect(done)
        except BaseException:
            self.abandon()
            if following:
                following.abandon()
            raise
        if self.step.name == self.file.steps[-1].name:
            self._measure_front()
        return self._proposals.said() + self._race.said()

    def begin(self, trials: int | None = None) -> None:
        """Read what is known, once; `run` does so by itself."""
        if self._begun:
            return
        self._known.add(read_rows(self.study).values())
        self._mend()
        wanted = self.step.networks if trials is None else trials
        if self.lead and self.lead.scores:
            wanted = min(wanted or 0, len(self.lead.scores))
        asked = Asked(self.space, self.file, partial(self.evaluator.prices, self.space), self.lead)
        self._proposals = Proposals(self.study, asked, self._known, wanted or 0, self.given)
        self._begun = True

    def offer(self, given: Sequence[Architecture]) -> None:
        """Let these be what is `given`, once the search has begun; what is in training goes on."""
        self._proposals.offer(given, self._trainings.keys())

    @property
    def looked_at(self) -> set[str]:
        """The keys of all networks that have a row or are in training."""
        return self._known.rows.keys() | self._trainings.keys()

    def fill(self, jobs: int, *, racing: bool = True) -> Collection[Future[Evaluation]]:
        """Begin trainings, with further seeds too if `racing`, as long as fewer than so many run; all that run."""
        while len(self._futures) < jobs:
            if training := next((one for one in self._trainings.values() if one.seeds), None):
                row = replace(training.row, seed=training.seeds.popleft())
                self._futures[self.evaluator.train(row)] = row.key
            elif self._proposals.prepare(self._trainings.keys()):
                self._try()
            elif racing and (undecided := self._race.next(self._trainings.keys())):
                self._begin_again(*undecided)
            else:
                break
        return self._futures.keys()

    def _try(self) -> None:
        """Ask for a network, and pay its price; what needs no training is answered."""
        self._proposals.free += 1
        with self._asked() as (trial, architecture):
            key = architecture.key
            if key in self._trainings:
                self._trainings[key].trials.append(trial)
                return
            if not (seeds := self._known.missing(key)):
                self._answer(trial, self._known.verdict(key))
                return
            row = replace(self._price(architecture), seed=seeds[0])
            if row.state == "over_budget" and not architecture.placements:
                raise InputError(f"budget: nothing meets it; even the network without any attention has {row.reason}")
            if row.state != "over_budget":
                self._proposals.free = 0
            if row.state == "priced":
                self._trainings[key] = _Training(row, deque(seeds), [trial])
                return
            for seed in seeds if row.state == "failed" else seeds[:1]:
                self._write(trial, replace(row, seed=seed))
            self._answer(trial, self._known.verdict(key))
            self.on_row(row, len(self._known.trained))

    def _begin_again(self, key: str, seed: int) -> None:
        """Make ready to train a network that has its rows with one seed more."""
        row = next(iter(self._known.rows[key].values()))
        self.study.enqueue_trial(self.space.answers(parse(row.architecture)))
        with self._asked() as (trial, _):
            self._trainings[key] = _Training(untrained(row, seed), deque([seed]), [trial])

    def _price(self, architecture: Architecture) -> Evaluation:
        role = self._proposals.role(architecture)
        row = replace(self.evaluator.count(architecture), role=role, step=self.step.name)
        if over := over_budget(row, self.file.budget):
            return over
        row = self.evaluator.time(row)
        return row if row.state == "failed" else over_budget(row, self.file.budget) or row

    def collect(self, done: Collection[Future[Evaluation]]) -> None:
        """Write down what these have found, as far as they are of this search."""
        for future in [future for future in self._futures if future in done]:
            self._take(future)

    def _take(self, future: Future[Evaluation]) -> None:
        row, training = future.result(), self._trainings[self._futures[future]]
        self._write(training.trials[0], row)
        del self._futures[future]
        if not self._known.missing(row.key):
            for trial in training.trials:
                self._answer(trial, self._known.verdict(row.key))
            del self._trainings[row.key]
        self.on_row(row, len(self._known.trained))

    def abandon(self) -> None:
        """Write down what is finished, and tell the trials of all else that they have failed."""
        for future in [*self._futures]:
            if not future.cancel() and future.done() and future.exception() is None:
                self._take(future)
        for training in self._trainings.values():
            for trial in training.trials:
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _measure_front(self) -> None:
        while predicted := self._predicted_front():
            for row in predicted:
                self.study.enqueue_trial(self.space.answers(parse(row.architecture)))
                with self._asked() as (trial, _):
                    for one in [*self._known.rows[row.key].values()][::-1]:  # the first decides, so it comes last
                        self._write(trial, self.evaluator.measure(one))
                    self._answer(trial, self._known.verdict(row.key))
                    self.on_row(self._known.verdict(row.key), len(self._known.trained))

    def _predicted_front(self) -> list[Evaluation]:
        """The rows on the front whose latency is not measured; what is over the budget has no place there."""
        settled = {key: self._known.verdict(key) for key in self._known.settled}
        rows = {key: row for key, row in settled.items() if over_budget(row, self.file.budget) is None}
        best = front(table(rows.values()), self.file.objectives).index
        return [rows[key] for key in best if rows[key].latency.source == "predicted"]

    def _write(self, trial: optuna.Trial, row: Evaluation) -> None:
        self.check_hold()
        write_row(trial, row)
        self._known.add([row])

    def _answer(self, trial: optuna.Trial, row: Evaluation) -> None:
        told = answer(row, self._objectives, self.file.budget)
        for name, value in told.constraints.items():
            trial.set_constraint(name, value)
        if told.values is not None:
            rows = self._known.rows[row.key].values()
            trial.set_user_attr(EVALUATIONS, [[one[name] for name in self._objectives] for one in rows])
        self.study.tell(trial, told.values, state=told.state)

    @contextmanager
    def _asked(self) -> Iterator[tuple[optuna.Trial, Architecture]]:
        """A trial and the architecture that it stands for; whatever is raised within, the trial is told."""
        self.check_hold()
        trial = self.study.ask()
        try:
            architecture = self.space.decide(lambda question, values: trial.suggest_categorical(question, values))
            trial.set_user_attr(ARCHITECTURE, str(architecture))
            yield trial, architecture
        except BaseException:
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _mend(self) -> None:
        """Finish what a killed process left behind: told if all its rows are written, else failed."""
        for _ in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.tell(self.study.ask(), state=TrialState.FAIL)
        for left in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            key = parse(left.user_attrs[ARCHITECTURE]).key if ARCHITECTURE in left.user_attrs else ""
            if key in self._known.rows and not self._known.missing(key):
                told = answer(self._known.verdict(key), self._objectives, self.file.budget)
                self.study.tell(left.number, told.values, state=told.state)
            else:
                self.study.tell(left.number, state=TrialState.FAIL)
