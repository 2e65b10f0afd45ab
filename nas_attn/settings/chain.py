"""The steps that evaluate networks, the cheapest first: the `chain` of a study."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nas_attn.space import parse

from .measures import Score
from .recipe import Recipe, Settings

FINAL = "final"
"""The step that trains as the winner will be trained; what it finds is the truth that the others are compared with."""

Start = Literal["scratch", "inherit"]
"""From initial weights, or from a trained backbone into which attention is inserted as the identity."""

_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "sandwich": ("supernet",),
    "calibration": ("supernet",),
    "extra_trainings": ("inherit", "scratch", "final"),
    "weights": ("inherit",),
    "resolution": ("scratch",),
    "width": ("scratch",),
    "architectures": ("inherit", "scratch", "final"),
}


class Step(Settings):
    """One step of a chain. A text stands for the proxy of that name, with everything else as usual.

    What is not said of its training is as the study's `[recipe]` has it, but for the epochs of a `supernet` and of
    an `inherit` that is a proxy.
    """

    proxy: Literal["supernet", "inherit", "scratch", "final"]
    """What a network is evaluated by: its share of one network that holds all (`supernet`), a short training from a
    trained backbone (`inherit`), training from initial weights (`scratch`), or as the winner will be (`final`)."""
    name: str = Field("", pattern=r"^\w*$")
    """What rows call the step; without it, its proxy."""
    networks: int | None = Field(None, ge=1, strict=True)
    """How many networks it evaluates. Of a first step that trains: the `trials` of the search; of a first `supernet`:
    2,000; of a later step: a quarter of those of the step before."""
    architectures: tuple[str, ...] = ()
    """Of a first step: what it trains, these and no others, spelt as rows spell them."""
    seeds: int = Field(1, ge=1, strict=True)
    """How many times each is trained, with one seed after the other; of a `supernet`, how many are trained."""
    extra_trainings: int = Field(0, ge=0, strict=True)
    """Trainings beyond these, each with one seed more, of networks that are undecided to be on the front."""
    score: Score = ""
    """What ranks them for the next step, beside their costs: a learnt measure. Without it, the leading objective, or
    what tells networks apart with less noise: `loss` for `accuracy`."""
    weights: Literal["base", "supernet"] = "base"
    """Where an `inherit` takes its weights: from the trained backbone, or from the supernet of an earlier step."""
    sandwich: bool = Field(False, strict=True)
    """Whether a `supernet` learns in each iteration of the plain backbone and of the most expensive network too."""
    calibration: int = Field(512, ge=2, strict=True)
    """Training images by which a `supernet` renews its batch-normalisation statistics for each network."""
    epochs: int | None = Field(None, ge=1, strict=True)
    learning_rate: float | None = Field(None, gt=0, strict=True)
    batch_size: int | None = Field(None, ge=2, strict=True)
    data_share: float = Field(1.0, gt=0, le=1, strict=True)
    """Share of the training images of each class."""
    resolution: float = Field(1.0, gt=0, le=1, strict=True)
    """Share of the height and of the width of the images."""
    width: float = Field(1.0, gt=0, le=1, strict=True)
    """Share of the channels, for a backbone that takes a `width`."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, Mapping):  # version 0.1.0 could say what there is no other way to do now
            return {name: said for name, said in value.items() if (name, said) != ("chosen_by", "promotion")}
        return {"proxy": value} if isinstance(value, str) else value

    @field_validator(*_ONLY_FOR)
    @classmethod
    def _has_use(cls, value: Any, info: ValidationInfo) -> Any:
        name, proxy = str(info.field_name), info.data.get("proxy")
        if proxy not in (None, *_ONLY_FOR[name]) and value != cls.model_fields[name].default:
            raise ValueError(f"found {value!r} for {proxy!r}; it is of use to {', '.join(_ONLY_FOR[name])} only")
        return value

    @field_validator("architectures")
    @classmethod
    def _can_be_read(cls, spelt: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        keys = [parse(text).key for text in spelt]
        if len({*keys}) < len(keys):
            raise ValueError("found one network twice; each may stand there once")
        if spelt and info.data.get("networks") is not None:
            raise ValueError("found networks, a number, beside it; allowed: one of the two")
        return spelt

    def recipe(self, full: Recipe) -> Recipe:
        """How a network of this step is trained, where `full` is how the winner will be."""
        said = {name: getattr(self, name) for name in ("epochs", "learning_rate", "batch_size")}
        if self.epochs not in (None, full.epochs):
            said["warmup_epochs"] = full.warmup_epochs * self.epochs / full.epochs
        return full.model_copy(update={name: value for name, value in said.items() if value is not None})

    @property
    def whole(self) -> bool:
        """Whether it sees whole networks and all training images as they are."""
        return self.data_share == self.resolution == self.width == 1


def resolve(
    chain: tuple[Step, ...], final: Start, recipe: Recipe, base: Recipe, trials: int, score: str
) -> tuple[Step, ...]:
    """The steps with everything stated; a step that trains as the winner will is `final`."""
    steps: list[Step] = []
    for step in chain or (Step(proxy=FINAL),):
        said: dict[str, Any] = {
            "epochs": _epochs(step, final, recipe, base),
            "networks": _networks(step, steps, trials),
            "score": step.score or score,
        }
        if step.proxy == FINAL:
            said["proxy"] = final
        complete = step.model_copy(update={name: value for name, value in said.items() if value is not None})
        as_final = complete.proxy == final and complete.whole and complete.weights == "base"
        name = FINAL if as_final and complete.recipe(recipe) == recipe else step.name or complete.proxy
        steps.append(complete.model_copy(update={"name": name}))
    return tuple(steps)


def _epochs(step: Step, final: Start, recipe: Recipe, base: Recipe) -> int | None:
    if step.epochs is not None:
        return step.epochs
    if step.proxy == "supernet":
        return 2 * base.epochs
    return math.ceil(recipe.epochs / 4) if step.proxy == "inherit" and final == "scratch" else None


def _networks(step: Step, before: list[Step], trials: int) -> int:
    if step.networks is not None or step.architectures:
        return step.networks or len(step.architectures)
    if before:
        return max(1, (before[-1].networks or 1) // 4)
    return 2000 if step.proxy == "supernet" else trials
