"""Table of measures: what networks are judged by, and all that anything else asks about one of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo

from nas_attn.space import allowed

Direction = Literal["max", "min"]
"""Whether more or less is better."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MINUS = "\N{MINUS SIGN}"
_UNITS = (("minutes", 60, 6_000), ("hours", 3_600, 360_000), ("days", 86_400, math.inf))
"""Of a time, each with its seconds, and the seconds from which there is a larger one."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a network, by the name of its column."""

    name: str
    title: str
    """What an axis or the head of a column says."""
    unit: str = ""
    """What its numbers are written in; a `%` is a share that is written times 100."""
    better: Direction = "min"
    source: Literal["learnt", "counted", "timed"] = "counted"
    """`learnt`: noisy, known once a seed, and the mean over seeds; `counted`: exact; `timed`: on one target."""
    objective: bool = True
    """Whether a study may trade it off."""
    largest: float = math.inf
    """The largest value that it can have."""
    smallest: float = 0.0
    """The smallest."""
    ticks: str = "~g"
    """How an axis writes its numbers, as a d3 format."""
    ranked_by: str = ""
    """A measure that tells networks apart with less noise, by which proxies rank; without it, the measure itself."""
    metric: str = ""
    """The metric that computes a learnt one, as `package.module:Class` with the interface of torchmetrics; it is made
    with `num_classes` or `num_labels` where it takes them."""
    takes: Literal["outputs", "probabilities", "classes", "values"] = "outputs"
    """What that is updated with beside the truth: what the network gives, (B, classes) or (B, classes, h, w), or what
    follows from it: probabilities of the same shape, the likeliest classes, or values in their own units."""
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the metric is made with."""

    @property
    def sign(self) -> float:
        """What makes more of it better: 1, or -1 where less is."""
        return 1.0 if self.better == "max" else -1.0

    @property
    def whole(self) -> bool:
        """Whether it counts things, so that its numbers are whole and may be large."""
        return self.source == "counted" and not self.unit

    @property
    def word(self) -> str:
        """What it is called within a sentence.

        >>> MEASURES["accuracy"].word, MEASURES["flops"].word
        ('accuracy', 'FLOPs')
        """
        first = self.title.partition(" ")[0]
        return self.title if first[1:] != first[1:].lower() else self.title[:1].lower() + self.title[1:]

    @property
    def head(self) -> str:
        """What stands over a column of its numbers.

        >>> MEASURES["accuracy"].head, MEASURES["params"].head
        ('Accuracy (%)', 'Parameters')
        """
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def gain(self) -> str:
        """What an improvement is counted in.

        >>> MEASURES["accuracy"].gain, MEASURES["loss"].gain, MEASURES["flops"].gain
        ('points of accuracy', 'nats less loss', 'fewer FLOPs')
        """
        if not self.unit:
            return f"{'more' if self.better == 'max' else 'fewer' if self.whole else 'less'} {self.word}"
        return f"{self.points} {'of' if self.better == 'max' else 'less'} {self.word}"

    @property
    def points(self) -> str:
        """The unit of a difference: points, where the unit is %."""
        return "points" if self.unit == "%" else self.unit

    def spell(self, value: float) -> str:
        """A value with its unit, short enough to be compared at a glance; `-` where it is not known.

        >>> MEASURES["accuracy"].spell(0.97223), MEASURES["flops"].spell(81_322_112), MEASURES["latency_ms"].spell(2.3)
        ('97.22 %', '81.32 M', '2.300 ms')
        """
        if math.isnan(value):
            return "-"
        if self.unit == "%":
            return f"{100 * value:.2f} %"
        return short(value) if self.whole else f"{digits(value)} {self.unit}".strip()

    def difference(self, value: float, signed: bool = True) -> str:
        """A difference of two values as a number without its unit, in points where the unit is %.

        >>> MEASURES["accuracy"].difference(0.0053), MEASURES["loss"].difference(0.0421, signed=False)
        ('+0.53', '0.0421')
        """
        sign = "+" if signed else ""
        if self.unit == "%":
            return f"{100 * value:{sign}.2f}".replace("-", _MINUS)
        return (f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.4f}").replace("-", _MINUS)

    @property
    def deviation(self) -> "Measure":
        """The standard deviation over seeds, as a measure."""
        title = f"Standard deviation of the {self.word}"
        return replace(self, name=f"{self.name}_std", title=title, better="min", objective=False)


BUILT_IN: dict[str, Measure] = {
    one.name: one
    for one in (
        Measure(
            *("accuracy", "Accuracy", "%", "max", "learnt"),
            largest=1.0,
            ticks="~%",
            ranked_by="loss",
            metric="torchmetrics.classification:MulticlassAccuracy",
            arguments={"average": "micro", "validate_args": False},
        ),
        Measure("loss", "Loss", "nats", "min", "learnt", metric="nas_attn.training.metrics:CrossEntropy"),
        Measure("train_loss", "Training loss", "nats", "min", "learnt", objective=False),
        Measure("params", "Parameters", ticks="~s"),
        Measure("macs", "MACs", ticks="~s"),
        Measure("flops", "FLOPs", ticks="~s"),
        Measure("latency_ms", "Latency", "ms", "min", "timed"),
    )
}
"""Measures that every study has, by name.

