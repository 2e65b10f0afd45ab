"""One row an architecture, step and seed: what it is, what it costs, how well it does, and how that is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field

from nas_attn.settings import MEASURES, Count, Measure, bounded, digits, measure

from .curves import CurveText

State = Literal["priced", "complete", "over_budget", "failed"]
"""`priced`: cost known, not trained; `complete`: trained; `over_budget`: costs more than the budget allows; `failed`:
training gave no result. The last two for the reason that the row gives."""

Role = Literal["baseline", "search", "width-matched"]
"""Whether it was trained to be compared with, proposed by the sampler, or is a plain network of another width."""

Slots = Sequence[tuple[str, Sequence[str]]]
"""The slots of a space, each with the names of its sites."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of one architecture on one target; each field is a column, `latency_` and its name."""

    ms: float = math.nan
    """Median time of one forward pass of `batch` images."""
    iqr_ms: float = math.nan
    """The interquartile range of the timed calls; NaN where it is predicted."""
    calls: int = 0
    """How many calls were timed; 0 where it is predicted."""
    device: str = ""
    """The device whose time it is, by its model's name."""
    threads: int = 1
    """Threads that one pass could use."""
    batch: int = 1
    """Images in one pass."""
    dtype: str = ""
    """The number type of the pass: `float32`."""
    ms_low: float = math.nan
    """The lower end of the 95 % interval of `ms`."""
    ms_high: float = math.nan
    """Its upper end."""
    source: Literal["measured", "predicted"] = "measured"
    """Whether this network was timed, or others that have its parts."""
    predicted_ms: float = math.nan
    """What was predicted before it was measured; NaN where nothing was."""
    target: str = ""
    """What the study calls the target."""
    runtime: str = "eager"
    """What runs the pass: `eager`, `compile` or `onnxruntime`."""
    layout: str = "contiguous"
    """How images lie in memory: `contiguous` or `channels_last`."""
    host: str = ""
    """The machine that was timed, under a name that does not tell what it is called."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of one architecture; `row[column]` is the value of any column of the table."""

    key: str
    """The architecture's key: the index of the table."""
    architecture: str
    """Its one spelling."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Each measure that is counted or learnt, by name; of several seeds the mean, and as `accuracy_std` the standard
    deviation. What is not there is not known."""
    latency: Latency = Latency()
    seed: int = 0
    """What fixed initialisation, data order and augmentation; of several seeds the first."""
    seeds: Annotated[Count, Field(ge=1)] = 1
    """How many seeds the learnt measures are the mean of."""
    step: str = "final"
    """The step of the study's chain that found this out; `final` trains as the winner will be trained."""
    role: Role = "search"
    state: State = "priced"
    reason: str = ""
    """Why it is over budget or has failed."""
    train_seconds: float = math.nan
    """Time that training took."""
    device: str = ""
    """The device that trained, by its model's name."""
    batch_parts: Annotated[Count, Field(ge=1)] = 1
    """In how many parts each batch was trained, the gradients added up, because the whole needed more memory than there
    is; batch normalisation saw parts."""
    versions: str = ""
    """What computed the row: `nas_attn 0.1.0, torch 2.13.0, ...`."""
    weights_sha256: str = ""
    """The SHA-256 of the file of its trained weights, of several seeds the first's; empty where none were kept."""
    outcomes_sha256: str = ""
    """The SHA-256 of the file of what each validation image got, of several seeds the first's; empty where there is
    none."""
    learning_curve: CurveText = ""
    """What was measured epoch by epoch, as `spelt_curve` writes it, of several seeds of the first; empty where nothing
    was."""

    def __getitem__(self, column: str) -> Any:
        """The value of a column; of a measure that is not known it is NaN."""
        if column in _OWN:
            return getattr(self, column)
        if column.startswith(_TIMED):
            return getattr(self.latency, column.removeprefix(_TIMED))
        return self.measures.get(column, math.nan)

    def but(self, **columns: Any) -> "Evaluation":
        """The row with other values in these columns."""
        own = {name: value for name, value in columns.items() if name in _OWN}
        timed = {name: value for name, value in columns.items() if name.startswith(_TIMED)}
        measured = {name: value for name, value in columns.items() if name not in own and name not in timed}
        latency = replace(self.latency, **{name.removeprefix(_TIMED): value for name, value in timed.items()})
        known = {name: value for name, value in {**self.measures, **measured}.items() if not math.isnan(value)}
        return replace(self, **own, latency=latency, measures=known)


