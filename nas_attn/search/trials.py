"""Trials of a study: begun, and ended where a killed process left them."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from nas_attn.sampler import EVALUATIONS
from nas_attn.settings import StudyFile, measure
from nas_attn.space import Architecture, SearchSpace, parse
from nas_attn.study import ARCHITECTURE, WORKER, Unshared

from .progress import Known


@contextmanager
def begun(
    study: optuna.Study, space: SearchSpace, worker: int, given: Architecture | None = None
) -> Iterator[tuple[optuna.Trial, Architecture]]:
    """A trial of the process with this lease, of a given architecture or of one that the study's sampler proposes.

    It fails where anything is raised meanwhile.
    """
    sampler = study.sampler
    if given is not None:  # not by the queue of the storage, from which any other process might take it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.sampler = PartialFixedSampler(space.answers(given), RandomSampler(seed=0))
    try:
        trial = study.ask()
        try:
            trial.set_user_attr(WORKER, worker)
            architecture = space.decide(lambda question, values: trial.suggest_categorical(question, values))
            trial.set_user_attr(ARCHITECTURE, str(architecture))
            study.sampler = sampler
            yield trial, architecture
        except BaseException:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
    finally:
        study.sampler = sampler


@dataclass(frozen=True)
class Answers:
    """What the sampler is to know of a step's networks, given to the trials that proposed them."""

    study: optuna.Study
    file: StudyFile
    objectives: Sequence[str]
    known: Known

    def give(self, trial: optuna.Trial, key: str) -> None:
        """End a trial with all that is known of its network, which misses nothing."""
        state, values = self.outcome(key)
        row = self.known.verdict(key)
        for name, limit in self.file.budget.limits.items():
            if not math.isnan(row[name]):
                trial.set_constraint(name, row[name] - limit)
        for name, floor in self.file.budget.floors.items():
            if not math.isnan(row[name]):
                trial.set_constraint(name, measure(name).sign * (floor - row[name]))
        if row.state == "failed":
            trial.set_constraint("failed", 1.0)
        if values is not None:
            rows = self.known.rows[key].values()
            trial.set_user_attr(EVALUATIONS, [[one[name] for name in self.objectives] for one in rows])
        self.study.tell(trial, values, state=state)

    def outcome(self, key: str) -> tuple[TrialState, list[float] | None]:
        """How a trial ends, and its values.

        It is `PRUNED` where there is no result, so that samplers learn to avoid it: they pass over what is `FAIL`.
        """
        row = self.known.verdict(key)
        values = [float(row[name]) for name in self.objectives]
        if row.state == "complete" and not any(map(math.isnan, values)):
            return TrialState.COMPLETE, values
        return TrialState.PRUNED, None

    def end_orphans(self, reservations: Unshared, *, ours: bool = False) -> None:
        """End the trials that dead processes left behind: with their values if all rows are written, else failed.

        Those of this process too where none of them is `ours` any more.
        """
        left = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
        living = reservations.living() if left else set()
        alone, living = living == {reservations.number}, living - ({reservations.number} if ours else set())
        for trial in left:
            worker = trial.user_attrs.get(WORKER)
            if worker in living or (worker is None and not alone):
                continue
            if trial.state == TrialState.WAITING:  # version 0.2.0 proposed by the queue of the storage
                self.study.tell(self.study.ask(), state=TrialState.FAIL)
                continue
            key = parse(trial.user_attrs[ARCHITECTURE]).key if ARCHITECTURE in trial.user_attrs else ""
            whole = key in self.known.rows and not self.known.missing(key)
            state, values = self.outcome(key) if whole else (TrialState.FAIL, None)
            self.study.tell(trial.number, values, state=state, skip_if_finished=True)
