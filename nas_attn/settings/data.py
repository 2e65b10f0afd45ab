"""Which images a study learns from, and what they are labelled with: the `[data]` of a study."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from .metrics import BuiltIn
from .objects import is_named_object
from .recipe import Settings

_BESIDE_FOLDS = {
    "validation": "folds of one size validate in turn, so leave validation out",
    "val_path": "images that validate all the time cannot take turns: leave out folds, or put them among the others",
}
"""What cannot be said where folds validate, with the cure."""


class _Split(Settings):
    validation: float = Field(0.2, gt=0, lt=1, strict=True)
    """Share of the images by which the search compares networks; not used where a folder of them stands apart."""
    test: float = Field(0.2, gt=0, lt=1, strict=True)
    """Share of the images that the search never sees; not used where they stand apart."""
    split_seed: int = Field(0, ge=0, strict=True)
    """Fixes which image belongs to which part."""
    folds: int | None = Field(None, ge=2, le=20, strict=True)
    """Parts, of one size, of all images but the test part that take turns: the study's first seed validates on the
    first of them and trains on the others, its next seed on the second, and so on. Without it, one part validates."""

    @model_validator(mode="after")
    def _folds_validate(self) -> Self:
        for name, cure in _BESIDE_FOLDS.items():
            if self.folds and name in self.model_fields_set and (found := getattr(self, name)) is not None:
                raise ValueError(f"found folds = {self.folds} beside {name} = {found!r}; {cure}")
        return self


class _Many(_Split):
    limit: int | None = Field(None, ge=8, strict=True)
    """Take this many of the images at most, the same share of each class, or of all; of parts that stand apart, all."""
    image_size: int | None = Field(None, ge=1, strict=True)
    """Resize every image to a square of this many pixels a side; without it all must have one size."""


class _Files(_Many):
    path: str = Field(min_length=1)
    """Where the images are, relative to the study file."""
    val_path: str | None = Field(None, min_length=1)
    """Where the validation images are, if they stand apart."""
    test_path: str | None = Field(None, min_length=1)
    """Where the test images are, if they stand apart."""
    split_by: Literal["content", "order"] = "content"
    """Which image belongs to which part: by the content of its file, whatever its name, and copies stay together; or by
    its place in the order of names, as in version 0.1.0."""
    channels: Literal[1, 3] = 3
    """3: colour; 1: grey."""
    background: Literal["white", "black", "grey"] = "white"
    """What shows through transparent pixels."""
    label_columns: tuple[str, ...] = ()
    """Columns of 0 and 1, one for each label or class; in a regression, of numbers, one for each value."""
    class_names: tuple[str, ...] = ()
    """Names of the classes or labels that are numbers, in order; of pixels, without it, they go by their numbers."""


class Digits(_Split):
    """1,797 scanned handwritten digits, 8 x 8 pixels, one channel; part of scikit-learn."""

    kind: Literal["digits"] = "digits"


class ImageFolder(_Files):
    """A folder with a sub-folder of images for each class; or of images, with a file of labels or a folder of masks.

    Where its sub-folders are parts that hold the classes or the images, as `train`, `val` and `test`, they are the
    parts; what has no folder is a share of the one that trains.
    """

    kind: Literal["folder"] = "folder"
    labels: str | None = Field(None, min_length=1)
    """A table of labels with a row for each image, .csv, .tsv, .jsonl or .parquet: in the folder, its parts, or
    relative to the study file."""
    file_column: str | None = Field(None, min_length=1)
    """Its column of files, relative to the folder, with or without suffix; without it the only one named so."""
    label_column: str | None = Field(None, min_length=1)
    """Its column of labels: a class, several labels, or a number; without it `label`, or the only one that is left."""
    masks: str | None = Field(None, min_length=1)
    """The folder of masks, whose pixels are class numbers, 255 for none: in the folder, beside it, in its parts, or
    relative to the study file. A mask has its image's name, which may end in `_mask` or the like."""
    groups: str | None = Field(None, min_length=1)
    """A regular expression, found in each path below the folder: images for which it matches the same text, or the same
    groups, such as patients or videos, stay in one part."""

    @field_validator("groups")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"found {pattern!r}, which is no regular expression: {error}") from None
        return pattern


class Parquet(_Files):
    """A Parquet file in the Hugging Face image layout: encoded bytes in a struct, and labels or masks."""

    kind: Literal["parquet"] = "parquet"
    image_column: str | None = None
    """The column of images; without it the only column of structs that hold `bytes`."""
    label_column: str = "label"
    """The column of class indices or names, of lists of them, or of numbers."""
    mask_column: str | None = None
    """The column of masks, as images are."""
    group_column: str | None = None
    """The column of what keeps images together, such as a patient: those of one value stay in one part."""


