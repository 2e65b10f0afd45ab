"""What a study's networks learn, and what judges them: the `[task]` of a study."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from .measures import BUILT_IN, Direction, Measure
from .metrics import BuiltIn, Metric, metric_measure, usual_measures
from .objects import is_named_object
from .recipe import Settings

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_MODULE_PATH = re.compile(r"\w+(\.\w+)*")


class Monitored(Settings):
    """A number by which a user's own training judges a network. A text stands for its direction."""

    better: Direction
    """Whether more or less is better."""
    logged: str = ""
    """What the training calls it, such as `val/map_50`; without it, its name, or what alone ends in it."""
    title: str = ""
    """What tables and axes call it; without it, its name."""
    unit: str = ""
    """What it is written in; a `%` is for a share, 0 to 1, that is written times 100."""

    @model_validator(mode="before")
    @classmethod
    def _directed(cls, value: Any) -> Any:
        return {"better": value} if isinstance(value, str) else value

    def measure(self, name: str) -> Measure:
        """It as a learnt measure of this name."""
        largest = 1.0 if self.unit == "%" else float("inf")
        title = self.title or name[:1].upper() + name[1:].replace("_", " ")
        return Measure(name, title, self.unit, self.better, "learnt", largest=largest, smallest=float("-inf"))


def is_measure_name(name: object) -> bool:
    """Whether a measure of a user's own may be called so, and its column."""
    return bool(_NAME.fullmatch(str(name))) and (str(name) not in BUILT_IN or BUILT_IN[str(name)].source == "learnt")


def _names(value: Any) -> Any:
    """The names of measures, which become columns: refused where they are no words, or mean something else here."""
    for name in value if isinstance(value, Mapping) else ():
        if not _NAME.fullmatch(str(name)):
            plain = re.sub(r"\W+", "_", str(name)).strip("_") or "score"
            raise ValueError(
                f"found {name!r}; allowed: letters, digits and _, as {plain} = {{ logged = {name!r}, better = 'max' }}"
            )
        if not is_measure_name(name):
            raise ValueError(f"found {name!r}, which is {BUILT_IN[name].source} here; call it otherwise")
    return value


Monitor = Annotated[dict[str, Monitored], BeforeValidator(_names), Field(min_length=1)]
"""The numbers that judge, by their names as measures, the leading one first."""


def _object(value: str) -> str:
    if not is_named_object(value):
        raise ValueError(f"found {value!r}; allowed: package.module:name")
    return value


NamedObject = Annotated[str, AfterValidator(_object)]


class BuiltInTask(Settings):
    """What images are labelled with here, and networks learn by the recipe.

    `classification`: one class an image, by cross-entropy, judged by accuracy; `multilabel`: any number of labels, each
    by binary cross-entropy, judged by mean average precision; `segmentation`: a class for each pixel, by cross-entropy,
    judged by mean IoU; `regression`: numbers, by mean squared error, judged by mean absolute error.
    """

    kind: BuiltIn = "classification"

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that it always has, the leading one first."""
        return usual_measures(self.kind)


class _Own(Settings):
    arguments: dict[str, Any] = Field({})
    """What else it is called with, by name."""
    monitor: Monitor
    """What it says and judges by, with directions: `{ map_50 = "max", loss = "min" }`."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is monitored."""
        return tuple(one.measure(name) for name, one in self.monitor.items())


class OwnModule(_Own):
    """A `LightningModule` of the user's, whose steps, optimisers, metrics, callbacks and data are used as they are."""

    module: NamedObject
    """Its class, as `my_package.lit:LitDetector`."""
    network: str = Field("", pattern=_MODULE_PATH)
    """The attribute whose network gets attention, such as `model.backbone`; without it `model`, `net`, `network` or
    `backbone`, the only one that there is."""


class OwnFunction(_Own):
    """A training function of the user's: `train(network, seed, *, epochs, device) -> {"map_50": 0.31}`."""

    function: NamedObject
    """The function, as `my_package.train:train`."""


def _which(value: Any) -> str:
    said = value if isinstance(value, Mapping) else dict.fromkeys(getattr(type(value), "model_fields", ()))
    return "of a module" if "module" in said else "of a function" if "function" in said else "built in"


Task = Annotated[
    Annotated[BuiltInTask, Tag("built in")]
    | Annotated[OwnModule, Tag("of a module")]
    | Annotated[OwnFunction, Tag("of a function")],
    Discriminator(_which),
]
"""What the networks of a study learn."""


def judging(task: Task, metrics: Mapping[str, Metric]) -> tuple[Measure, ...]:
    """The learnt measures of a task and of these metrics; raises `ValueError` where there is no such metric."""
    found = {one.name: one for one in task.measures}
    if metrics and not isinstance(task, BuiltInTask):
        raise ValueError("found metrics for a task of the user's own, which judges by what its monitor names")
    for name, said in metrics.items():
        _names({name: None})
        try:
            found[name] = metric_measure(name, said, task.kind)  # type: ignore[union-attr]
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return tuple(found.values())
