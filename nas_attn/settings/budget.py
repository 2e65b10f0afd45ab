"""What a network may cost at most, and how good it has to be: the `[budget]` of a study."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, model_validator

from nas_attn.space import allowed

from .measures import BUILT_IN, Measure, learnt
from .table import Settings


class _Limits(Settings):
    """What a network may cost at most, and how good it has to be: the `[budget]` of a study.

    What costs more than `max_flops` and the like is not trained. What is found to be worse than a floor, such as
    `min_recall` or `max_loss`, by the mean over its seeds, is never on the front.
    """

    floors: Mapping[str, float] = Field(default_factory=dict)
    """The worst values that are allowed of learnt measures, by name."""

    @model_validator(mode="before")
    @classmethod
    def _floors_apart(cls, said: Any) -> Any:
        """The limits of learnt measures, which each study has of its own, in a table of theirs."""
        if not isinstance(said, Mapping):
            return said
        known = {_limit(one): one for one in learnt()}
        wrong = {("max_" if name.startswith("min_") else "min_") + name[4:]: name for name in known}
        for name in said:
            if name in wrong or (str(name).startswith("min_") and name not in known):
                raise ValueError(f"found {name!r}; {allowed(wrong.get(name, name), known)}")
        floors = {known[name].name: _within(name, known[name], said[name]) for name in said if name in known}
        others = {name: value for name, value in said.items() if name not in known}
        return {**others, "floors": floors} if floors else others

    @property
    def limits(self) -> dict[str, float]:
        """The costs that are limited, with their limits: `{"flops": 2000000.0}`."""
        named = ((name.removeprefix("max_"), value) for name, value in self if name != "floors")
        return {name: float(value) for name, value in named if value is not None}


def _limit(one: Measure) -> str:
    return f"{'min' if one.better == 'max' else 'max'}_{one.name}"


def _within(name: str, one: Measure, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not one.smallest <= value <= one.largest or math.isinf(value):
        ends = (one.smallest, one.largest)
        bounds = "a number" if math.isinf(ends[0]) and math.isinf(ends[1]) else f"from {ends[0]:g} to {ends[1]:g}"
        raise ValueError(f"{name}: found {value!r}; allowed: {bounds}")
    return float(value)


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
