"""What Einstein's summation costs, contracted two operands at a time as PyTorch does."""

import math
from collections import Counter
from collections.abc import Sequence

Labels = dict[str, int]
"""The labels of an operand with their sizes."""


def einsum(equation: str, shapes: Sequence[tuple[int, ...]], path: Sequence[int] | None = None) -> tuple[int, int]:
    """Multiply-accumulates, and elements of additions and multiplications alone.

    >>> einsum("nc,mc->nm", [(5, 3), (7, 3)])
    (105, 0)

    A product of two operands that sums nothing costs one for each element that it gives; a label that stands in one
    operand only, and not in the output, is summed first, for one an element. `path` holds the positions of the two
    operands of each step, as PyTorch has them from opt_einsum; without it the first two are contracted again and again.
    """
    operands, output = _read(equation, shapes)
    steps = list(zip(*[iter(path)] * 2, strict=True)) if path else [(0, 1)] * (len(operands) - 1)
    macs = others = 0
    for step in steps:
        second, first = operands.pop(max(step)), operands.pop(min(step))
        kept = output.union(*operands)
        result, product_macs, product_others = _contract(first, second, kept)
        macs += product_macs
        others += product_others
        operands.insert(len(operands) if path else 0, result)
    if len(shapes) == 1:
        others += _sum(operands[0], set(operands[0]) - output)
    return macs, others


def _contract(first: Labels, second: Labels, kept: set[str]) -> tuple[Labels, int, int]:
    """What two operands make, with its multiply-accumulates and other elements."""
    shared = {label for label in first.keys() & second.keys() if first[label] == second[label]}
    summed = shared - kept
    others = 0
    for operand in (first, second):
        others += _sum(operand, operand.keys() - kept - shared)
    sizes = {label: max(first.get(label, 1), second.get(label, 1)) for label in [*first, *second]}
    result = {label: size for label, size in sizes.items() if label in kept}
    elements = math.prod(result.values())
    if summed:
        return result, elements * math.prod(sizes[label] for label in summed), others
    return result, 0, others + elements


def _sum(operand: Labels, away: set[str]) -> int:
    """The elements of a sum over some labels of an operand; labels of size 1 need none."""
    return math.prod(operand.values()) if any(operand[label] > 1 for label in away) else 0


def _read(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Labels], set[str]]:
    """The labels of each operand, and those of the output; `...` becomes digits, counted from the last dimension."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    texts = left.split(",")
    operands = [_labels(text, shape) for text, shape in zip(texts, shapes, strict=True)]
    dotted = {label for operand in operands for label in operand if not label.isalpha()}
    if arrow:
        return operands, set(right.replace("...", "")) | (dotted if "..." in right else set())
    times = Counter(letter for text in texts for letter in text.replace("...", ""))
    return operands, {letter for letter, number in times.items() if number == 1} | dotted


def _labels(text: str, shape: tuple[int, ...]) -> Labels:
    before, dots, after = text.partition("...")
    hidden = len(shape) - len(before) - len(after)
    names = [*before, *(str(place) for place in range(hidden, 0, -1)), *after] if dots else [*text]
    return dict(zip(names, shape, strict=True))
