"""Search of one step: the sampler proposes, costs are checked before training, and nothing is trained twice."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import optuna
from optuna.trial import TrialState

from nas_attn.results import Evaluation, front, table
from nas_attn.sampler import EVALUATIONS
from nas_attn.settings import Step, StudyFile, measure
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.study import ARCHITECTURE, below_floor, over_budget, read_objectives, read_rows, write_row

from .extra_seeds import Race, untrained
from .progress import Known
from .proposals import Proposals
from .samplers import Problem
from .trainings import Evaluator, train_all

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
    check_hold: Callable[[], None] = lambda: None
    """Called before a trial begins and before a row is written; raises where the study is not ours any more."""
    _known: Known = field(init=False)
    _proposals: Proposals = field(init=False)
    _race: Race = field(init=False)
    _trainings: dict[str, _Training] = field(init=False, default_factory=dict)
    """By key."""

    def __post_init__(self) -> None:
        self._known = Known(self.file.budget, range(self.file.seed, self.file.seed + self.step.seeds))
        self._objectives = read_objectives(self.study)
        self._race = Race(self._known, self._objectives, self.step.extra_trainings)

    def run(self, trials: int | None = None) -> str:
        """Train until this many networks of the step are trained, and return a sentence on why the search stopped.

        Without a number, as many as the step has; what is `given` is trained whole. Each network is trained for every
        seed of the step, up to `evaluator.jobs` at once; then, where the step has more trainings to spend, with further
        seeds, as `Race.next` says. At last, in the study's last step, networks on the front whose latency is predicted
        are measured, until those of the front all are.

        Raises `InputError` where even the plain backbone is over budget. Whatever else is raised, `KeyboardInterrupt`
        among it, what is finished is written down and the running trials are ended first.
        """
        self._known.add(read_rows(self.study).values())
        self._mend()
        problem = Problem(self.space, self.file, partial(self.evaluator.prices, self.space))
        wanted = (self.step.networks if trials is None else trials) or 0
        self._proposals = Proposals(self.study, problem, self._known, wanted, self.given)
        try:
            train_all(self.evaluator, self._next, self._write, self._finish)
        except BaseException:
            self.check_hold()
            for training in self._trainings.values():
                for trial in training.trials:
                    self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        if self.step.name == self.file.steps[-1].name:
            self._measure_front()
        return self._proposals.reason() + self._race.summary() + self._failures()

    def _failures(self) -> str:
        """How many of the networks that were trained have failed, and one reason; nothing where none has."""
        rows = [row for row in map(self._known.verdict, self._known.trained) if row.state == "failed"]
        return f"; {len(rows)} of them failed, the first for this reason: {rows[0].reason}" if rows else ""

    def _next(self) -> Evaluation | None:
        """The next row to be trained."""
        while True:
            if training := next((one for one in self._trainings.values() if one.seeds), None):
                return replace(training.row, seed=training.seeds.popleft())
            if self._proposals.prepare(self._trainings.keys()):
                self._try()
            elif undecided := self._race.next(self._trainings.keys()):
                self._begin_again(*undecided)
            else:
                return None

    def _try(self) -> None:
        """Begin a trial, and check its costs; what needs no training is answered."""
        self._proposals.free += 1
        with self._trial() as (trial, architecture):
            key = architecture.key
            if key in self._trainings:
                self._trainings[key].trials.append(trial)
                return
            if not (seeds := self._known.missing(key)):
                self._answer(trial, key)
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
            self._answer(trial, key)
            self._report(row)

    def _begin_again(self, key: str, seed: int) -> None:
        """Make ready to train a network that has its rows with one seed more."""
        row = next(iter(self._known.rows[key].values()))
        with self._trial(row) as (trial, _):
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
        if not self._known.missing(row.key):
            for trial in self._trainings[row.key].trials:
                self._answer(trial, row.key)
            del self._trainings[row.key]
        self._report(row)

    def _measure_front(self) -> None:
        while predicted := self._predicted_front():
            for row in predicted:
                with self._trial(row) as (trial, _):
                    for one in [*self._known.rows[row.key].values()][::-1]:  # the first decides, so it comes last
                        self._write(self.evaluator.measure(one), trial)
                    self._answer(trial, row.key)
                    self._report(self._known.verdict(row.key))

    def _predicted_front(self) -> list[Evaluation]:
        """The rows on the front whose latency is not measured; what the budget excludes has no place there."""
        complete, budget = map(self._known.verdict, self._known.complete), self.file.budget
        rows = {row.key: row for row in complete if not (over_budget(row, budget) or below_floor(row, budget))}
        best = front(table(rows.values()), self.file.objectives).index
        return [rows[key] for key in best if rows[key].latency.source == "predicted"]

    def _write(self, row: Evaluation, trial: optuna.Trial | None = None) -> None:
        self.check_hold()
        write_row(trial or self._trainings[row.key].trials[0], row)
        self._known.add([row])

    def _report(self, row: Evaluation) -> None:
        self.on_row(row, len(self._known.trained))

    def _answer(self, trial: optuna.Trial, key: str) -> None:
        state, values = self._outcome(key)
        row = self._known.verdict(key)
        for name, limit in self.file.budget.limits.items():
            if not math.isnan(row[name]):
                trial.set_constraint(name, row[name] - limit)
        for name, floor in self.file.budget.floors.items():
            if not math.isnan(row[name]):
                trial.set_constraint(name, measure(name).sign * (floor - row[name]))
        if row.state == "failed":
            trial.set_constraint("failed", 1.0)
        if values is not None:
            rows = self._known.rows[key].values()
            trial.set_user_attr(EVALUATIONS, [[one[name] for name in self._objectives] for one in rows])
        self.study.tell(trial, values, state=state)

    def _outcome(self, key: str) -> tuple[TrialState, list[float] | None]:
        """How a trial ends, and its values.

        It is `PRUNED` where there is no result, so that samplers learn to avoid it: they pass over what is `FAIL`.
        """
        row = self._known.verdict(key)
        values = [float(row[name]) for name in self._objectives]
        if row.state == "complete" and not any(map(math.isnan, values)):
            return TrialState.COMPLETE, values
        return TrialState.PRUNED, None

    @contextmanager
    def _trial(self, row: Evaluation | None = None) -> Iterator[tuple[optuna.Trial, Architecture]]:
        """A trial, of this row's network or of one that is proposed, with its architecture.

        It fails where anything is raised meanwhile.
        """
        self.check_hold()
        if row is not None:
            self.study.enqueue_trial(self.space.answers(parse(row.architecture)))
        trial = self.study.ask()
        try:
            architecture = self.space.decide(lambda question, values: trial.suggest_categorical(question, values))
            trial.set_user_attr(ARCHITECTURE, str(architecture))
            yield trial, architecture
        except BaseException:
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _mend(self) -> None:
        """End the trials that a killed process left behind: with their values if all rows are written, else failed."""
        for _ in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.tell(self.study.ask(), state=TrialState.FAIL)
        for left in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            key = parse(left.user_attrs[ARCHITECTURE]).key if ARCHITECTURE in left.user_attrs else ""
            state, values = TrialState.FAIL, None
            if key in self._known.rows and not self._known.missing(key):
                state, values = self._outcome(key)
            self.study.tell(left.number, values, state=state)
