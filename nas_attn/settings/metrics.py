"""Metrics by which networks are judged: those that a task has by itself, and the `[metrics]` of a study."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator

from nas_attn.space import InputError, allowed, first_line

from .measures import BUILT_IN, Direction, Measure, learnt
from .objects import named_object
from .table import Settings

BuiltIn = Literal["classification", "multilabel", "segmentation", "regression"]
"""Tasks whose images this package reads, and whose networks it trains."""

VOID = 255
"""The class of a pixel that does not count."""

_PROBED = 1000  # classes, so that any argument of a metric can be right


def _row(name: str, title: str, metric: str, unit: str = "", better: Direction = "max", **more: Any) -> Measure:
    largest = 1.0 if better == "max" or unit == "%" else math.inf
    return Measure(name, title, unit, better, "learnt", metric=metric, **{"largest": largest, **more})


_KIND = "torchmetrics.classification:"
_MACRO = {"average": "macro"}
_SCORES: dict[str, Any] = {"takes": "probabilities", "arguments": _MACRO}
_PIXELS: dict[str, Any] = {"takes": "classes", "arguments": _MACRO}
_VALUES: dict[str, Any] = {"takes": "values"}
_OURS = "nas_attn.training.metrics:"

_TABLES: Mapping[BuiltIn, tuple[Measure, ...]] = {
    "classification": (
        BUILT_IN["accuracy"],
        BUILT_IN["loss"],
        _row("top5", "Top-5 accuracy", f"{_KIND}MulticlassAccuracy", "%", arguments={"average": "micro", "top_k": 5}),
        _row("balanced_accuracy", "Balanced accuracy", f"{_KIND}MulticlassRecall", "%", **_SCORES),
        _row("f1_macro", "Macro F1", f"{_KIND}MulticlassF1Score", **_SCORES),
        _row("precision_macro", "Macro precision", f"{_KIND}MulticlassPrecision", **_SCORES),
        _row("recall_macro", "Macro recall", f"{_KIND}MulticlassRecall", **_SCORES),
        _row("auroc", "AUROC", f"{_KIND}MulticlassAUROC", **_SCORES),
        _row("average_precision", "Average precision", f"{_KIND}MulticlassAveragePrecision", **_SCORES),
        _row(
            *("calibration_error", "Calibration error", f"{_KIND}MulticlassCalibrationError", "%", "min"),
            takes="probabilities",
        ),
    ),
    "multilabel": (
        _row("average_precision", "Mean average precision", f"{_KIND}MultilabelAveragePrecision", **_SCORES),
        replace(BUILT_IN["loss"], metric=f"{_OURS}BinaryCrossEntropy"),
        _row("accuracy", "Accuracy over labels", f"{_KIND}MultilabelAccuracy", "%", **_SCORES),
        _row("exact_match", "Exact matches", f"{_KIND}MultilabelExactMatch", "%", takes="probabilities"),
        _row("f1_macro", "Macro F1", f"{_KIND}MultilabelF1Score", **_SCORES),
        _row("precision_macro", "Macro precision", f"{_KIND}MultilabelPrecision", **_SCORES),
        _row("recall_macro", "Macro recall", f"{_KIND}MultilabelRecall", **_SCORES),
        _row("auroc", "AUROC", f"{_KIND}MultilabelAUROC", **_SCORES),
    ),
    "segmentation": (
        _row("mean_iou", "Mean IoU", f"{_KIND}MulticlassJaccardIndex", "%", **_PIXELS),
        BUILT_IN["loss"],
        _row("dice", "Dice", f"{_KIND}MulticlassF1Score", **_PIXELS),
        _row(
            *("pixel_accuracy", "Pixel accuracy", f"{_KIND}MulticlassAccuracy", "%"),
            takes="classes",
            arguments={"average": "micro"},
        ),
    ),
    "regression": (
        _row("mae", "Mean absolute error", "torchmetrics:MeanAbsoluteError", "", "min", **_VALUES),
        _row("loss", "Loss", "torchmetrics:MeanSquaredError", "", "min"),
        _row("rmse", "RMSE", "torchmetrics:MeanSquaredError", "", "min", arguments={"squared": False}, **_VALUES),
        _row("r2", "R2", "torchmetrics:R2Score", smallest=-math.inf, **_VALUES),
        replace(BUILT_IN["train_loss"], unit=""),
    ),
}
_USUAL = ("loss", "train_loss")
_TAKEN: Mapping[BuiltIn, str] = {
    "classification": "probabilities",
    "multilabel": "probabilities",
    "segmentation": "classes",
    "regression": "values",
}
_TORCHMETRICS_TASKS = {"classification": "multiclass", "segmentation": "multiclass", "multilabel": "multilabel"}


class Metric(Settings):
    """A metric that judges too. A text stands for what it names."""

    metric: str
    """One by its short name, as `f1_macro`, or a class with the interface of torchmetrics, as
    `torchmetrics.classification:MulticlassF1Score`. It is updated with probabilities (B, classes) and labels (B,); of
    labels that exclude nothing (B, labels) both; of pixels classes (B, h, w) both; of numbers values (B,) or (B,
    values) both. A class whose name begins with `Binary` gets the probability of the second class of two."""
    arguments: dict[str, Any] = Field({})
    """What else the class is called with; the number of classes or labels is given where it takes one."""
    better: Direction | None = None
    """Whether more or less is better; without it, as the class says."""
    title: str = ""
    """What tables and axes call it; without it, its name."""
    unit: str = ""
    """What it is written in; a `%` is for a share, 0 to 1, that is written times 100."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value


