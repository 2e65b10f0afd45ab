"""What is printed somewhere of one network against another: the `[[claim]]`s of a study."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from nas_attn.space import parse

from .table import Settings


class Claim(Settings):
    """One gain that is printed, as readers write it: in points where the leading objective is a share."""

    where: str
    """The network that gains, spelt as rows spell it, or by its stages: `stage3=se`, `stage1-3.block=se`."""
    than: str = "none"
    """The network that it is compared with, spelt alike; without it, the plain backbone."""
    gain: float
    """By how much it is better, in the unit of the leading objective; negative where it is worse."""
    error: float = Field(0.0, ge=0)
    """The standard error of that gain, in the same unit; 0 where it is taken as exact.

    Of a printed 95 % interval that is its half-width divided by 1.96; of two means with standard deviations s over n
    runs each, s times the root of 2 / n.
    """
    source: str = Field(min_length=1)
    """Where it is printed."""

    @field_validator("where", "than")
    @classmethod
    def _can_be_read(cls, spelt: str, info: ValidationInfo) -> str:
        named = parse(spelt)
        if info.field_name == "than" and "where" in info.data and named == parse(info.data["where"]):
            raise ValueError(f"found {spelt!r}, the network of `where`; allowed: another one")
        return spelt


def several(said: Any) -> Any:
    """A `[claim]` alone as the only one of a list."""
    return [said] if isinstance(said, Mapping) else said
