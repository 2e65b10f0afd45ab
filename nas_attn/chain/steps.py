"""Steps of a study's chain: which networks each evaluates, and how."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from nas_attn.assembly import read_space
from nas_attn.backbones import scaled
from nas_attn.cost import Readings
from nas_attn.data import ImageData
from nas_attn.drawing import Outline
from nas_attn.evaluation import (
    Checkpoint,
    Costs,
    Evaluator,
    Ledger,
    Predictor,
    PretrainedStore,
    Supernet,
    Timing,
    TrainingProtocol,
    open_ledger,
    predictor,
    question_of,
    screened,
    screened_row,
    timing_device,
    workers,
)
from nas_attn.pricing import COUNTED, filled
from nas_attn.results import OUTCOMES, Evaluation, agreement
from nas_attn.search import Search, screen
from nas_attn.settings import FINAL, Backbone, OwnModule, Step
from nas_attn.space import Architecture, InputError, SearchSpace, reported
from nas_attn.study import (
    OptunaStudy,
    StudyFolder,
    Unshared,
    Unwritten,
    begin_study,
    find_study,
    write_outline,
    write_prediction,
    write_question,
)
from nas_attn.tasks import ImageTask, Task, Training, open_task
from nas_attn.training import TrainingFailed, check_trainer

from .opening import check_listed, check_sizes, open_space
from .watch import Watch

_LOG = logging.getLogger(__name__)

_DRAWN_FOR_ONE = 10  # networks, so that some fit the budget
_SCREENING_BATCH = 512  # images


@dataclass(frozen=True)
class Chain:
    """Chain of one study, with its space, its images and its target device."""

    folder: StudyFolder
    backbone: Backbone
    space: SearchSpace
    task: Task
    timing: Timing
    jobs: int = 1
    watch: Watch = field(default_factory=Watch)
    reservations: Unshared = field(default_factory=Unshared)
    """They keep this process apart from others that work on the study."""
    _supernets: dict[int, tuple[Supernet, Checkpoint]] = field(default_factory=dict, init=False, repr=False)
    _bases: dict[int, Checkpoint] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(cls, folder: StudyFolder, jobs: int = 1, watch: Watch | None = None) -> "Chain":
        """Read the space and the images of a study; raises `InputError` where either has faults."""
        check_trainer(folder.file.trainer)
        if not isinstance(folder.file.task, OwnModule):  # whose network the space file does not name
            read_space(folder.path / folder.file.space)  # so that its faults come before any image is read
        task = open_task(folder.file, folder.path)
        return cls.of(folder, *open_space(folder, task), task, jobs, watch)

    @classmethod
    def of(
        cls,
        folder: StudyFolder,
        backbone: Backbone,
        space: SearchSpace,
        task: Task,
        jobs: int = 1,
        watch: Watch | None = None,
    ) -> "Chain":
        """The chain of a study whose space and images are read; raises `InputError` where its target is not here."""
        check_sizes(folder.file.steps, space)
        check_listed(folder.file.steps, space)
        for remark in space.remarks:
            _LOG.warning("%s", remark)
        target, readings = folder.file.latency, Readings(folder.path / "latency.jsonl")
        timed_on = timing_device(target, folder.file.trainer)
        timing = Timing(backbone, task.facts.image, task.classes, target, timed_on, readings)
        return cls(folder, backbone, space, task, timing, jobs, watch or Watch())

    def run_step(self, step: Step, chosen: Sequence[Architecture] | None = None) -> str:
        """Run one step, on these architectures or on those that it finds itself, and return why it stopped.

        Raises as `Search.run` does.
        """
        self.watch.on_step(step)
        self.ledger.space_prices(self.space)  # what has no price is known before anything is trained
        study = self.study(step)
        if step.proxy == "supernet":
            return self._screen(study, step, self.pool(step.networks or 1) if chosen is None else chosen)
        protocol = self.protocol(step)
        with workers(protocol, self.jobs) as pool:
            learnt = self._predictor if self.folder.file.latency.source == "predicted" else None
            if learnt is not None:
                write_prediction(study, agreement(learnt.prediction.left_out_ms, learnt.prediction.latencies_ms))
            on_epoch, failures = self.watch.on_epoch, self.failures
            evaluator = Evaluator(self.timing, learnt, protocol, pool, on_epoch, failures=failures)
            searching = Search(study, self.space, self.folder.file, step, evaluator, self.watch.on_row, chosen)
            store, unwritten = partial(self.store, protocol), Unwritten.of(self.folder.path, study)
            return replace(searching, reservations=self.reservations, unwritten=unwritten, store=store).run()

    def pool(self, networks: int) -> list[Architecture]:
        """So many architectures that fit the budget, all where there are no more, and the baselines first.

        A limit of latency, which is not known exactly, excludes none.
        """
        prices, seed = self.ledger.space_prices(self.space), self.folder.file.seed
        if prices.networks <= _DRAWN_FOR_ONE * networks:
            answers = prices.listed()
            if prices.networks > networks:
                np.random.default_rng(seed).shuffle(answers)
        else:
            answers = prices.drawn(_DRAWN_FOR_ONE * networks, seed)
        answers = answers[prices.fits(answers, self._limits)][:networks]
        found = dict.fromkeys((*filter(self._fits, self.space.baselines()), *filled(self.space, answers)))
        return [*found][:networks]

    @property
    def failures(self) -> Path:
        """The folder for the tracebacks of networks that fail."""
        return self.folder.path / "failures"

    @property
    def ledger(self) -> Ledger:
        """Exact costs of every architecture."""
        return open_ledger(self.backbone, self.task.facts.image, self.task.classes)

    @property
    def data(self) -> ImageData:
        """The images of a task that is not of the user's own."""
        if not isinstance(self.task, ImageTask):
            raise InputError(f"{self.folder.path}: the images are those of the task, which trains by itself")
        return self.task.data

    def protocol(self, step: Step) -> TrainingProtocol:
        """The training protocol of a step; what has to be trained before is."""
        protocol = self.untrained_protocol(step)
        if step.proxy == "scratch":
            return protocol
        if step.weights == "supernet":
            seed = self.folder.file.seed
            return replace(protocol, start="inherit", inherited=self._supernet(seed)[0].shared_weights())
        trained = tuple(self.backbone.with_weights(str(base.path)) for base in self._bases_of(step))
        protocol = replace(protocol, start="inherit", backbone=trained[0])
        return replace(protocol, of_folds=trained, first_seed=self.folder.file.seed) if len(trained) > 1 else protocol

    def untrained_protocol(self, step: Step) -> TrainingProtocol:
        """The training protocol of a step as if it inherited nothing."""
        file = self.folder.file
        return TrainingProtocol(
            backbone=scaled(self.backbone, step.width),
            task=self.task.reduced(step.data_share, step.resolution),
            recipe=step.recipe(file.recipe),
            start="scratch",
            trainer=file.trainer,
            keeps=self.folder.path / "weights" if step.name == FINAL else None,
            outcomes=self.folder.path / OUTCOMES if step.name == FINAL else None,
            failures=self.failures,
            logs=self.folder.path / "logs",
            running=self.folder.path / "running",
            limit_minutes=file.search.limit_minutes,
        )

    def store(self, protocol: TrainingProtocol, row: Evaluation) -> None:
        """Put what a protocol keeps of a training to where all who work on the study find it."""
        self.folder.artifacts.put(*protocol.files(row))

    def shared_seconds(self, step: Step) -> float:
        """Seconds of what was trained once for all networks of a step."""
        if step.proxy == "scratch":
            return 0.0
        if step.proxy == "inherit" and step.weights == "base":
            return sum(base.seconds for base in self._bases_of(step))
        seeds = step.seeds if step.proxy == "supernet" else 1
        return sum(self._supernet(self.folder.file.seed + number)[1].seconds for number in range(seeds))

    def bases(self, step: Step) -> int:
        """How many plain backbones are trained for the networks of a step to inherit from: one for each fold.

        A fold validates only what inherits from a backbone that has not trained on it.
        """
        folds = len(self.task.data.folds) if isinstance(self.task, ImageTask) else 0
        return max(1, folds if step.extra_trainings else min(folds, step.seeds))

    def _bases_of(self, step: Step) -> list[Checkpoint]:
        """Trained plain backbones, each with the seed that validates on its fold first."""
        for fold in range(self.bases(step)):
            if fold not in self._bases:
                store = replace(self._pretrained, seed=self.folder.file.seed + fold)
                with reported("the plain backbone cannot be trained", TrainingFailed):
                    self._bases[fold] = store.base(self.folder.file.base_recipe)
                self.watch.on_base(self._bases[fold].validation)
        return [self._bases[fold] for fold in range(self.bases(step))]

    def _supernet(self, seed: int) -> tuple[Supernet, Checkpoint]:
        """Trained supernet of this seed."""
        if seed not in self._supernets:
            step, recipe = self.folder.file.steps[0], self.folder.file.base_recipe
            prices = self.ledger.space_prices(self.space)
            largest = filled(self.space, np.array([prices.extreme("macs", highest=True)]))
            sandwich = list(filter(self._fits, (Architecture(), *largest))) if step.sandwich else []
            store = replace(self._pretrained, seed=seed)
            with reported("the supernet cannot be trained", TrainingFailed):
                trained = store.supernet(self.space, step.recipe(recipe), self._fits, self._limits, sandwich)
            self._supernets[seed] = trained
        return self._supernets[seed]

    @property
    def _pretrained(self) -> PretrainedStore:
        """Store of the weights that networks share."""
        file, folder = self.folder.file, self.folder.path / "trained"
        return PretrainedStore(
            folder,
            self.backbone,
            self.task,
            file.trainer,
            file.seed,
            self.watch.on_pretrained,
            self.reservations,
            self.folder.artifacts,
        )

    @cached_property
    def _predictor(self) -> Predictor:
        return predictor(self.timing, self.space, self.watch.on_timed)

    def _screen(self, study: OptunaStudy, step: Step, architectures: Sequence[Architecture]) -> str:
        file = self.folder.file
        timed = "latency_ms" in file.objectives or "latency_ms" in file.budget.limits
        costs = Costs(self.timing, self._predictor if timed else None, failures=self.failures)
        for seed in range(file.seed, file.seed + step.seeds):
            score = partial(self._screened, step, costs, seed)
            with reported("networks cannot be screened", TrainingFailed):
                screen(study, step, seed, architectures, score, self.watch.on_screened, self.reservations)
        return f"{len(architectures)} networks are screened"

    def _screened(
        self, step: Step, costs: Costs, seed: int, architectures: Sequence[Architecture]
    ) -> Iterator[Evaluation]:
        supernet, how = self._supernet(seed)[0], Training(self.folder.file.recipe, seed, self.folder.file.trainer)
        scoring = self.task.recalibration(supernet, how, step.calibration, _SCREENING_BATCH)
        found = screened(supernet, scoring, architectures)
        began = time.perf_counter()
        for architecture, score in zip(architectures, found, strict=True):
            row = replace(costs.predict(costs.count(architecture)), step=step.name, seed=seed)
            seconds, began = time.perf_counter() - began, time.perf_counter()
            yield replace(screened_row(row, score, self.failures), train_seconds=seconds)

    def study(self, step: Step) -> OptunaStudy:
        """The Optuna study of a step, which goes on only where its question is as it was."""
        path, file = self.folder.path, self.folder.file
        study = find_study(path, file.search.storage, step.name)
        study = study or begin_study(path, file.search.storage, file.objectives, step.name)
        question = question_of(file, step, self.backbone, self.timing.device)
        write_question(study, question, self.space, self.task.facts, self.task.fingerprint())
        write_outline(study, self._outline)
        return study

    def _outline(self) -> Outline:
        fillings = (filling for slot in self.space.slots for filling in slot.fillings())
        return self.ledger.outline(dict.fromkeys(placement for filling in fillings for placement in filling))

    @property
    def _limits(self) -> dict[str, float]:
        """The budget's limits of measures that are known exactly."""
        return {name: limit for name, limit in self.folder.file.budget.limits.items() if name in COUNTED}

    def _fits(self, architecture: Architecture) -> bool:
        cost = self.ledger.price(architecture)
        return all(getattr(cost, name) <= limit for name, limit in self._limits.items())
