"""The question of a study: its `study.toml`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, create_model, field_validator, model_validator

from nas_attn.space import InputError

from .chain import Start, Step, resolve
from .check import check
from .data import DataModule, DataSource, Digits, OfTask, refuse_all_but_epochs, refuse_what_a_module_decides
from .document import read_document
from .measures import BUILT_IN, Measure, Objective, leading, use_measures
from .recipe import Recipe, Settings
from .task import Classification, OwnFunction, OwnModule, Task, is_measure_name

_DEVICE = re.compile(r"auto|cpu|cuda(:(0|[1-9]\d*))?", re.ASCII)
_ONNX_NEEDS = {"device": "cpu", "dtype": "float32", "channels_last": False}


class LatencyTarget(Settings):
    """The target whose time counts, and how one forward pass is timed there: the `[latency]` of a study."""

    name: str | None = Field(None, min_length=1)
    """What tables call the target; without it, `described`."""
    source: Literal["measured", "predicted"] = "measured"
    """`measured`: every network is timed before it is trained; `predicted`: at most 60 networks are timed at first, the
    others are predicted from them, and the front is timed at last."""
    device: str = "auto"
    """`auto`: the device that trains; else `cpu`, `cuda` or `cuda:1`."""
    batch: int = Field(1, ge=1, strict=True)
    """Images in one pass."""
    threads: int = Field(1, ge=1, strict=True)
    """Threads that one pass may use on a CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """The number format of weights and images."""
    channels_last: bool = Field(False, strict=True)
    """Whether the channels of a pixel lie side by side in memory."""
    runtime: Literal["eager", "compile", "onnxruntime"] = "eager"
    """`eager`: PyTorch operator by operator; `compile`: `torch.compile`; `onnxruntime`: the extra `nas-attn[onnx]`."""
    calls: int = Field(300, ge=50, strict=True)
    """Passes that are timed one by one, at least; their median counts."""

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not _DEVICE.fullmatch(device):
            raise ValueError(f"found {device!r}; allowed: auto, cpu, cuda or cuda:N")
        return device

    @field_validator("runtime")
    @classmethod
    def _runs_so(cls, runtime: str, info: ValidationInfo) -> str:
        amiss = [name for name, needed in _ONNX_NEEDS.items() if info.data.get(name, needed) != needed]
        if runtime == "onnxruntime" and amiss:
            found = ", ".join(f"{name} {json.dumps(info.data[name])}" for name in amiss)
            needed = ", ".join(f"{name} = {json.dumps(_ONNX_NEEDS[name])}" for name in amiss)
            raise ValueError(f"found 'onnxruntime' with {found}; allowed with it: {needed}")
        return runtime

    @property
    def described(self) -> str:
        """The target without its device's model, in a word.

        >>> LatencyTarget(device="cpu", batch=8, channels_last=True).described
        'cpu-1thread-batch8-float32-channels_last-eager'
        """
        layout = ["channels_last"] if self.channels_last else []
        return "-".join([self.device, f"{self.threads}thread", f"batch{self.batch}", self.dtype, *layout, self.runtime])


class _Limits(Settings):
    """What a network may cost at most: the `[budget]` of a study. What costs more is not trained."""

    @property
    def limits(self) -> dict[str, float]:
        """The measures that are limited, with their limits: `{"flops": 2000000.0}`."""
        named = ((name.removeprefix("max_"), value) for name, value in self)
        return {name: float(value) for name, value in named if value is not None}


if TYPE_CHECKING:
    Budget = _Limits
else:
    Budget = create_model(
        "Budget",
        __base__=_Limits,
        __doc__=_Limits.__doc__,
        **{
            f"max_{one.name}": (int | None, Field(None, ge=1, strict=True))
            if one.whole
            else (float | None, Field(None, gt=0, strict=True))
            for one in BUILT_IN.values()
            if one.source != "learnt"
        },
    )


class Search(Settings):
    """How a study searches: the `[search]` of a study."""

    trials: int = Field(24, ge=1, strict=True)
    """Networks to train in all, baselines among them; answered from a row or over budget does not count."""
    sampler: Literal["known_cost", "tpe", "nsga2", "random"] = "known_cost"
    """Who proposes the next network."""
    storage: str | None = None
    """Any Optuna storage: the URL of a SQL database or of Redis, or the path of a journal file, relative to the study's
    folder; without it `study.db` (SQLite) there."""


class StudyFile(Settings):
    """The whole of a `study.toml`; its paths are relative to the file."""

    space: str = Field(min_length=1)
    """The search-space file."""
    task: Task = Field(Classification(), validate_default=True)
    """What the networks learn, and what judges them."""
    objectives: tuple[Objective, ...] = Field(("accuracy", "flops", "latency_ms"), min_length=1)
    """What the search trades off; without it, what the task judges by first, FLOPs and latency."""
    seed: int = Field(0, ge=0, strict=True)
    """Fixes initialisation, data order and augmentation, the same for every network."""
    data: DataSource = Digits()
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

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, said: Any) -> Any:
        use_measures()
        task = said.get("task") if isinstance(said, Mapping) else None
        if not isinstance(task, Mapping) or not {"module", "function"} & task.keys():
            return said
        monitored = task.get("monitor")
        first = next(iter(monitored), "") if isinstance(monitored, Mapping) else ""
        usual = {"objectives": [first, "flops", "latency_ms"]} if is_measure_name(first) else {}
        return {"data": {"kind": "task"}, **usual, **said}

    @field_validator("task")
    @classmethod
    def _measured(cls, task: Task) -> Task:
        use_measures(task.measures)
        return task

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
        if isinstance(task, Classification) and isinstance(data, OfTask):
            raise ValueError("found 'task', which is for a task of the user's own")
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
        if not _has_images(info.data) and any(step.proxy == "supernet" for step in chain):
            raise ValueError("found 'supernet' with a task of the user's own, whose training is not ours to share")
        return chain

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
    return isinstance(said.get("task", Classification()), Classification)


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
