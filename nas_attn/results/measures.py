"""How each measure is called and how its numbers are written, in a figure and in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Measure:
    """The name and the unit of a column."""

    title: str
    """What an axis or the head of a column says."""
    unit: str
    """What stands behind its numbers."""
    ticks: str
    """How an axis writes its numbers, as a d3 format."""


_MEASURES = {
    "_place": Measure("Place", "", "~d"),
    "accuracy": Measure("Accuracy", "%", "~%"),
    "loss": Measure("Loss", "nats", "~g"),
    "train_loss": Measure("Training loss", "nats", "~g"),
    "accuracy_std": Measure("Standard deviation of the accuracy", "%", "~%"),
    "loss_std": Measure("Standard deviation of the loss", "nats", "~g"),
    "params": Measure("Parameters", "", "~s"),
    "macs": Measure("MACs", "", "~s"),
    "flops": Measure("FLOPs", "", "~s"),
    "latency_ms": Measure("Latency", "ms", "~g"),
    "latency_ms_low": Measure("Latency, lower end", "ms", "~g"),
    "latency_ms_high": Measure("Latency, upper end", "ms", "~g"),
    "latency_iqr_ms": Measure("Latency, interquartile range", "ms", "~g"),
    "train_seconds": Measure("Training time", "s", "~s"),
}


def measure(name: str) -> Measure:
    """The measure that a column holds; a column that is not known is called by its own name.

    >>> measure("decode_ms")
    Measure(title='decode', unit='ms', ticks='~g')
    """
    if name in _MEASURES:
        return _MEASURES[name]
    if name.endswith("_ms"):
        return Measure(name.removesuffix("_ms").replace("_", " "), "ms", "~g")
    return Measure(name.replace("_", " "), "", "~s")


def word(name: str) -> str:
    """What a column is called within a sentence.

    >>> word("accuracy"), word("flops")
    ('accuracy', 'FLOPs')
    """
    title = measure(name).title
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def listed(words: Sequence[str]) -> str:
    """Words as they are listed in a sentence.

    >>> listed(["accuracy", "FLOPs", "latency"])
    'accuracy, FLOPs and latency'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def spell(name: str, value: float) -> str:
    """A value of a column with its unit, short enough to be compared at a glance; `-` where it is not known.

    >>> spell("accuracy", 0.97223), spell("flops", 81_322_112), spell("latency_ms", 2.3149)
    ('97.22 %', '81.32 M', '2.315 ms')
    """
    if math.isnan(value):
        return "-"
    if name in ("accuracy", "accuracy_std"):
        return f"{100 * value:.2f} %"
    unit = measure(name).unit
    if name in ("params", "macs", "flops"):
        return short(value)
    return f"{_digits(value)} {unit}".strip()


def short(value: float) -> str:
    """A number with four digits and the prefix of a power of a thousand.

    >>> short(271_578), short(512), short(999_996), short(2_000_000)
    ('271.6 k', '512', '1.000 M', '2.000 M')
    """
    value = float(f"{value:.4g}")
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:#.4g} {prefix}"
    return f"{value:.4g}"


def spell_latency(row: Mapping[str, Any]) -> str:
    """The latency of a row with its 95 % interval, in milliseconds; `-` where it is not known.

    >>> spell_latency({"latency_ms": 2.3149, "latency_ms_low": 2.3006, "latency_ms_high": 2.3312})
    '2.315 (2.301 to 2.331) ms'
    >>> spell_latency({"latency_ms": 2.3149, "latency_source": "predicted"})
    '2.315 ms, predicted'
    """
    name = "latency_ms"
    low, high = (float(row.get(end, math.nan)) for end in ("latency_ms_low", "latency_ms_high"))
    told = spell(name, float(row[name]))
    if not math.isnan(low + high):
        median = _digits(float(row[name]))
        decimals = len(median.partition(".")[2])
        told = f"{median} ({low:,.{decimals}f} to {high:,.{decimals}f}) ms"
    return f"{told}, predicted" if row.get("latency_source") == "predicted" else told


def head(name: str) -> str:
    """What stands over a column of numbers: the measure with its unit.

    >>> head("accuracy"), head("params")
    ('Accuracy (%)', 'Parameters')
    """
    known = measure(name)
    return f"{known.title} ({known.unit})" if known.unit else known.title


def cell(name: str, row: Mapping[str, Any]) -> str:
    """What stands under `head` in this row: the number, without the unit.

    >>> cell("accuracy", {"accuracy": 0.97223}), cell("latency_ms", {"latency_ms": 2.3149})
    ('97.22', '2.315')
    """
    if name == "latency_ms":
        return spell_latency(row).replace(" ms", "")
    return spell(name, float(row[name])).removesuffix(measure(name).unit).strip()


def _digits(value: float) -> str:
    """Four digits, written out where that is readable.

    >>> _digits(1234.56), _digits(0.5), _digits(0)
    ('1,235', '0.5000', '0')
    """
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 999.95 <= abs(value) < 1e6 else f"{value:#.4g}"
