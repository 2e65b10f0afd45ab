"""Learning curve of a training: what was measured epoch by epoch, as a short text in its row, and as a table."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator
from pydantic.types import Strict

from nas_attn.space import InputError

Epochs = Sequence[tuple[int, Mapping[str, float]]]
"""Epochs of a training, from 1, each with the measures that were computed in it."""

COLUMN = "learning_curve"
_MOST = 20
_DIGITS = 3
_ALLOWED = 'allowed: JSON such as {"epoch": [1, 2], "train_loss": [2.31, 1.87]}, lists of one length, or none'


def spelt_curve(epochs: Epochs) -> str:
    """A learning curve as JSON: `epoch`, and for each measure a list of as many numbers, null where it is not known.

    At most 20 epochs stay, the first and the last among them, and three digits of a number. What was measured once is
    left out, because the row has it.

    >>> spelt_curve([(1, {"train_loss": 2.30511}), (2, {"train_loss": 1.2, "accuracy": 0.9})])
    '{"epoch":[1,2],"train_loss":[2.31,1.2]}'
    """
    places: Any = np.unique(np.linspace(0, len(epochs) - 1, _MOST).round().astype(int)) if epochs else []
    kept = [epochs[place] for place in places]
    names = dict.fromkeys(name for _, measured in epochs for name in measured)
    series = {name: [_short(measured.get(name, math.nan)) for _, measured in kept] for name in names}
    several = {name: values for name, values in series.items() if sum(value is not None for value in values) > 1}
    return json.dumps({"epoch": [epoch for epoch, _ in kept], **several}, separators=(",", ":")) if several else ""


def read_curve(text: str) -> dict[str, list[Any]]:
    """What `spelt_curve` has written, by name; nothing of an empty text. Raises `ValueError` for anything else."""
    if not text:
        return {}
    try:
        curve = json.loads(text)
        lengths = {len(values) for values in curve.values()}
        numbers = [value for values in curve.values() for value in values if value is not None]
        epochs = curve["epoch"]
        sound = len(lengths) == 1 and all(type(value) in (int, float) and math.isfinite(value) for value in numbers)
        sound = sound and all(type(epoch) is int and epoch > 0 for epoch in epochs) and epochs == sorted({*epochs})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ValueError(_ALLOWED)
    return dict(curve)


def _checked(text: str) -> str:
    read_curve(text)
    return text


CurveText = Annotated[str, Strict(), AfterValidator(_checked)]


def learning_curves(table: pd.DataFrame) -> pd.DataFrame:
    """A row an epoch of each training that has a curve: `epoch`, `train_loss` and what else was measured.

    Indexed by `key`, with the `architecture`, `step` and `seed` of the training, as far as the table has them; where a
    row is a mean over seeds, its curve is of the first. Raises `InputError` where the table has no `learning_curve`, or
    one that cannot be read.

    >>> known = pd.DataFrame({"learning_curve": ['{"epoch":[1,9],"train_loss":[2.3,0.4]}', ""]}, index=["a", "b"])
    >>> learning_curves(known).to_csv().splitlines()
    [',epoch,train_loss', 'a,1,2.3', 'a,9,0.4']
    """
    if COLUMN not in table.columns:
        raise InputError(f"learning_curves: the table has no column {COLUMN!r}")
    numbers, frames = list[int](), list[pd.DataFrame]()
    for number, text in enumerate(table[COLUMN]):
        try:
            curve = pd.DataFrame(read_curve(text))
        except ValueError as error:
            raise InputError(f"learning_curves: row {number + 1}: found {text!r}; {error}") from None
        frames.append(curve.astype({name: float for name in curve.columns if name != "epoch"}))
        numbers += [number] * len(curve)
    found = pd.concat([pd.DataFrame({"epoch": np.array([], dtype=int)}), *(one for one in frames if len(one))])
    about = table.iloc[numbers][[name for name in ("architecture", "step", "seed") if name in table.columns]]
    return pd.concat([about, found.set_axis(about.index)], axis=1)


def _short(value: float) -> float | None:
    short = float(f"{value:.{_DIGITS}g}")  # which may be beyond what there is
    return short if math.isfinite(short) else None
