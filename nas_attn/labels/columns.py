"""Labels of images from the columns of a table, in the forms in which people write them."""

import ast
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_attn.settings import BuiltIn
from nas_attn.space import InputError, allowed, quoted

_LOG = logging.getLogger(__name__)
_SEPARATORS = ("|", ";", ",")
_NO_LABEL = {"", "-", "none", "nothing", "null", "nan", "n/a", "no finding", "no findings", "no label", "no labels"}
"""What stands, alone, for no label at all, in lower case."""
_FLAGS = {"1": 1, "true": 1, "yes": 1, "t": 1, "y": 1, "0": 0, "false": 0, "no": 0, "f": 0, "n": 0}


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a table, and how its rows are named in messages."""

    where: str
    columns: Mapping[str, Sequence[Any]]
    named: Callable[[int], str]

    def fault(self, row: int, column: str, found: object, rule: str) -> InputError:
        """An error about one cell."""
        shown = "nothing" if found is None else quoted(found)
        return InputError(f"{self.where}: {self.named(row)}: {column}: found {shown}; {rule}")


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of all rows of a table."""

    names: tuple[str, ...]
    """Of classes, labels or values."""
    values: NDArray[Any]
    """As those of a `Gallery`."""
    fixed: bool = False
    """Whether a name without an image stays."""


def read_labels(
    table: Table, task: BuiltIn, column: str | None, columns: Sequence[str] = (), names: Sequence[str] = ()
) -> Labels:
    """The labels in one column, or in several of 0 and 1 or of numbers; `names` are those of labels that are numbers.

    Raises `InputError` that names the row, what it holds, and what is allowed.
    """
    if task == "regression":
        return _numbers(table, [column] if column else columns)
    if not column:
        return _flags(table, task, columns)
    cells = table.columns[column]
    return _several(table, column, cells, names) if task == "multilabel" else _classes(table, column, cells, names)


def _numbers(table: Table, columns: Sequence[str]) -> Labels:
    rule = "allowed: a finite number"
    if len(columns) == 1 and any(map(_is_list, table.columns[columns[0]])):
        table, columns = _spread(table, columns[0])
    values = np.empty((len(table.columns[columns[0]]), len(columns)), dtype=np.float32)
    for place, name in enumerate(columns):
        for row, found in enumerate(table.columns[name]):
            if isinstance(found, bool) or not isinstance(found, Real | Decimal) or not math.isfinite(found):
                raise table.fault(row, name, found, rule)
            values[row, place] = found
    return Labels(tuple(columns), values, fixed=True)


def _spread(table: Table, column: str) -> tuple[Table, list[str]]:
    """The columns of a column of lists of one length, such as coordinates."""
    cells = table.columns[column]
    length = len(next(filter(_is_list, cells)))
    for row, cell in enumerate(cells):
        if not _is_list(cell) or len(cell) != length:
            raise table.fault(row, column, cell, f"allowed: a list of {length} numbers, as in the others")
    names = [f"{column}_{place}" for place in range(length)]
    return Table(table.where, dict(zip(names, zip(*cells, strict=True), strict=True)), table.named), names


def _flags(table: Table, task: BuiltIn, columns: Sequence[str]) -> Labels:
    """A column of 0 and 1 for each label; where each image has one class, the column of its 1."""
    values = np.zeros((len(table.columns[columns[0]]), len(columns)), dtype=np.uint8)
    for place, name in enumerate(columns):
        for row, found in enumerate(table.columns[name]):
            flag = _FLAGS.get(str(found).strip().lower().removesuffix(".0"))
            if flag is None:
                raise table.fault(row, name, found, "allowed: 0 or 1, false or true")
            values[row, place] = flag
    if task == "multilabel":
        return Labels(tuple(columns), values, fixed=True)
    for row in np.flatnonzero(values.sum(1) != 1)[:1].tolist():
        has = [name for name, flag in zip(columns, values[row], strict=True) if flag]
        rule = "allowed: a 1 in one of them; any number of labels an image is the task 'multilabel'"
        raise table.fault(row, ", ".join(columns), has, rule)
    return Labels(tuple(columns), values.argmax(1).astype(np.int64))


def _classes(table: Table, column: str, cells: Sequence[Any], names: Sequence[str]) -> Labels:
    for row, cell in enumerate(cells):
        if cell is None or _is_list(cell) or not isinstance(cell, Integral | str | bool | np.bool_):
            several = "; several labels an image are the task 'multilabel'" if _is_list(cell) else ""
            raise table.fault(row, column, cell, f"allowed: a class, as a whole number or a name{several}")
    listed, found = _indexed(table, column, [[cell] for cell in cells], names)
    return Labels(tuple(listed), np.array([one[0] for one in found], dtype=np.int64))


