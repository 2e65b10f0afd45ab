"""What fast Fourier transforms cost."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .operators import shape


def transform(
    inputs: list[Any], outputs: list[Any], *, last: Sequence[int] | None, real: bool, forward: bool
) -> Counter[str]:
    """5 n log2(n) for each complex transform of n points, half of that where one side is real.

    The split radix-2 count that FFTW measures itself by, whatever n is: Cooley, Tukey, "An Algorithm for the Machine
    Calculation of Complex Fourier Series", 1965; Frigo, Johnson, "The Design and Implementation of FFTW3", 2005. In
    several dimensions n is the product of the sizes. A shift of the points, and a norm, cost nothing.
    """
    points = shape(inputs[0] if real and forward else outputs[0])
    named = _integers(inputs[2])
    over = named if named is not None else last if last is not None else range(len(points))
    if real and forward:  # its output has half of the points only
        for dimension, size in zip(over, _integers(inputs[1]) or (), strict=False):
            points[dimension] = size
    doubled = 5 * math.prod(points) * sum(math.log2(points[dimension]) for dimension in set(over))
    return Counter(elements=round(doubled / 2 if real else doubled))


def _integers(value: Any) -> list[int] | None:
    """The integers of a traced list, or of a single one; `None` where there is none, or it is not known."""
    found = value.toIValue()
    if found is None and value.node().kind() == "prim::ListConstruct":
        found = [inner.toIValue() for inner in value.node().inputs()]
        return None if None in found else found
    return [found] if isinstance(found, int) else found


def _named() -> dict[str, Callable[[list[Any], list[Any]], Counter[str]]]:
    found: dict[str, Callable[[list[Any], list[Any]], Counter[str]]] = {}
    for ending, last in (("", (-1,)), ("2", (-2, -1)), ("n", None)):
        for name, real, forward in (
            *(("fft", False, True), ("ifft", False, False), ("rfft", True, True)),
            *(("irfft", True, False), ("hfft", True, False), ("ihfft", True, True)),
        ):
            rule = partial(transform, last=last, real=real, forward=forward)
            found[f"aten::fft_{name}{ending}"] = rule
    return found


TRANSFORMS = _named()
"""Every Fourier transform by the tracer's name."""
