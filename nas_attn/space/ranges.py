"""Runs of names that count up, written short: `stage1-3.block0-2.branch` for nine sites."""

import math
import re
from collections.abc import Iterable
from itertools import product
from string import digits

_NUMBER = r"(0|[1-9]\d*)"  # zeros before a number belong to the text before it
_NUMBERS = re.compile(_NUMBER, re.ASCII)
_RANGES = re.compile(rf"{_NUMBER}-{_NUMBER}", re.ASCII)
_MOST = 10_000  # names in a range; more than any network has, and less than a slip of the hand
_PIECE = re.compile(r"\d+|\D+", re.ASCII)

_Run = tuple[int, int]
_Name = tuple[str | _Run, ...]
"""A name as texts with runs of numbers between them: first and last of each."""


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which `block2` stands before `block10`.

    >>> sorted(["block10", "block2"], key=natural)
    ['block2', 'block10']
    """
    pieces = _PIECE.findall(name)
    return tuple((int(piece), piece) if piece[0] in digits else (-1, piece) for piece in pieces)


def fold(names: Iterable[str]) -> list[str]:
    """Write different names that are alike but for a number, and count up by one, as a range; the last number first.

    >>> fold(["block0.branch", "block1.branch", "block2.branch", "block7.branch"])
    ['block0-2.branch', 'block7.branch']
    >>> fold(["stage1.block0", "stage1.block1", "stage2.block0", "stage2.block1"])
    ['stage1-2.block0-1']
    """
    folded = [_read(name) for name in names]
    for place in range(max(map(len, folded), default=0) - 2, 0, -2):
        alike: dict[tuple[_Name, _Name], list[_Run]] = {}
        for name in folded:
            if len(name) > place:
                alike.setdefault((name[:place], name[place + 1 :]), []).append(name[place])  # type: ignore[arg-type]
        joined = [(*head, run, *tail) for (head, tail), runs in alike.items() for run in _join(runs)]
        folded = [name for name in folded if len(name) <= place] + joined
    return sorted(map(_spell, folded), key=natural)


def unfold(text: str) -> list[str]:
    """The names that a text with ranges stands for; a name without a range stands for itself.

    >>> unfold("block0-2.branch")
    ['block0.branch', 'block1.branch', 'block2.branch']

    Raises `ValueError` for a range that counts down, and for more than 10,000 names.
    """
    pieces = _RANGES.split(text)
    texts, firsts, lasts = pieces[::3], [*map(int, pieces[1::3])], [*map(int, pieces[2::3])]
    for first, last in zip(firsts, lasts, strict=True):
        if last < first:
            raise ValueError(f"{text!r}: the range {first}-{last} counts down")
    if math.prod(last - first + 1 for first, last in zip(firsts, lasts, strict=True)) > _MOST:
        raise ValueError(f"{text!r}: stands for more than {_MOST:,} names")
    numbers = product(*(range(first, last + 1) for first, last in zip(firsts, lasts, strict=True)))
    return [
        "".join(f"{before}{number}" for before, number in zip(texts, chosen, strict=False)) + texts[-1]
        for chosen in numbers
    ]


def _read(name: str) -> _Name:
    pieces = _NUMBERS.split(name)
    return tuple((int(piece), int(piece)) if place % 2 else piece for place, piece in enumerate(pieces))


def _spell(name: _Name) -> str:
    return "".join(piece if isinstance(piece, str) else "-".join(map(str, dict.fromkeys(piece))) for piece in name)


def _join(runs: Iterable[_Run]) -> list[_Run]:
    joined: list[_Run] = []
    for first, last in sorted(runs):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
