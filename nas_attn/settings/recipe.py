"""How a network is trained: the `[recipe]` of a study."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationInfo, field_validator

from nas_attn.space import allowed

from .objects import is_named_object
from .table import Settings
from .transform import MIXING, Transform, need_package

_OPTIMIZERS = ("sgd", "adamw")
_SCHEDULES = ("one_cycle", "constant")
_LOSSES = ("usual", "cross_entropy", "focal", "bce")
_SMOOTHED = ("usual", "cross_entropy", "bce")
_WARM = ("one_cycle", "OneCycleLR", "CyclicLR")
"""Schedules that begin with a low rate by themselves."""
_OTHER_KEYS = {"lr": "learning_rate", "weight_decay": "weight_decay", "params": ""}
"""What an optimiser is called with, and the setting that says it."""

_GOES_WITH: Mapping[str, tuple[str, Callable[[str], bool], str]] = {
    "momentum": ("optimizer", lambda name: name in _OPTIMIZERS, "; say it in optimizer_arguments"),
    "schedule_arguments": ("schedule", lambda name: name != "constant", ", which has none; leave it out"),
    "warmup_epochs": ("schedule", lambda name: name not in _WARM, ", which warms up by itself; leave it out"),
    "loss_arguments": ("loss", is_named_object, ", which takes none; leave it out"),
    "focal_gamma": ("loss", lambda name: name == "focal", ", which has none; leave it out"),
    "class_weights": ("loss", lambda name: name in _LOSSES, "; give it to your loss in loss_arguments"),
    "label_smoothing": ("loss", lambda name: name in _SMOOTHED, ", which has none; leave it out"),
    **dict.fromkeys(
        MIXING.values(),
        ("loss", lambda name: name != "focal", ", which is not defined for labels that are shares of classes"),
    ),
}
"""Settings that another one has to allow: its name, whether its value does, and what to do where it does not."""


def _choice(usual: tuple[str, ...], others: str, *, classes: bool) -> AfterValidator:
    def check(name: str) -> str:
        is_class = classes and name.isidentifier() and name[0].isupper()  # which is searched for where torch is loaded
        if name in usual or is_class or is_named_object(name):
            return name
        raise ValueError(f"found {name!r}; {allowed(name, usual)}, or {others}")

    return AfterValidator(check)


def _weights(value: Any) -> Any:
    numbers = isinstance(value, list | tuple) and all(type(one) in (int, float) and one >= 0 for one in value)
    if value in (None, "balanced") or (numbers and any(value)):
        return value
    raise ValueError(f"found {value!r}; allowed: 'balanced', or a list of numbers of 0 or more, one a class")


class Recipe(Settings):
    """One way to train, from initialisation to the last epoch."""

    epochs: int = Field(10, ge=1, strict=True)
    """Passes over the training part."""
    batch_size: int = Field(64, ge=2, strict=True)
    """Images an iteration."""

    optimizer: Annotated[str, _choice(_OPTIMIZERS, "a class of torch.optim, such as RMSprop", classes=True)] = "sgd"
    """`sgd`, with Nesterov's momentum, `adamw`, a class of `torch.optim`, or `package.module:Class`."""
    optimizer_arguments: dict[str, JsonValue] = Field({})
    """What else the optimiser is called with, by name."""
    learning_rate: float = Field(0.1, gt=0, strict=True)
    """The highest of the schedule."""
    momentum: float = Field(0.9, ge=0, lt=1, strict=True)
    """Of `sgd`; `adamw` takes it as its first beta."""
    weight_decay: float = Field(5e-4, ge=0, strict=True)
    """Applied to every parameter with two or more dimensions: not to biases and normalisation."""

    schedule: Annotated[
        str, _choice(_SCHEDULES, "a class of torch.optim.lr_scheduler, such as CosineAnnealingLR", classes=True)
    ] = "one_cycle"
    """Of the learning rate: `one_cycle`, `constant`, or a class of `torch.optim.lr_scheduler`, which changes it with
    every iteration and, where it has a length and none is said, lasts as long as training."""
    schedule_arguments: dict[str, JsonValue] = Field({})
    """What the schedule is called with, by name; lengths (`T_max`, `step_size`, `milestones`, ...) in epochs."""
    warmup_epochs: float = Field(0.0, ge=0, strict=True)
    """Epochs in which the rate rises evenly from a hundredth, before the schedule begins; a step of fewer epochs has
    the same share of them."""

    loss: Annotated[str, _choice(_LOSSES, "a loss of your own, as my_package.losses:Loss", classes=False)] = "usual"
    """`usual`, that of the task: cross-entropy of classes, binary cross-entropy of labels, squared error of numbers;
    `cross_entropy`, `focal`, `bce` (binary, of classes against one-hot targets), or a function or class of (logits,
    labels)."""
    loss_arguments: dict[str, JsonValue] = Field({})
    """What a loss of your own is called with, or made with where it is a class, by name."""
    focal_gamma: float = Field(2.0, ge=0, strict=True)
    """How much less the focal loss counts what is already right; 0: not at all."""
    class_weights: Annotated[Literal["balanced"] | tuple[float, ...] | None, BeforeValidator(_weights)] = None
    """Weights of the classes in the training loss, in their order; `balanced`: as rare as they are."""
    label_smoothing: float = Field(0.0, ge=0, lt=1, strict=True)
    """Share of the target that all classes have in common."""

    horizontal_flip: bool = Field(False, strict=True)
    """Mirror every second training image; wrong for digits and letters."""
    crop_padding: int = Field(0, ge=0, strict=True)
    """Pixels of zero padding around a training image from which a crop of its size is taken; 0: none."""
    cutout: int = Field(0, ge=0, strict=True)
    """Side, in pixels, of a square of every training image that gets the mean colour; 0: none."""
    transforms: tuple[Transform, ...] = ()
    """What else is done to each training image, in this order and after the three above."""
    mixup: float = Field(0.0, ge=0, strict=True)
    """Alpha of mixup, by which each image becomes a mixture with another of its batch; 0: none."""
    cutmix: float = Field(0.0, ge=0, strict=True)
    """Alpha of CutMix, by which a part of another image covers each; 0: none. Beside mixup, a batch has one of them."""

    ema_decay: float = Field(0.0, ge=0, lt=1, strict=True)
    """Decay of an exponential moving average of the weights, which is validated and kept; 0: none."""

    @property
    def named(self) -> tuple[str, ...]:
        """What it names of Python, as `package.module:name`."""
        said = (self.optimizer, self.schedule, self.loss, *(one.name for one in self.transforms))
        return tuple(filter(is_named_object, said))

    @field_validator(*_GOES_WITH)
    @classmethod
    def _has_use(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        other, allows, cure = _GOES_WITH[name]
        said = info.data.get(other, cls.model_fields[other].default)
        if value != cls.model_fields[name].default and not allows(said):
            raise ValueError(f"found {value!r} with {other} = {said!r}{cure}")
        return value

    @field_validator("optimizer_arguments")
    @classmethod
    def _says_nothing_twice(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name in arguments.keys() & _OTHER_KEYS.keys():
            raise ValueError(f"found {name}; {f'say it as {key}' if (key := _OTHER_KEYS[name]) else 'leave it out'}")
        return arguments

    @field_validator("schedule")
    @classmethod
    def _goes_by_time(cls, schedule: str) -> str:
        if schedule == "ReduceLROnPlateau":
            raise ValueError(
                f"found {schedule!r}, which waits for the validation part, and that is for comparing networks: it is "
                "scored once, after the last epoch; allowed: schedules that depend on the iteration alone"
            )
        return schedule

    @field_validator("warmup_epochs")
    @classmethod
    def _leaves_epochs(cls, warmup: float, info: ValidationInfo) -> float:
        epochs = info.data.get("epochs")
        if epochs is not None and warmup >= epochs:
            raise ValueError(f"found {warmup:g} of {epochs} epochs; allowed: less than {epochs}")
        return warmup

    @field_validator(*MIXING.values())
    @classmethod
    def _can_mix(cls, alpha: float) -> float:
        if alpha:
            need_package("torchvision", f"found {alpha:g}")
        return alpha
