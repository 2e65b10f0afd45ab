"""The networks that no other network beats: the Pareto front, its knee and the volume it dominates."""

from collections.abc import Mapping, Sequence
from typing import Literal

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas_attn.space import InputError, allowed

Direction = Literal["max", "min"]
Objectives = Sequence[str] | Mapping[str, Direction]
"""Columns to trade off, the leading one first; a mapping also says whether more (`max`) or less (`min`) is better."""

DIRECTIONS: Mapping[str, Direction] = {
    "accuracy": "max",
    "loss": "min",
    "params": "min",
    "macs": "min",
    "flops": "min",
    "latency_ms": "min",
    "latency_iqr_ms": "min",
    "latency_ms_low": "min",
    "latency_ms_high": "min",
    "train_loss": "min",
    "accuracy_std": "min",
    "loss_std": "min",
    "train_seconds": "min",
}
"""Whether more or less of a column is better; less of any other `*_ms` or `*_seconds` is better too."""

_MEASURED_ON = (
    *("latency_device", "latency_threads", "latency_batch", "latency_dtype"),
    *("latency_runtime", "latency_layout", "latency_host"),
)


def directions(objectives: Objectives) -> dict[str, Direction]:
    """The objectives, each with its direction.

    >>> directions(["accuracy", "decode_ms"])
    {'accuracy': 'max', 'decode_ms': 'min'}

    Raises `InputError` for a name whose direction is not known, and where there is no objective.
    """
    if isinstance(objectives, str):
        raise InputError(f"objectives: found the text {objectives!r}; a list of names is expected: [{objectives!r}]")
    if not objectives:
        raise InputError("objectives: found none; at least one is needed")
    if isinstance(objectives, Mapping):
        for name, direction in objectives.items():
            if direction not in ("max", "min"):
                raise InputError(f"objectives: {name}: found {direction!r}; {allowed(direction, ['max', 'min'])}")
        return dict(objectives)
    return {name: _direction(name) for name in objectives}


def candidates(table: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
    """The rows that can be compared: complete ones (where the table has a `state`) with finite objectives.

    So a NaN, which is not known, and the infinite loss of a training that diverged are left out.

    Raises `InputError` for an unknown column or one that holds no numbers, and where latencies of different devices,
    hosts, threads, batches, number types, layouts or runtimes would be compared.
    """
    names = list(directions(objectives))
    numeric = [str(name) for name in table.select_dtypes("number").columns]
    for name in names:
        if name not in table.columns:
            raise InputError(f"objective {name!r}: the table has no such column; {allowed(name, numeric)}")
        if len(table) and name not in numeric:
            raise InputError(f"objective {name!r}: the column holds no numbers; {allowed(name, numeric)}")
    rows: pd.DataFrame = table[table["state"] == "complete"] if "state" in table.columns else table
    rows = rows[np.isfinite(rows[names].to_numpy(dtype=np.float64, na_value=np.nan)).all(axis=1)]
    if "latency_ms" in names:
        _check_one_device(rows)
    return rows


def front(table: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
    """The rows of the table on the Pareto front, sorted by the first objective, the best one first.

    A row is on the front unless another is at least as good in every objective and better in one; equal rows all stay.
    Any table with the objectives' columns will do. Raises `InputError` as `candidates` does.

    >>> cars = pd.DataFrame({"power": [90, 70, 60], "price": [30, 20, 25]}, index=["a", "b", "c"])
    >>> list(front(cars, {"power": "max", "price": "min"}).index)
    ['a', 'b']
    """
    rows = candidates(table, objectives)
    points = losses(rows, objectives)
    order = np.lexsort(points.T[::-1])
    kept = moocore.is_nondominated(points, keep_weakly=True)[order] if len(rows) else order
    return rows.iloc[order[kept]]


def knee(table: pd.DataFrame, objectives: Objectives) -> str:
    """The key of the front's most balanced row.

    Each objective is scaled over the front, from 0 at its best to 1 at its worst value; the knee is the row with the
    smallest Euclidean distance to the point that is best in everything. An objective with one value on the whole front
    counts 0; of equally near rows the one that is better in the first objective is taken.

    Raises `InputError` where the front is empty, and as `candidates` does.
    """
    rows = front(table, objectives)
    if rows.empty:
        raise InputError(f"the front of {', '.join(directions(objectives))} is empty: no complete row to choose from")
    points = losses(rows, objectives)
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    return str(rows.index[int(np.argmin(np.linalg.norm(scaled, axis=1)))])


def hypervolume(table: pd.DataFrame, objectives: Objectives, reference: Mapping[str, float] | None = None) -> float:
    """The volume between the front and a reference point, in the product of the objectives' units.

    `reference` gives a value for each objective; without it, it is the worst value of each objective over the complete
    rows, so that volumes compare only between fronts of the same rows. An empty front has the volume 0.

    Raises `InputError` where the reference lacks an objective, and as `candidates` does.
    """
    rows = candidates(table, objectives)
    points = losses(rows, objectives)
    if reference is None:
        return float(moocore.hypervolume(points, ref=points.max(axis=0))) if len(rows) else 0.0
    for name in directions(objectives):
        if name not in reference:
            raise InputError(f"reference: has no value for {name}; found {', '.join(reference) or 'nothing'}")
    worst = losses(pd.DataFrame([dict(reference)]), objectives)[0]
    return float(moocore.hypervolume(points, ref=worst)) if len(rows) else 0.0


def losses(rows: pd.DataFrame, objectives: Objectives) -> NDArray[np.float64]:
    """The objectives' values, shape (rows, objectives), with the sign that makes less better."""
    known = directions(objectives)
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in known.values()])
    points: NDArray[np.float64] = rows[list(known)].to_numpy(dtype=np.float64) * signs
    return points


def _direction(name: str) -> Direction:
    if name in DIRECTIONS:
        return DIRECTIONS[name]
    if name.endswith(("_ms", "_seconds")):
        return "min"
    raise InputError(
        f"objective {name!r}: whether more or less is better is not known; {allowed(name, DIRECTIONS)}; "
        f"of a column of your own say it: {{{name!r}: 'max'}} or {{{name!r}: 'min'}}"
    )


def _check_one_device(rows: pd.DataFrame) -> None:
    for name in _MEASURED_ON:
        found = rows[name].value_counts(sort=False) if name in rows.columns else pd.Series(dtype="int64")
        if len(found) > 1:
            listed = ", ".join(f"{value!r} ({count} rows)" for value, count in found.items())
            raise InputError(
                f"latency_ms: rows that were timed in different ways never share a front: {name} is {listed}; "
                f"keep one of them: table[table[{name!r}] == {found.index[0]!r}]"
            )