def _several(table: Table, column: str, cells: Sequence[Any], names: Sequence[str]) -> Labels:
    """Lists of labels, texts that list them, or lists of a 0 or 1 for each label."""
    lists = _lists(table.where, column, cells, names)
    for row, labels in enumerate(lists):
        if odd := [one for one in labels if not isinstance(one, Real | str | np.bool_) or one != one]:
            raise table.fault(row, column, odd[0], "allowed: labels, as texts or as whole numbers")
    if _is_one_hot(lists):
        width = len(lists[0])
        if names and len(names) != width:
            raise table.fault(0, column, lists[0], f"allowed: {len(names)} of 0 and 1, as there are names")
        listed = names or [str(place) for place in range(width)]
        return Labels(tuple(listed), np.array(lists, dtype=np.float32).astype(np.uint8), fixed=True)
    listed, found = _indexed(table, column, lists, names)
    values = np.zeros((len(lists), len(listed)), dtype=np.uint8)
    for row, labels in enumerate(found):
        values[row, labels] = 1
    return Labels(tuple(listed), values, fixed=False)


def _indexed(
    table: Table, column: str, lists: Sequence[Sequence[Any]], names: Sequence[str]
) -> tuple[list[str], list[list[int]]]:
    """Names, and each list as their indices: of whole numbers as they are, of texts in the order of names or of ABC."""
    found = [one for labels in lists for one in labels]
    whole = all(isinstance(one, Integral) and not isinstance(one, bool | np.bool_) for one in found)
    digits = whole or all(re.fullmatch(r"\d+", str(one)) for one in found)
    if digits and not (names and not whole and {str(one) for one in found} <= {*names}):
        listed = list(names) or [str(number) for number in range(1 + max(map(int, found), default=-1))]
        for row, labels in enumerate(lists):
            for one in labels:
                if not 0 <= int(one) < len(listed):
                    known = f"allowed: 0 to {len(listed) - 1}, for there are {len(listed)} names" if names else ""
                    rule = "a class index is 0 or more; -1 often stands for an image without a label"
                    raise table.fault(row, column, one, known or rule)
        return listed, [[int(one) for one in labels] for labels in lists]
    texts = [[str(one) for one in labels] for labels in lists]
    listed = list(names) or sorted({one for labels in texts for one in labels})
    places = {name: place for place, name in enumerate(listed)}
    for row, labels in enumerate(texts):
        if unknown := [one for one in labels if one not in places]:
            raise table.fault(row, column, unknown[0], f"class_names: {allowed(unknown[0], listed)}")
    _report_cases(table.where, column, listed)
    return listed, [[places[one] for one in labels] for labels in texts]


def _lists(where: str, column: str, cells: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    """Each cell as a list; the log says what separates labels in a text, and what was taken for no label."""
    texts = [cell for cell in cells if isinstance(cell, str) and not _bracketed(cell)]
    separator = next((one for one in _SEPARATORS if any(one in text for text in texts)), None)
    empty, found = Counter[str](), list[list[Any]]()
    for cell in cells:
        text = cell.strip() if isinstance(cell, str) else ""
        if cell is None or (isinstance(cell, str) and text not in names and text.casefold() in _NO_LABEL):
            empty[text] += 1
            found.append([])
        elif isinstance(cell, str):
            read = _bracketed(text)
            found.append([one.strip() for one in text.split(separator) if one.strip()] if read is None else read)
        else:
            found.append([*cell] if _is_list(cell) else [cell])
    if texts:
        said = "blanks" if separator is None else repr(separator)
        _LOG.warning("%s: %s: labels in a text are separated by %s", where, column, said)
    for text, number in empty.items():
        _LOG.warning("%s: %s: %r stands for no label, in %d rows", where, column, text, number)
    return found


def _bracketed(text: str) -> list[Any] | None:
    """The list that a text spells, as `['a', 'b']` or `[0 1]`; None where it spells none."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        read = [int(one) if one.isdigit() else one for one in re.split(r"[\s,]+", text[1:-1].strip()) if one]
    return [*read]


def _is_one_hot(lists: Sequence[Sequence[Any]]) -> bool:
    """Whether lists have a 0 or 1 for each label, not the labels: all of one length, and of nothing else."""
    if {len(one) for one in lists} != {len(lists[0])} or not lists[0]:
        return False
    found = [one for labels in lists for one in labels]
    if not all(isinstance(one, Real | np.bool_) and one in (0, 1) for one in found):
        return False
    return len(lists[0]) > 1


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _report_cases(where: str, column: str, names: Sequence[str]) -> None:
    same = Counter(name.casefold() for name in names)
    if twice := [name for name in names if same[name.casefold()] > 1]:
        _LOG.warning("%s: %s: labels that differ in capitals alone are different: %s", where, column, ", ".join(twice))
