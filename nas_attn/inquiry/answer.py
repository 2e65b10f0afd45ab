"""What trainings say of each network of a question: its gain, what it costs, and what follows."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nas_attn.results import Evaluation
from nas_attn.settings import Measure
from nas_attn.statistics import UNKNOWN, Estimate

from .candidate import Candidate
from .foresight import Finding


@dataclass(frozen=True, slots=True)
class OverWidth:
    """A network against the plain backbone at a width of the same price."""

    price: str
    """What is matched: `flops`."""
    baselines: tuple[str, ...]
    """The width-matched baselines that are interpolated, or the one that is meant."""
    cheaper: bool
    """Whether the widest baseline still costs less."""
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one network: one spelling, from one start."""

    candidate: Candidate
    finding: Finding
    gain: Estimate = UNKNOWN
    """Over the plain backbone; positive is better. Its interval holds together with all others, at 95 %."""
    widths: tuple[OverWidth, ...] = ()
    """The same over width-matched baselines, one a price; empty where there are none."""
    seeds: int = 0
    """How many trainings it rests on, each paired with one of the plain backbone."""
    row: Evaluation | None = None
    """What it costs, in its first training; None where it has none."""
    reason: str = ""
    """Why more trainings would not tell; empty where they would, or nothing is left to tell."""
    more: float = math.nan
    """Seeds that would most likely tell, beside those that there are; infinite where no number would."""
    minutes: float = math.nan
    """The time that they take."""
    images: float = math.nan
    """How far the interval of the gain reaches because of the images; NaN where it holds for these images only."""

    @property
    def seeds_reach(self) -> float:
        """How far it reaches because of the seeds; both together as the root of the sum of their squares."""
        return math.sqrt(max((self.gain.high - self.gain.value) ** 2 - self.images**2, 0.0))

    @property
    def open(self) -> bool:
        """Whether further trainings may tell what is not known."""
        return self.finding == "not known yet" and not self.reason


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """Answers to one question, which share baselines and correction."""

    measure: Measure
    """What networks are judged by."""
    answers: tuple[Answer, ...]
    plain: Evaluation | None
    """The first training of the plain backbone."""
    noise: float
    """Standard deviation of what a seed does to one network and not to all; NaN where it is not known."""
    comparisons: int
    """How many differences share the correction."""
    images: int = 0
    """How many validation images are known one by one; 0 where they are not for each network that is compared, so that
    not all intervals hold for other images too."""
    plain_mean: float = math.nan
    """What the plain backbone does, as if it had been trained with every seed."""
    matching: str = ""
    """Why there is no width-matched baseline, where there is none."""
    share: float = 1.0
    """Of the folds that have validated, where they do so in turn."""

    @property
    def open(self) -> bool:
        """Whether further trainings may tell anything that is not known."""
        return any(one.open for one in self.answers)

    @property
    def minutes(self) -> float:
        """The time that would most likely tell all that is open; NaN where that is not known."""
        return max((one.minutes for one in self.answers if one.open), default=math.nan)

    @property
    def table(self) -> pd.DataFrame:
        """One row an answer, indexed by key: spelling, start, finding, gains with their intervals, and prices."""
        return pd.DataFrame([self._line(one) for one in self.answers]).set_index("key")

    def _line(self, one: Answer) -> dict[str, Any]:
        return {
            "key": one.candidate.key,
            "spelling": one.candidate.spelling,
            "start": one.candidate.start,
            "finding": one.finding,
            "reason": one.reason,
            **_ends("gain", one.gain),
            "gain_reach_by_images": one.images,
            **{name: end for each in one.widths for name, end in _ends(f"gain_over_{each.price}", each.gain).items()},
            "seeds": one.seeds,
            "more_seeds": one.more,
            "more_minutes": one.minutes,
            **{name: _of(one.row, name) for name in ("params", "macs", "flops", "latency_ms")},
            **{f"plain_{name}": _of(self.plain, name) for name in ("params", "macs", "flops", "latency_ms")},
            "architecture": str(one.candidate.architecture),
        }


def _of(row: Evaluation | None, name: str) -> Any:
    return math.nan if row is None else row[name]


def _ends(name: str, known: Estimate) -> dict[str, float]:
    return {name: known.value, f"{name}_low": known.low, f"{name}_high": known.high}
