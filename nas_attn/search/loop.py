"""Search of one step: the sampler proposes, costs are checked before training, and nothing is trained twice."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import optuna
from optuna.trial import TrialState

from nas_attn.results import Evaluation, front, table
from nas_attn.settings import Step, StudyFile
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.study import (
    STORAGE_FAULTS,
    TakenOver,
    Unshared,
    Unwritten,
    below_floor,
    over_budget,
    read_objectives,
    write_row,
)

from .extra_seeds import Race, untrained
from .progress import Known
from .proposals import Proposals
from .samplers import Problem
from .sharing import Sharing, Training
from .trainings import Evaluator, OnTrained, train_all
from .trials import Answers, begun

OnRow = Callable[[Evaluation, int], None]
"""Called with a row and the number of networks trained so far for all their seeds: of each network and seed that was
trained, and of each network that was found to be over budget or to fail before training, or was timed at last because
it is on the front."""


@dataclass
class _Training:
    """A network in training, and all trials that wait for it."""

    row: Evaluation
    """What is known before training."""
    seeds: deque[int]
    """Those that no training was begun for."""
    trials: list[optuna.Trial]
    """The first keeps the rows."""
    elsewhere: set[int] = field(default_factory=set)
    """Seeds that other processes train."""


@dataclass
class Search:
    """Search of one step that can stop at any moment and go on later, in this process or another."""

    study: optuna.Study
    space: SearchSpace
    file: StudyFile
    step: Step
    evaluator: Evaluator
    on_row: OnRow
    given: Sequence[Architecture] | None = None
    """What is trained, these and no others; without it, baselines and then what the sampler proposes."""
    reservations: Unshared = field(default_factory=Unshared)
    """They keep processes that work on the step apart."""
    unwritten: Unwritten = field(default_factory=Unwritten)
    """Rows that are finished and not written down yet."""
    store: OnTrained = lambda _row: None
    """Called with each row that was trained, before it is written down."""
    _known: Known = field(init=False)
    _sharing: Sharing = field(init=False)
    _answers: Answers = field(init=False)
    _proposals: Proposals = field(init=False)
    _race: Race = field(init=False)
    _trainings: dict[str, _Training] = field(init=False, default_factory=dict)
    """By key."""
    _running: set[Training] = field(init=False, default_factory=set)
    """Those that are reserved by this process."""

    def __post_init__(self) -> None:
        self._known = Known(self.file.budget, range(self.file.seed, self.file.seed + self.step.seeds))
        objectives = read_objectives(self.study)
        self._answers = Answers(self.study, self.file, objectives, self._known)
        self._sharing = Sharing(self.study, self.step.name, self.reservations, self._known)
        self._race = Race(self._known, objectives, self.step.extra_trainings)

    def run(self, trials: int | None = None) -> str:
        """Train until this many networks of the step are trained, and return a sentence on why the search stopped.

        Without a number, as many as the step has; what is `given` is trained whole. Each network is trained for every
        seed of the step, up to `evaluator.jobs` at once; then, where the step has more trainings to spend, with further
        seeds, as `Race.next` says. At last, in the study's last step, networks on the front whose latency is predicted
        are measured, until those of the front all are.

        Raises `InputError` where even the plain backbone is over budget. Whatever else is raised, `KeyboardInterrupt`
        among it, what is finished is written down and the running trials are ended first.
        """
        self._sharing.refresh()
        self._answers.end_orphans(self.reservations, ours=True)
        self._write_kept()
        problem = Problem(self.space, self.file, partial(self.evaluator.prices, self.space))
        wanted = (self.step.networks if trials is None else trials) or 0
        self._proposals = Proposals(self.study, problem, self._known, wanted, self.given, self.reservations.rank)
        try:
            train_all(self.evaluator, self._next, self._write_trained, self._finish, self._wait)
        except BaseException:
            self._release()
            raise
        if self.step.name == self.file.steps[-1].name:
            self._measure_front()
        return self._proposals.reason() + self._race.summary() + self._failures()

    def _release(self) -> None:
        """End our trials, unless another process has taken them over or the storage is away."""
        with suppress(TakenOver, *STORAGE_FAULTS):
            self.reservations.check()
            for training in self._trainings.values():
                for trial in training.trials:
                    self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _failures(self) -> str:
        """How many of the networks that were trained have failed, and one reason; nothing where none has."""
        rows = [row for row in map(self._known.verdict, self._known.trained) if row.state == "failed"]
        return f"; {len(rows)} of them failed, the first for this reason: {rows[0].reason}" if rows else ""

    def _next(self) -> Evaluation | None:
        """The next row to be trained, which is reserved; nothing where others train all that is left."""
        while True:
            for key, training in [*self._trainings.items()]:
                while key in self._trainings and training.seeds:
                    if self._take(key, seed := training.seeds.popleft()):
                        return replace(training.row, seed=seed)
            elsewhere = self._sharing.elsewhere()
            if self._sharing.given_up(elsewhere):
                self._proposals.renew()
            busy = {*self._trainings, *(key for key, _ in elsewhere)}
            if self._proposals.prepare(busy, self._known.in_progress()):
                self._try()
            elif undecided := self._race.next(busy):
                self._begin_again(*undecided)
            else:
                return None

    def _take(self, key: str, seed: int) -> bool:
        """Reserve a training of a network that is begun here; one too many of several processes is given up."""
        training = self._trainings[key]
        if not self._sharing.take(key, seed):
            training.elsewhere.add(seed)
            self._settle()
            return False
        if self._is_surplus(key, seed):
            self._sharing.finish(key, seed)
            for trial in self._trainings.pop(key).trials:
                self.study.tell(trial, state=TrialState.FAIL)
            return False
        self._running.add((key, seed))
        return True

    def _is_surplus(self, key: str, seed: int) -> bool:
        """Whether as many networks or trainings as the step has are begun without this one."""
        before = self._sharing.before(key, seed)
        if seed not in self._known.seeds:
            others = sum(one not in self._known.seeds and not self._known.has(name, one) for name, one in before)
            return self._race.spent + others >= self._race.trainings
        begun = {*self._known.trained, *self._known.in_progress(), *(name for name, _ in before)}
        return self.given is None and key not in begun and len(begun) >= self._proposals.wanted

    def _wait(self) -> bool:
        """Wait for what others train; whether something may be left to train afterwards."""
        before = self._sharing.stirred()
        elsewhere = self._sharing.elsewhere()
        written = self._sharing.refresh()
        for training in self._trainings.values():
            left = {seed for key, seed in elsewhere if key == training.row.key}
            training.seeds.extend(sorted(training.elsewhere - left))  # where it is done, it is not reserved again
            training.elsewhere &= left
        self._settle()
        if not (elsewhere or self._trainings or written or before):
            return False
        self._answers.end_orphans(self.reservations)
        self._proposals.renew()
        if elsewhere:
            self.reservations.pause()
        return True

    def _settle(self) -> None:
        """Answer the trials of networks that other processes have trained meanwhile."""
        running = {key for key, _ in self._running}
        for key, training in [*self._trainings.items()]:
            training.elsewhere -= {seed for seed in training.elsewhere if self._known.has(key, seed)}
            if not (training.seeds or training.elsewhere or self._known.missing(key) or key in running):
                for trial in self._trainings.pop(key).trials:
                    self._answers.give(trial, key)

    def _try(self) -> None:
        """Begin a trial, and check its costs; what needs no training is answered."""
        self._proposals.free += 1
        with self._trial(self._proposals.next) as (trial, architecture):
            key = architecture.key
            if key in self._trainings:
                self._trainings[key].trials.append(trial)
                return
            if not (seeds := self._known.missing(key)):
                self._answers.give(trial, key)
                return
            row = self._price(architecture, seeds[0])
            if row.state == "over_budget" and not architecture.placements:
                raise InputError(f"budget: nothing meets it; even the network without any attention has {row.reason}")
            if row.state != "over_budget":
                self._proposals.free = 0
            if row.state == "priced":
                self._trainings[key] = _Training(row, deque(seeds), [trial])
                return
            for seed in seeds if row.state == "failed" else seeds[:1]:
                self._write(replace(row, seed=seed), trial)
            self._answers.give(trial, key)
            self._report(row)

    def _begin_again(self, key: str, seed: int) -> None:
        """Make ready to train a network that has its rows with one seed more."""
        row = next(iter(self._known.rows[key].values()))
        with self._trial(parse(row.architecture)) as (trial, _):
            self._trainings[key] = _Training(untrained(row, seed), deque([seed]), [trial])

    def _price(self, architecture: Architecture, seed: int) -> Evaluation:
        role = self._proposals.role(architecture)
        row = replace(self.evaluator.count(architecture), role=role, step=self.step.name, seed=seed)
        if over := over_budget(row, self.file.budget):
            return over
        row = self.evaluator.time(row)
        return row if row.state == "failed" else over_budget(row, self.file.budget) or row

    def _finish(self, row: Evaluation) -> None:
        """Answer the trials of a network whose last seed was trained."""
        self._settle()
        self._report(row)

    def _measure_front(self) -> None:
        if not self._predicted_front():
            return
        with self.reservations.alone_with(f"{self.step.name} front"):
            self._sharing.refresh()
            while predicted := self._predicted_front():
                for row in predicted:
                    with self._trial(parse(row.architecture)) as (trial, _):
                        for one in [*self._known.rows[row.key].values()][::-1]:  # the first decides, so it comes last
                            self._write(self.evaluator.measure(one), trial)
                        self._answers.give(trial, row.key)
                        self._report(self._known.verdict(row.key))

    def _predicted_front(self) -> list[Evaluation]:
        """The rows on the front whose latency is not measured; what the budget excludes has no place there."""
        complete, budget = map(self._known.verdict, self._known.complete), self.file.budget
        rows = {row.key: row for row in complete if not (over_budget(row, budget) or below_floor(row, budget))}
        best = front(table(rows.values()), self.file.objectives).index
        return [rows[key] for key in best if rows[key].latency.source == "predicted"]

    def _write(self, row: Evaluation, trial: optuna.Trial) -> None:
        self.reservations.check()
        write_row(trial, row)
        self._known.add([row])

    def _write_trained(self, row: Evaluation) -> None:
        """Write a row down whose training was reserved; whatever happens meanwhile, it is kept."""
        self.unwritten.keep(row)
        self.store(row)
        self._write(row, self._trainings[row.key].trials[0])
        self._sharing.finish(row.key, row.seed)
        self._running.discard((row.key, row.seed))
        self.unwritten.drop(row)

    def _write_kept(self) -> None:
        """Write down the rows that a process of this folder had finished when it ended, if nobody else trains them."""
        for row in self.unwritten.rows():
            if self._sharing.take(row.key, row.seed):
                self.store(row)
                with self._trial(parse(row.architecture)) as (trial, _):
                    self._write(row, trial)
                self._answers.end_orphans(self.reservations, ours=True)
                self._sharing.finish(row.key, row.seed)
            if self._known.has(row.key, row.seed):  # else another process trains it, or is about to write this one
                self.unwritten.drop(row)

    def _report(self, row: Evaluation) -> None:
        self.on_row(row, len(self._known.trained))

    @contextmanager
    def _trial(self, given: Architecture | None = None) -> Iterator[tuple[optuna.Trial, Architecture]]:
        """A trial, of this architecture or of one that is proposed, with its architecture."""
        self.reservations.check()
        with begun(self.study, self.space, self.reservations.number, given) as found:
            yield found
