"""Progress callbacks of a study run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_attn.evaluation import OnEpoch, OnPretrained, OnTimed
from nas_attn.search import OnRow
from nas_attn.settings import Step
from nas_attn.space import Architecture
from nas_attn.study import OnWaiting

OnStep = Callable[[Step], None]
"""Called with a step before it begins."""
OnChecked = Callable[[str], None]
"""Called with what a check before the search found: what is unusual, and at last a summary."""
OnPlanned = Callable[[Any], None]
"""Called with the plan of a search, which is of a higher floor, before its first step."""
OnBase = Callable[[Mapping[str, float]], None]
"""Called with the learnt measures of the trained plain backbone from which networks inherit."""
OnPromoted = Callable[[Step, Step, Sequence[Architecture], int], None]
"""Called with a step, the next one, which networks go on, and how many that rank as the last of them stay behind."""
OnScreened = Callable[[int, int], None]
"""Called with the networks that are screened, and those that will be."""


@dataclass(frozen=True)
class Watch:
    """Progress callbacks of a study run."""

    on_step: OnStep = lambda _step: None
    on_row: OnRow = lambda _row, _trained: None
    on_epoch: OnEpoch = lambda _row, _done, _epochs: None
    on_timed: OnTimed = lambda _done, _total: None
    on_screened: OnScreened = lambda _done, _total: None
    on_pretrained: OnPretrained = lambda _what, _done, _epochs: None
    on_waiting: OnWaiting = lambda _message: None
    on_checked: OnChecked = lambda _line: None
    on_planned: OnPlanned | None = None
    """Without it a search is not planned."""
    on_base: OnBase = lambda _validation: None
    on_promoted: OnPromoted = lambda *_: None