_TIMED = "latency_"
_OWN = {one.name: one for one in fields(Evaluation) if one.name not in ("measures", "latency")}


def evaluation(**columns: Any) -> Evaluation:
    """A row from the values of its columns."""
    return Evaluation(columns.pop("key"), columns.pop("architecture")).but(**columns)


def row_columns() -> Mapping[str, tuple[Any, Any]]:
    """The type and the usual value of every column of the table, in their order; `...` where a value is needed."""
    return _row_columns(tuple(MEASURES.values()))


@lru_cache
def _row_columns(measures: tuple[Measure, ...]) -> Mapping[str, tuple[Any, Any]]:
    hints, timed = (get_type_hints(kind, include_extras=True) for kind in (Evaluation, Latency))
    own = {name: (hints[name], one.default) for name, one in _OWN.items()}
    counted, learnt = ([one for one in measures if one.source == source] for source in ("counted", "learnt"))
    return {
        "key": (str, ...),
        "architecture": (str, ...),
        **{one.name: (int, ...) if one.whole else (float, math.nan) for one in counted},
        **{f"{_TIMED}{one.name}": (timed[one.name], one.default) for one in fields(Latency)},
        **{one.name: (bounded(one.largest, one.smallest), math.nan) for one in learnt},
        **{f"{one.name}_std": (float, math.nan) for one in learnt},
        **{name: kind for name, kind in own.items() if name not in ("key", "architecture")},
    }


def known_columns(row: Evaluation) -> dict[str, Any]:
    """The row as plain values, column by column."""
    return {name: row[name] for name in row_columns()}


def spell_cell(name: str, row: Mapping[str, Any] | Evaluation) -> str:
    """A number of a row with its unit; a latency with its 95 % interval; `-` where it is not known.

    >>> spell_cell("latency_ms", {"latency_ms": 2.3149, "latency_ms_low": 2.3006, "latency_ms_high": 2.3312})
    '2.315 (2.301 to 2.331) ms'
    >>> spell_cell("latency_ms", {"latency_ms": 2.3149, "latency_source": "predicted"})
    '2.315 ms, predicted'
    """
    spelt = measure(name).spell(float(row[name]))
    if name != "latency_ms":
        return spelt
    cells = known_columns(row) if isinstance(row, Evaluation) else row
    low, high = (float(cells.get(end, math.nan)) for end in ("latency_ms_low", "latency_ms_high"))
    if not math.isnan(low + high):
        median = digits(float(cells[name]))
        decimals = len(median.partition(".")[2])
        spelt = f"{median} ({low:,.{decimals}f} to {high:,.{decimals}f}) ms"
    return f"{spelt}, predicted" if cells.get("latency_source") == "predicted" else spelt


def spell_mean(name: str, row: Mapping[str, Any] | Evaluation) -> str:
    """A learnt measure of a row with its unit and, where it is a mean over seeds, its standard deviation.

    >>> spell_mean("accuracy", {"accuracy": 0.97223, "accuracy_std": 0.0042})
    '97.22 % ± 0.42'
    """
    one, deviation = measure(name), float(row[f"{name}_std"])
    spread = "" if math.isnan(deviation) else f" ± {one.difference(deviation, signed=False)}"
    return f"{one.spell(float(row[name]))}{spread}"


def cell(name: str, row: Mapping[str, Any] | Evaluation) -> str:
    """What stands under the head of a column in this row: the number, without the unit.

    >>> cell("accuracy", {"accuracy": 0.97223}), cell("latency_ms", {"latency_ms": 2.3149})
    ('97.22', '2.315')
    """
    unit = measure(name).unit
    return spell_cell(name, row).replace(f" {unit}", "") if unit else spell_cell(name, row)
