"""Conditions on the rows of a table, such as `latency_ms <= 2 and params < 300_000`, which are read and never run."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nas_attn.settings import known_measure
from nas_attn.space import InputError, allowed, quoted

_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ALLOWED = "allowed: columns, numbers and texts, compared by <, <=, >, >=, ==, != or in, and joined by and, or, not"


def selected(table: pd.DataFrame, condition: str) -> pd.DataFrame:
    """The rows of a table that meet a condition on its columns; the index is a column too.

    A number that is not known meets no comparison. `"cbam" in architecture` asks whether a text contains another.

    >>> cars = pd.DataFrame({"power": [90, 70, 60], "price": [30, 20, 25]}, index=["a", "b", "c"])
    >>> list(selected(cars, "power >= 70 and not price > 25").index)
    ['b']

    Raises `InputError` that names what is not understood, the column that there is not, and what is allowed.
    """
    if len(condition) > 10_000:
        raise InputError(f"where: found {len(condition):,} letters; allowed: 10,000")
    try:
        tree = ast.parse(condition.strip(), mode="eval").body
        meeting = np.flatnonzero(_truth(tree, table.reset_index(), condition.strip()))
    except SyntaxError as error:
        raise InputError(f"where: found {quoted(condition)}: {error.msg}; {_ALLOWED}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"where: found {quoted(condition)}, which is too deep or no text; {_ALLOWED}") from None
    return table.iloc[meeting]


def _truth(node: ast.expr, table: pd.DataFrame, condition: str) -> Any:
    """Whether each row meets a condition, as booleans (rows,)."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(one, table, condition) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)]
        return np.logical_and.reduce(parts) if isinstance(node.op, ast.And) else np.logical_or.reduce(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_truth(node.operand, table, condition)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return np.logical_and.reduce([_compared(*pair, table, condition) for pair in pairs])
    raise _strange(node, condition)


def _compared(one: ast.expr, by: ast.cmpop, other: ast.expr, table: pd.DataFrame, condition: str) -> Any:
    """Whether in each row one side is to the other as the comparison says."""
    left, right = (_value(side, table, condition) for side in (one, other))
    of_text = [
        isinstance(side, str) or getattr(side, "dtype", np.dtype(int)).kind not in "iuf" for side in (left, right)
    ]
    where = _source(ast.Compare(one, [by], [other]), condition)
    if of_text[0] != of_text[1]:
        raise InputError(f"where: {where}: found a text beside a number; {_ALLOWED}")
    rows = np.ones(len(table), dtype=np.bool_)
    if isinstance(by, ast.In | ast.NotIn):
        if not (isinstance(left, str) and isinstance(right, pd.Series) and of_text[1]):
            raise InputError(f"where: {where}: in asks whether a column of texts contains a text: 'se' in architecture")
        found = right.astype(str).str.contains(left, regex=False).to_numpy() & rows
        return found if isinstance(by, ast.In) else ~found
    if type(by) not in _COMPARED:
        raise _strange(by, condition)
    for side, number in ((one, right), (other, left)):
        _check_share(side, number)
    known = [side.notna().to_numpy() for side in (left, right) if isinstance(side, pd.Series)]
    return np.logical_and.reduce([_COMPARED[type(by)](left, right) & rows, *known])


def _value(node: ast.expr, table: pd.DataFrame, condition: str) -> Any:
    """A column, a number or a text."""
    if isinstance(node, ast.Name):
        if node.id not in table.columns:
            raise InputError(f"where: found the column {node.id!r}; {allowed(node.id, map(str, table.columns))}")
        return table[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, table, condition)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
        return node.value
    raise _strange(node, condition)


def _check_share(side: ast.expr, value: Any) -> None:
    """Raise `InputError` for a share that is compared with a number of percent."""
    one = known_measure(side.id) if isinstance(side, ast.Name) else None
    if one is not None and one.unit == "%" and isinstance(value, int | float) and abs(value) > one.largest:
        raise InputError(f"where: {one.name}: found {value:g}; it is a share, 0 to {one.largest:g}: {value / 100:g}")


def _strange(node: ast.AST, condition: str) -> InputError:
    return InputError(f"where: found {_source(node, condition)!r} in {quoted(condition)}; {_ALLOWED}")


def _source(node: ast.AST, condition: str) -> str:
    """A part of a condition as it is written."""
    try:
        return ast.get_source_segment(condition, node) or ast.unparse(node)
    except (ValueError, AttributeError):
        return type(node).__name__
