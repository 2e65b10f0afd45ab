"""The question of a study: its `study.toml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nas_attn.space import InputError

from .budget import Budget
from .chain import Start, Step, resolve
from .check import check
from .claim import Claim, several
from .data import DataModule, DataSource, Digits, OfTask, refuse_all_but_epochs, refuse_what_a_module_decides
from .document import read_document
from .fitting import refuse_what_does_not_fit
from .latency import LatencyTarget
from .measures import Measure, Objective, leading, use_measures
from .metrics import BuiltIn, Metric, short_names, usual_measures, with_short_names
from .recipe import Recipe, Settings
from .task import BuiltInTask, OwnFunction, OwnModule, Task, is_measure_name, judging


class Search(Settings):
    """How a study searches: the `[search]` of a study."""

    trials: int = Field(24, ge=1, strict=True)
    """Networks to train in all, baselines among them; answered from a row or over budget does not count."""
    sampler: Literal["known_cost", "tpe", "nsga2", "random"] = "known_cost"
    """Who proposes the next network."""
    storage: str | None = None
    """Any Optuna storage: the URL of a SQL database, of Redis or of a gRPC proxy (`grpc://host:port`), or the path of a
    journal file, relative to the study's folder; without it `study.db` (SQLite) there."""
    artifacts: str | None = Field(None, min_length=1)
    """Where trained weights lie when several folders work on one storage: a shared folder, relative to the study's, or
    any fsspec URL such as `s3://bucket/studies`."""

    limit_minutes: float | None = Field(None, gt=0, le=30_000, strict=True)
    """Longest that the training of one network may take here; one that takes longer is ended, and has failed."""

    @model_validator(mode="after")
    def _are_for_a_storage(self) -> "Search":
        if self.artifacts is not None and self.storage is None:
            raise ValueError("found artifacts without a storage, which several folders would share; name one, or none")
        return self


