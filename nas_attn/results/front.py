"""The networks that no other network beats: the Pareto front, its knee and the volume it dominates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas_attn.settings import MEASURES, Direction, known_measure
from nas_attn.space import NONE, InputError, allowed

from .rows import State

Objectives = Sequence[str] | Mapping[str, Direction]
"""Columns to trade off, the leading one first; a mapping also says whether more (`max`) or less (`min`) is better."""

_STATES = (*get_args(State), "fail", "pruned", "running", "waiting")
"""Of a study, and of Optuna, in lower case."""
_TIMED_BY = (
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
    rows: pd.DataFrame = table[_complete(table["state"])] if "state" in table.columns else table
    rows = rows[np.isfinite(rows[names].to_numpy(dtype=np.float64, na_value=np.nan)).all(axis=1)]
    if any(name.startswith("latency_") for name in names):
        _check_one_device(rows)
    return rows


@dataclass(frozen=True, eq=False, slots=True)
class Front:
    """Pareto front of a table, computed once."""

    objectives: Mapping[str, Direction]
    """The leading one first."""
    rows: pd.DataFrame
    """All rows that can be compared, as `candidates` says."""
    best: pd.DataFrame
    """Those on the front, sorted by the first objective, the best one first."""
    knee: str | None
    """The key of the most balanced one; None where the front is empty."""

    @property
    def plain(self) -> pd.Series | None:
        """The row of the plain backbone; None where it was not trained."""
        found = self.rows[self.rows["architecture"] == NONE] if "architecture" in self.rows.columns else self.rows[:0]
        return None if found.empty else found.iloc[0]


def pareto_front(table: pd.DataFrame, objectives: Objectives) -> Front:
    """The front of a table in these objectives, with its knee.

    A row is on the front unless another is at least as good in every objective and better in one; equal rows all stay.
    For the knee each objective is scaled over the front, from 0 at its best to 1 at its worst value; it is the row with
    the smallest Euclidean distance to the point that is best in everything. An objective with one value on the whole
    front counts 0; of equally near rows the one that is better in the first objective is taken.

    Any table with the objectives' columns will do. Raises `InputError` as `candidates` does.
    """
    rows = candidates(table, objectives)
    points = losses(rows, objectives)
    order = np.lexsort(points.T[::-1])
    if len(rows):
        order = order[moocore.is_nondominated(points, keep_weakly=True)[order]]
    best = points[order]
    span = np.ptp(best, axis=0) if len(best) else np.ones(best.shape[1])
    distances = np.linalg.norm((best - best.min(axis=0, initial=np.inf)) / np.where(span > 0, span, 1), axis=1)
    key = str(rows.index[order[int(np.argmin(distances))]]) if len(best) else None
    return Front(directions(objectives), rows, rows.iloc[order], key)


def front(table: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
    """The rows of the table on the Pareto front, sorted by the first objective, the best one first.

    A row is on the front unless another is at least as good in every objective and better in one; equal rows all stay.
    Any table with the objectives' columns will do. Raises `InputError` as `candidates` does.

    >>> cars = pd.DataFrame({"power": [90, 70, 60], "price": [30, 20, 25]}, index=["a", "b", "c"])
    >>> list(front(cars, {"power": "max", "price": "min"}).index)
    ['a', 'b']
    """
    return pareto_front(table, objectives).best


def knee(table: pd.DataFrame, objectives: Objectives) -> str:
    """The key of the front's most balanced row, as `pareto_front` says.

    Raises `InputError` where the front is empty, and as `candidates` does.
    """
    found = pareto_front(table, objectives).knee
    if found is None:
        raise InputError(f"the front of {', '.join(directions(objectives))} is empty: no complete row to choose from")
    return found


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


def _complete(states: pd.Series) -> pd.Series:
    """Whether rows are complete, by a column as a study's table has it, or as Optuna's `trials_dataframe` does."""
    words = states.map(lambda state: str(getattr(state, "name", state)).lower())
    for word in words[~words.isin(_STATES)].unique():
        raise InputError(f"state: found {word!r}; {allowed(word, _STATES)}")
    return words == "complete"


def _direction(name: str) -> Direction:
    if (known := known_measure(name)) is not None:
        return known.better
    raise InputError(
        f"objective {name!r}: whether more or less is better is not known; {allowed(name, MEASURES)}; "
        f"of a column of your own say it: {{{name!r}: 'max'}} or {{{name!r}: 'min'}}"
    )


def _check_one_device(rows: pd.DataFrame) -> None:
    for name in _TIMED_BY:
        found = rows[name].value_counts(sort=False) if name in rows.columns else pd.Series(dtype="int64")
        if len(found) > 1:
            timed = ", ".join(f"{value!r} ({count} rows)" for value, count in found.items())
            raise InputError(
                f"latency_ms: rows that were timed in different ways never share a front: {name} is {timed}; "
                f"keep one of them: table[table[{name!r}] == {found.index[0]!r}]"
            )