def usual_measures(task: BuiltIn) -> tuple[Measure, ...]:
    """The learnt measures that a task always has, the leading one first."""
    if task == "classification":
        return tuple(learnt(BUILT_IN))
    return tuple(one for one in _TABLES[task] if one is _TABLES[task][0] or one.name in _USUAL)


def short_names(task: BuiltIn) -> Mapping[str, Measure]:
    """The measures of a task that need no more than their names."""
    return {one.name: one for one in _TABLES[task] if one.objective}


def with_short_names(said: Mapping[str, Any], task: BuiltIn) -> Any:
    """The `metrics` of a study as a table, with those that it uses elsewhere by their short names alone."""
    given = said.get("metrics", {})
    if isinstance(given, list | tuple) and all(isinstance(one, str) for one in given):
        given = {one: one for one in given}
    if not isinstance(given, Mapping):
        return given
    budget, chain, objectives = (said.get(name) or () for name in ("budget", "chain", "objectives"))
    limited = (str(name)[4:] for name in budget if str(name).startswith(("min_", "max_")))
    scores = (step.get("score") for step in chain if isinstance(step, Mapping)) if isinstance(chain, list) else ()
    used = [*(objectives if isinstance(objectives, list | tuple) else ()), *limited, *scores]
    usual = {one.name for one in usual_measures(task)}
    short = [name for name in used if isinstance(name, str) and name in short_names(task) and name not in usual]
    return {**given, **{name: name for name in short if name not in given}}


def metric_measure(name: str, said: Metric, task: BuiltIn) -> Measure:
    """A metric as a learnt measure of this name; raises `ValueError` where there is no such metric."""
    known = short_names(task)
    if ":" in said.metric:
        base = _of_class(said, task)
    elif said.metric in known:
        base = replace(known[said.metric], arguments={**known[said.metric].arguments, **said.arguments})
        _probed(base, task)
    else:
        other = "or package.module:Class"
        raise ValueError(f"found {said.metric!r}; {allowed(said.metric, known)} of {task}, {other}")
    title = said.title or base.title or name[:1].upper() + name[1:].replace("_", " ")
    better, unit = said.better or base.better, said.unit or base.unit
    return replace(base, name=name, title=title, better=better, unit=unit)


def _of_class(said: Metric, task: BuiltIn) -> Measure:
    takes: Any = _TAKEN[task]
    base = Measure("", "", source="learnt", metric=said.metric, arguments=said.arguments, takes=takes)
    made = _probed(base, task)
    higher = getattr(made, "higher_is_better", None)
    if said.better is None and higher is None:
        raise ValueError(f"{said.metric} does not say whether more or less is better; say better = 'max' or 'min'")
    better: Direction = said.better or ("max" if higher else "min")
    # Only the best value is taken from torchmetrics: its worst ones are passed, by correlations below 0 and by losses.
    best = getattr(made, f"plot_{'upper' if better == 'max' else 'lower'}_bound", None)
    largest, smallest = (best, None) if better == "max" else (None, best)
    return replace(
        base,
        better=better,
        largest=math.inf if largest is None else largest,
        smallest=-math.inf if smallest is None else smallest,
    )


def _probed(one: Measure, task: BuiltIn) -> Any:
    try:
        return make_metric(one, task, _PROBED)
    except InputError as error:
        raise ValueError(str(error)) from None


def make_metric(one: Measure, task: BuiltIn, classes: int, **usual: Any) -> Any:
    """The metric of a learnt measure, for so many classes, labels or values; `usual` holds where it takes that.

    Raises `InputError` where its class cannot be called so, or is none.
    """
    kind = named_object(one.metric)
    taken = inspect.signature(kind).parameters if callable(kind) else {}
    given = {"num_classes": classes, "num_labels": classes, "task": _TORCHMETRICS_TASKS.get(task), **usual}
    arguments = {name: value for name, value in given.items() if name in taken and value is not None}
    try:
        made = kind(**{**arguments, **one.arguments})
    except Exception as error:  # a user's class may fail in any way
        raise InputError(f"{one.metric}: cannot be made so: {first_line(error)}") from None
    if missing := [name for name in ("update", "compute", "reset", "register_buffer") if not hasattr(made, name)]:
        raise InputError(f"{one.metric}: has no {missing[0]!r}; allowed: a subclass of torchmetrics.Metric")
    return made
