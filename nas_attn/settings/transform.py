"""Transforms of training images: the `transforms` of a recipe."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from pydantic import Field, JsonValue, field_validator, model_validator

from .objects import is_named_object
from .table import Settings

MIXING = {"MixUp": "mixup", "CutMix": "cutmix"}
"""What mixes a batch in torchvision, and the setting of a recipe that says it."""


class Transform(Settings):
    """A transform of training images, and what it is called with. A text stands for its name.

    >>> Transform.model_validate({"name": "RandomErasing", "p": 0.25}).arguments
    {'p': 0.25}
    """

    name: str = Field(min_length=1)
    """A class of `torchvision.transforms.v2`, or any as `package.module:Class`, such as
    `albumentations:HorizontalFlip`."""
    arguments: dict[str, JsonValue] = Field({})
    """What it is called with, by name; in a list `transforms` are further transforms."""

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, Mapping) or value.keys() == {"name", "arguments"}:
            return value
        arguments = {key: one for key, one in value.items() if key != "name"}
        return {key: one for key, one in value.items() if key == "name"} | {"arguments": arguments}

    @field_validator("name")
    @classmethod
    def _can_be_had(cls, name: str) -> str:
        if name in MIXING:
            raise ValueError(f"found {name!r}, which mixes a batch; say {MIXING[name]} = 1.0 beside the transforms")
        package = name.split(":")[0].split(".")[0] if is_named_object(name) else "torchvision"
        need_package(package, f"found {name!r}")
        return name


def need_package(package: str, found: str) -> None:
    """Raise `ValueError` where what was found needs a package that is not installed."""
    if package not in sys.modules and find_spec(package) is None:
        cure = "pip install 'nas-attn[torchvision]'" if package == "torchvision" else "install the package that has it"
        raise ValueError(f"{found}, which needs {package}, and that is not installed; {cure}")
