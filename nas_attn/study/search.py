"""The search: Optuna asks, prices are paid before training, and nothing is trained twice."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import optuna
from optuna.trial import TrialState

from nas_attn.results import Evaluation, front, table
from nas_attn.settings import StudyFile
from nas_attn.space import Architecture, InputError, SearchSpace, parse

from .affordable import over_budget
from .record import ARCHITECTURE, read_row, read_rows, write_row
from .samplers import SAMPLERS

_PATIENCE = 50  # proposals in a row that need no training, before an unseen architecture is drawn instead
_DESPAIR = 1000  # such proposals in a row, before the search gives up
_LISTED = 20_000  # the largest space that is listed to find what is unseen

Role = Literal["baseline", "search"]
OnRow = Callable[[Evaluation, int], None]
"""Called with a row and the number of networks trained so far: of each network that was trained, was found to be over
budget, or was timed at last because it stands on the front."""


class Evaluator(Protocol):
    """Finds out about an architecture, the cheapest knowledge first."""

    def count(self, architecture: Architecture) -> Evaluation:
        """Parameters, MACs and FLOPs, without running anything."""

    def time(self, row: Evaluation) -> Evaluation:
        """The row with its latency, measured or predicted, or with the reason why there is none."""

    def measure(self, row: Evaluation) -> Evaluation:
        """The row with its latency measured, or with the reason why there is none."""

    def train(self, row: Evaluation) -> Evaluation:
        """The row with its accuracy and loss, or with the reason why there are none."""


@dataclass
class Search:
    """A search that can stop at any moment and go on later, in this process or another."""

    study: optuna.Study
    space: SearchSpace
    file: StudyFile
    evaluator: Evaluator
    on_row: OnRow

    def run(self, trials: int) -> str:
        """Train until this many networks of the study are trained, and say in a sentence why the search stopped.

        Then the networks on the front whose latency is predicted are measured, until those of the front all are.

        Raises `InputError` where even the bare network is over budget. Whatever else is raised, `KeyboardInterrupt`
        among it, the running trial is told first.
        """
        self._mend()
        rows = read_rows(self.study)
        said = self._search(rows, trials)
        self._measure_front(rows)
        return said

    def _search(self, rows: dict[str, Evaluation], trials: int) -> str:
        seed = self.file.seed + len(self.study.get_trials(deepcopy=False))  # a resumed search must not repeat itself
        self.study.sampler = SAMPLERS[self.file.search.sampler](seed)
        rng = random.Random(seed)
        waiting = deque(self._unanswered(rows))
        free = 0
        while trained(rows.values()) < trials:
            role: Role | None = None
            if waiting:
                architecture, role = waiting.popleft()
                self.study.enqueue_trial(self.space.answers(architecture))
            elif sum(not self._open(row) for row in rows.values()) >= self.space.size:
                return f"the space is exhausted: all {self.space.size} networks are trained or over budget"
            elif free >= _PATIENCE:
                unseen = self._unseen(rows, rng) if free < _DESPAIR else None
                if unseen is None:
                    return f"no network was found that is neither trained nor over budget, in {free} proposals"
                self.study.enqueue_trial(self.space.answers(unseen))
            before = trained(rows.values())
            row = self._try(rows, role or "search")
            rows[row.key] = row
            free = 0 if trained(rows.values()) > before else free + 1
        done = trained(rows.values())
        return f"{done} of {trials} networks are trained" if done == trials else f"{done} networks are trained already"

    def _measure_front(self, rows: dict[str, Evaluation]) -> None:
        while predicted := self._predicted_front(rows):
            for row in predicted:
                self.study.enqueue_trial(self.space.answers(parse(row.architecture)))
                with self._asked() as (trial, _):
                    rows[row.key] = self.evaluator.measure(row)
                    self._write(trial, rows[row.key], rows)

    def _predicted_front(self, rows: dict[str, Evaluation]) -> list[Evaluation]:
        """The rows on the front whose latency is not measured; what is over the budget has no place there."""
        affordable = table(row for row in rows.values() if over_budget(row, self.file.budget) is None)
        best = front(affordable, self.file.objectives).index
        return [rows[key] for key in best if rows[key].latency_source == "predicted"]

    def _try(self, rows: dict[str, Evaluation], role: Role) -> Evaluation:
        with self._asked() as (trial, architecture):
            known = rows.get(architecture.key)
            if known is not None and not self._open(known):
                return self._answer(trial, known)
            row = self._find_out(architecture, role)
            if row.state == "over_budget" and not architecture.placements:
                raise InputError(f"budget: nothing meets it; even the network without any attention has {row.reason}")
            self._write(trial, row, rows)
            return row

    def _write(self, trial: optuna.Trial, row: Evaluation, rows: dict[str, Evaluation]) -> None:
        write_row(trial, row)
        self._answer(trial, row)
        self.on_row(row, trained({**rows, row.key: row}.values()))

    def _find_out(self, architecture: Architecture, role: Role) -> Evaluation:
        row = replace(self.evaluator.count(architecture), role=role)
        for step in (self.evaluator.time, self.evaluator.train):
            if over := over_budget(row, self.file.budget):
                return over
            row = step(row)
            if row.state == "failed":
                break
        return row

    def _open(self, row: Evaluation) -> bool:
        """Whether a row leaves something to find out: it was over a budget that has been raised since."""
        return row.state == "over_budget" and over_budget(row, self.file.budget) is None

    def _answer(self, trial: optuna.Trial, row: Evaluation) -> Evaluation:
        """Tell Optuna what a row says; what could not be trained is pruned, so that samplers learn to avoid it."""
        for measure, limit in self.file.budget.limits.items():
            if (value := getattr(row, measure)) == value:
                trial.set_constraint(measure, value - limit)
        if row.state == "failed":
            trial.set_constraint("failed", 1.0)
        self._tell(trial.number, row)
        return row

    def _tell(self, number: int, row: Evaluation) -> None:
        if row.state == "complete":
            self.study.tell(number, [getattr(row, objective) for objective in self.file.objectives])
        else:
            self.study.tell(number, state=TrialState.PRUNED)

    @contextmanager
    def _asked(self) -> Iterator[tuple[optuna.Trial, Architecture]]:
        """A trial and the architecture that it stands for; whatever is raised within, the trial is told."""
        trial = self.study.ask()
        try:
            architecture = self.space.decide(lambda question, values: trial.suggest_categorical(question, values))
            trial.set_user_attr(ARCHITECTURE, str(architecture))
            yield trial, architecture
        except BaseException:
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _mend(self) -> None:
        """Finish what a killed process left running: told if it had written its row, else failed."""
        for left in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            row = read_row(left)
            if row is None:
                self.study.tell(left.number, state=TrialState.FAIL)
            else:
                self._tell(left.number, row)

    def _unanswered(self, rows: dict[str, Evaluation]) -> list[tuple[Architecture, Role]]:
        """What has to be trained before the sampler is asked: baselines, and what was interrupted."""
        wanted: dict[Architecture, Role] = dict.fromkeys(self.space.baselines(), "baseline")
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            if ARCHITECTURE in trial.user_attrs:
                wanted.setdefault(parse(trial.user_attrs[ARCHITECTURE]), "search")
        return [(a, role) for a, role in wanted.items() if a.key not in rows or self._open(rows[a.key])]

    def _unseen(self, rows: dict[str, Evaluation], rng: random.Random) -> Architecture | None:
        if self.space.size <= _LISTED:
            drawn = [*self.space.architectures()]
            rng.shuffle(drawn)
        else:
            drawn = [self.space.sample(rng) for _ in range(_DESPAIR)]
        return next((a for a in drawn if a.key not in rows or self._open(rows[a.key])), None)


def trained(rows: Iterable[Evaluation]) -> int:
    """How many networks were trained, with or without success."""
    return sum(row.state in ("complete", "failed") for row in rows)