Accuracy: top-1 on the validation part; loss: mean cross-entropy on it; training loss: mean cross-entropy over the last
epoch, as it was trained on; counts are of one image; latency: median of one pass.
"""

MEASURES: dict[str, Measure] = dict(BUILT_IN)
"""Every measure by its name: the built-in ones, and those of the study that was opened last."""


_SHORT: list[str] = []
"""Names of metrics that the study opened last could name."""


def use_measures(judging: Iterable[Measure] = (), short: Iterable[str] = ()) -> None:
    """Make these the measures by which the open study judges; without any they are accuracy and loss.

    `short` are the names of those that it could have by their names alone.
    """
    _SHORT[:] = short
    known = {one.name: one for one in judging} or {one.name: one for one in learnt(BUILT_IN)}
    others = {one.name: one for one in BUILT_IN.values() if one not in learnt(BUILT_IN)}
    MEASURES.clear()
    MEASURES.update({**known, **{name: one for name, one in others.items() if name not in known}})


_OTHER_COLUMNS = {
    one.name: one
    for one in (
        Measure("latency_ms_low", "Latency, lower end", "ms", "min", "timed"),
        Measure("latency_ms_high", "Latency, upper end", "ms", "min", "timed"),
        Measure("latency_iqr_ms", "Latency, interquartile range", "ms", "min", "timed"),
        Measure("train_seconds", "Training time", "s", "min", "timed", ticks="~s"),
    )
}


def known_measure(name: str) -> Measure | None:
    """The measure of a column, or nothing where its direction is not known; less of any `*_ms` or `*_s` is better."""
    if name.endswith("_std") and name[:-4] in MEASURES:
        return MEASURES[name[:-4]].deviation
    if name in MEASURES or name in _OTHER_COLUMNS:
        return (MEASURES | _OTHER_COLUMNS)[name]
    for ending, unit in (("_ms", "ms"), ("_seconds", "s")):
        if name.endswith(ending):
            return Measure(name, name.removesuffix(ending).replace("_", " "), unit, "min", "timed")
    return None


def measure(name: str) -> Measure:
    """The measure of a column; a column that is not known is called by its own name.

    >>> measure("decode_ms").title, measure("decode_ms").unit, measure("mean_iou").title
    ('decode', 'ms', 'mean iou')
    """
    return known_measure(name) or Measure(name, name.replace("_", " "), source="timed", ticks="~s")


def leading(objectives: Iterable[str]) -> Measure:
    """What is learnt, ranked and judged: the first objective that is learnt, else the first one at all."""
    known = [measure(name) for name in objectives]
    return next((one for one in known if one.source == "learnt"), known[0] if known else next(iter(MEASURES.values())))


def learnt(measures: Mapping[str, Measure] | None = None) -> list[Measure]:
    """The measures that are learnt and judge, of these or of the open study: those of the validation part."""
    known = MEASURES if measures is None else measures
    return [one for one in known.values() if one.source == "learnt" and one.objective]


def _objective(name: Any, info: ValidationInfo) -> Any:
    if info.data and "space" in info.data and "task" not in info.data:
        return name  # where the task has a fault, its measures are not known
    names = [one.name for one in MEASURES.values() if one.objective]
    if name not in names:
        raise ValueError(f"found {name!r}; {allowed(name, dict.fromkeys([*names, *_SHORT]))}")
    return name


def _ranked(name: Any) -> Any:
    names = [one.name for one in MEASURES.values() if one.source == "learnt"]
    if name not in names:
        raise ValueError(f"found {name!r}; {allowed(name, dict.fromkeys([*names, *_SHORT]))}")
    return name


Objective = Annotated[str, BeforeValidator(_objective)]
"""The name of a measure that a study may trade off."""
Score = Annotated[str, BeforeValidator(_ranked)]
"""The name of a learnt measure."""


def listed(words: Sequence[str]) -> str:
    """Words as they are listed in a sentence.

    >>> listed(["accuracy", "FLOPs", "latency"])
    'accuracy, FLOPs and latency'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def duration(seconds: float) -> str:
    """A time in the unit that people use for it, with two digits at least.

    >>> duration(8), duration(130), duration(5_999), duration(20_000), duration(1e6)
    ('8 seconds', '2.2 minutes', '100 minutes', '5.6 hours', '12 days')
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} second{'s' if round(seconds) > 1 else ''}"
    unit, size = next((unit, size) for unit, size, most in _UNITS if seconds < most)
    value = seconds / size
    return f"{f'{value:.1f}'.removesuffix('.0') if value < 9.95 else f'{value:,.0f}'} {unit}"


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


def digits(value: float) -> str:
    """Four digits, written out where that is readable.

    >>> digits(1234.56), digits(0.5), digits(0)
    ('1,235', '0.5000', '0')
    """
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 999.95 <= abs(value) < 1e6 else f"{value:#.4g}"