class StudyFile(Settings):
    """The whole of a `study.toml`; its paths are relative to the file."""

    space: str = Field(min_length=1)
    """The search-space file."""
    task: Task = Field(BuiltInTask(), validate_default=True)
    """What the networks learn, and what judges them."""
    metrics: Mapping[str, Metric] = Field(default_factory=dict, validate_default=True)
    """What judges beside the measures of the task, by name; every row has all. One that has a short name of the task,
    and that an objective, a floor or a step names, needs no line."""
    objectives: tuple[Objective, ...] = Field(("accuracy", "flops", "latency_ms"), min_length=1)
    """What the search trades off; without it, what the task judges by first, FLOPs and latency."""
    seed: int = Field(0, ge=0, strict=True)
    """Fixes initialisation, data order and augmentation, the same for every network."""
    data: DataSource = Field(Digits(), validate_default=True)
    """Which images; without it the digits, or those that a task of the user's brings."""
    final: Start = "scratch"
    """How the winner will be trained by `[recipe]`: from initial weights, or from a trained backbone (`inherit`)."""
    recipe: Recipe = Recipe()
    """How the winner will be trained; what a step of the chain does not say is as here."""
    base: Recipe | None = None
    """How the plain backbone is trained from which networks inherit; without it, by `[recipe]`."""
    chain: tuple[Step, ...] = ()
    """The steps that evaluate networks, the cheapest first; without it, each is trained as the winner will be."""
    trainer: Mapping[str, Any] = Field(default_factory=dict)
    """Handed to Lightning's `Trainer`; classes as `package.module:Class`, or as a table with a `class`."""
    latency: LatencyTarget = LatencyTarget()
    budget: Budget = Budget()
    search: Search = Search()
    claim: tuple[Claim, ...] = ()
    """What is printed somewhere, and the verdict compares with what is measured here."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, said: Any) -> Any:
        use_measures()
        if not isinstance(said, Mapping):
            return said
        task = said.get("task", {})
        if isinstance(task, Mapping) and {"module", "function"} & task.keys():
            monitored = task.get("monitor")
            first = next(iter(monitored), "") if isinstance(monitored, Mapping) else ""
            usual = {"objectives": [first, "flops", "latency_ms"]} if is_measure_name(first) else {}
            return {"data": {"kind": "task"}, **usual, **said}
        kind = task.get("kind", BuiltInTask().kind) if isinstance(task, Mapping) else task
        if kind not in get_args(BuiltIn):
            return said
        usual = {"objectives": [usual_measures(kind)[0].name, "flops", "latency_ms"]}
        return {**usual, **said, "metrics": with_short_names(said, kind)}

    @field_validator("claim", mode="before")
    @classmethod
    def _some_claims(cls, said: Any) -> Any:
        return several(said)

    @field_validator("task")
    @classmethod
    def _measured(cls, task: Task) -> Task:
        use_measures(task.measures)
        return task

    @field_validator("metrics")
    @classmethod
    def _judge(cls, metrics: Mapping[str, Metric], info: ValidationInfo) -> Mapping[str, Metric]:
        if "task" in info.data:
            task = info.data["task"]
            use_measures(judging(task, metrics), short_names(task.kind) if isinstance(task, BuiltInTask) else ())
        return metrics

    @field_validator("objectives")
    @classmethod
    def _objectives_differ(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if len(set(objectives)) < len(objectives):
            raise ValueError(f"found {', '.join(objectives)}; each may stand there once")
        return objectives

    @field_validator("chain")
    @classmethod
    def _chain_holds(cls, chain: tuple[Step, ...]) -> tuple[Step, ...]:
        names = [step.name or step.proxy for step in chain]
        for number, step in enumerate(chain):
            if names.count(names[number]) > 1:
                raise ValueError(f"found two steps that are called {names[number]!r}; give one of them another name")
            if step.proxy == "supernet" and number:
                raise ValueError("found a 'supernet' after another step; it screens, so it stands first")
            if step.architectures and number:
                raise ValueError("found architectures after another step, which finds those that go on")
            if step.weights == "supernet" and chain[0].proxy != "supernet":
                raise ValueError("found weights = 'supernet' without a step 'supernet' before it")
        return chain

    @field_validator("recipe", "base", "chain")
    @classmethod
    def _leaves_to_others_what_they_decide(cls, value: Any, info: ValidationInfo) -> Any:
        tables = value if isinstance(value, tuple) else (value,)
        for table in tables if not _has_images(info.data) else ():
            refuse_all_but_epochs(table)
        for table in tables if isinstance(info.data.get("data"), DataModule) else ():
            refuse_what_a_module_decides(table)
        return value

    @field_validator("data")
    @classmethod
    def _are_for_the_task(cls, data: DataSource, info: ValidationInfo) -> DataSource:
        task = info.data.get("task")
        if isinstance(task, BuiltInTask) and isinstance(data, OfTask):
            raise ValueError("found 'task', which is for a task of the user's own")
        if isinstance(task, BuiltInTask):
            refuse_what_does_not_fit(data, task.kind)
        if isinstance(task, OwnModule) and not isinstance(data, OfTask | DataModule):
            raise ValueError(f"found {data.kind!r} with a module of the user's own; allowed: 'module', or no [data]")
        if isinstance(task, OwnFunction) and not isinstance(data, OfTask):
            raise ValueError(
                f"found {data.kind!r} with a function of the user's own, which brings its data: leave it out"
            )
        return data

    @field_validator("chain")
    @classmethod
    def _can_be_shared(cls, chain: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        task, shared = info.data.get("task"), [step for step in chain if step.proxy == "supernet"]
        if isinstance(task, OwnFunction) and shared:
            raise ValueError("found 'supernet' with a function of the user's own, which cannot be watched")
        if isinstance(task, OwnModule) and any(step.sandwich for step in shared):
            raise ValueError(
                "found sandwich = true with a module of the user's own, each of whose steps is of one network"
            )
        return chain

    @field_validator("chain")
    @classmethod
    def _inherits_from_what_saw_no_other_fold(cls, chain: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        folds = getattr(info.data.get("data"), "folds", None)
        if folds and any(step.weights == "supernet" for step in chain):
            raise ValueError(
                f"found weights = 'supernet' with folds = {folds}: that supernet has trained on images that validate "
                "with other seeds; leave out weights, to inherit from a base for each fold, or folds"
            )
        return chain

    @property
    def folds(self) -> int:
        """How many parts validate in turn; 1 where one always does."""
        return getattr(self.data, "folds", None) or 1

    def fold_of(self, seed: int) -> int:
        """Which of them validates with a seed, from 0 on: all networks that share a seed share it."""
        return (seed - self.seed) % self.folds

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The learnt measures of a row."""
        return judging(self.task, self.metrics)

    @property
    def leading(self) -> Measure:
        """What is learnt, ranked and judged."""
        return leading(self.objectives)

    @property
    def base_recipe(self) -> Recipe:
        """How the plain backbone is trained from which networks inherit."""
        return self.base or self.recipe

    @property
    def steps(self) -> tuple[Step, ...]:
        """The chain with everything said: one step, `final`, where the file names none."""
        return resolve(
            self.chain,
            self.final,
            self.recipe,
            self.base_recipe,
            self.search.trials,
            self.leading.ranked_by or self.leading.name,
        )

    def final_step(self, networks: int, seeds: int) -> Step:
        """The step that trains so many networks as the winner will be trained, whatever the chain says."""
        full = Step(proxy="final", seeds=seeds, networks=networks)
        return resolve(
            (full,),
            self.final,
            self.recipe,
            self.base_recipe,
            self.search.trials,
            self.leading.ranked_by or self.leading.name,
        )[0]


def _has_images(said: Mapping[str, Any]) -> bool:
    """Whether images are ours to read, and training to do."""
    return isinstance(said.get("task", BuiltInTask()), BuiltInTask)


def read_study_file(folder: Path) -> StudyFile:
    """Read the `study.toml` of a study's folder.

    Raises `InputError` with every fault, or where the folder or the file is missing.
    """
    if not folder.is_dir():
        found = "is a file" if folder.is_file() else "there is no such folder"
        raise InputError(f"{folder}: {found}; a study is a folder that holds a study.toml")
    if not (folder / "study.toml").is_file():
        raise InputError(f"{folder}: has no study.toml; a study is a folder that holds one")
    return check(StudyFile, read_document(folder / "study.toml"))