class Torchvision(_Many):
    """A set that torchvision knows, such as CIFAR10 or SVHN, with the test images that it sets apart, if it does."""

    kind: Literal["torchvision"] = "torchvision"
    name: str = Field(min_length=1)
    """Its class in `torchvision.datasets`, which takes a `root`, and a `train` or a `split`."""
    path: str = Field(min_length=1)
    """The folder that torchvision calls `root`, relative to the study file."""
    download: bool = Field(False, strict=True, exclude=True)
    """Whether torchvision may fetch what is not in the folder; it has no share in what a study asks."""
    channels: Literal[1, 3] | None = None
    """3: colour; 1: grey; without it, as the set has them."""


class Planted(_Split):
    """Images made here, one channel, 8 rows: two lines of two words each, which in one class are the same word twice.

    A truth to see a search find: in a network that sees at most `gap` columns at once, coordinate or triplet attention
    tells the classes apart, where four columns are seen and rows are not yet pooled; other kinds hardly do.
    """

    kind: Literal["planted"] = "planted"
    images: int = Field(1200, ge=16, strict=True)
    """How many, half of them of each class."""
    gap: int = Field(6, ge=2, strict=True)
    """Columns between words at least; a word is 4 wide, an image 16 + 5 gap."""
    seed: int = Field(0, ge=0, strict=True)
    """Fixes the images."""


class _DividedElsewhere(Settings):
    @model_validator(mode="before")
    @classmethod
    def _has_no_folds(cls, said: Any) -> Any:
        if isinstance(said, Mapping) and "folds" in said:
            raise ValueError(
                f"found folds = {said['folds']} for images that code of your own divides, so that no others can "
                "validate; leave it out"
            )
        return said


class DataModule(_DividedElsewhere):
    """A `LightningDataModule` of the user's own, whose loaders and batch hooks are used as they are."""

    kind: Literal["module"] = "module"
    module: str
    """Its class, as `my_package.data:Module`."""
    arguments: dict[str, Any] = Field({})
    """What the class is called with, by name."""

    @field_validator("module")
    @classmethod
    def _names_a_class(cls, module: str) -> str:
        if not is_named_object(module):
            raise ValueError(f"found {module!r}; allowed: a class, as my_package.data:Module")
        return module


class OfTask(_DividedElsewhere):
    """Images that a task of the user's own brings."""

    kind: Literal["task"] = "task"


DataSource = Annotated[
    Digits | ImageFolder | Parquet | Torchvision | Planted | DataModule | OfTask, Field(discriminator="kind")
]
"""Where the images of a study come from."""


_DECIDED_BY_A_MODULE = (
    *("batch_size", "horizontal_flip", "crop_padding", "cutout", "transforms", "mixup", "cutmix"),
    *("data_share", "resolution"),
)
_DECIDED_BY_A_TASK = (
    *("optimizer", "optimizer_arguments", "learning_rate", "momentum", "weight_decay"),
    *("schedule", "schedule_arguments", "warmup_epochs", "ema_decay"),
    *("loss", "loss_arguments", "focal_gamma", "class_weights", "label_smoothing"),
)


def refuse_what_a_module_decides(table: Settings | None) -> None:
    """Raise `ValueError` where a recipe or a step says of images and batches what a `DataModule` decides by itself."""
    for name, field in type(table).model_fields.items() if table is not None else ():
        if name in _DECIDED_BY_A_MODULE and (found := getattr(table, name)) != field.default:
            raise ValueError(f"found {name} = {found}, which has no effect on a data module; leave it out")
    if getattr(table, "class_weights", None) == "balanced":
        raise ValueError("found class_weights = balanced for a data module, whose labels are not counted; list them")


def refuse_all_but_epochs(table: Settings | None) -> None:
    """Raise `ValueError` where a recipe or a step says of training what a task of the user's own decides by itself."""
    decided = (*_DECIDED_BY_A_MODULE, *_DECIDED_BY_A_TASK)
    for name, field in type(table).model_fields.items() if table is not None else ():
        if name in decided and (found := getattr(table, name)) != field.default:
            raise ValueError(f"found {name} = {found}, which has no effect on a task of the user's own; leave it out")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the images of a study are like: enough to build its networks, and to use them, without the images."""

    in_channels: int
    height: int
    width: int
    class_names: tuple[str, ...]
    """Of classes, of labels, or of the values of a regression."""
    mean: tuple[float, ...]
    """Of each channel over the training part, in units of the largest pixel value."""
    std: tuple[float, ...]
    task: BuiltIn = "classification"
    """What they are labelled with."""
    target_mean: tuple[float, ...] = ()
    """Of each value over the training part, in a regression."""
    target_std: tuple[float, ...] = ()

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.in_channels, self.height, self.width


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is remembered of the images of a study and of their labels, so that a change is noticed and can be named."""

    parts: dict[str, str]
    """The SHA-256 of the images of each part with their classes."""
    images: int
    """How many there are in all parts."""
    sample: tuple[str, ...]
    """Of 2,000 images at most, those whose pixels have the smallest digests: digest, part and label; none where images
    are a module's to make."""
    reader: str
    """What decoded the images."""
