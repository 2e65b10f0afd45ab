"""Runs of names that count up, written short: `stage1.block0-2.branch` for three sites."""

import re
from collections.abc import Iterable
from string import digits

_NUMBER = r"(?:0|[1-9]\d*)"  # zeros before a number belong to the text before it
_COUNTED = re.compile(rf"(?P<head>.*?)(?P<number>{_NUMBER})(?P<tail>\D*)", re.ASCII)
_RANGE = re.compile(rf"(?P<head>.*?)(?P<first>{_NUMBER})-(?P<last>{_NUMBER})(?P<tail>\D*)", re.ASCII)
_LONGEST = 10_000  # names in a range; more than any network has, and less than a slip of the hand
_PIECE = re.compile(r"\d+|\D+", re.ASCII)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which `block2` stands before `block10`.

    >>> sorted(["block10", "block2"], key=natural)
    ['block2', 'block10']
    """
    pieces = _PIECE.findall(name)
    return tuple((int(piece), piece) if piece[0] in digits else (-1, piece) for piece in pieces)


def fold(names: Iterable[str]) -> list[str]:
    """Write names that differ in their last number, and count up by one, as a range.

    >>> fold(["block0.branch", "block1.branch", "block2.branch", "block7.branch"])
    ['block0-2.branch', 'block7.branch']
    """
    runs: list[tuple[str, int, int, str]] = []
    written: list[str | int] = []  # a name as it is, or the number of its run
    open_run: dict[tuple[str, int, str], int] = {}
    for name in names:
        match = _COUNTED.fullmatch(name)
        if match is None:
            written.append(name)
            continue
        head, number, tail = match["head"], int(match["number"]), match["tail"]
        index = open_run.pop((head, number, tail), None)
        if index is None:
            index = len(runs)
            runs.append((head, number, number, tail))
            written.append(index)
        else:
            runs[index] = (head, runs[index][1], number, tail)
        open_run[head, number + 1, tail] = index
    return [item if isinstance(item, str) else _spell(*runs[item]) for item in written]


def _spell(head: str, first: int, last: int, tail: str) -> str:
    number = str(first) if first == last else f"{first}-{last}"
    return f"{head}{number}{tail}"


def unfold(text: str) -> list[str]:
    """The names that a range stands for; a name without a range stands for itself.

    >>> unfold("block0-2.branch")
    ['block0.branch', 'block1.branch', 'block2.branch']

    Raises `ValueError` for a range that counts down, or stands for more than 10,000 names.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        return [text]
    first, last = int(match["first"]), int(match["last"])
    if last < first:
        raise ValueError(f"{text!r}: the range {first}-{last} counts down")
    if last - first >= _LONGEST:
        raise ValueError(f"{text!r}: the range {first}-{last} is longer than {_LONGEST:,} names")
    return [f"{match['head']}{number}{match['tail']}" for number in range(first, last + 1)]
