"""The residual additions of a network, found in what happened in one pass of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .tracing import Trace


@dataclass(frozen=True, slots=True)
class Join:
    """A residual addition: where two ways from one tensor meet again."""

    step: int
    """The sum."""
    branch: int
    """What is added by the way with more convolutions."""
    shortcuts: tuple[int, ...]
    """What it is added to."""
    origin: int
    """Where the ways parted."""


def joins(trace: Trace, uses: Counter[int]) -> Iterator[Join]:
    """The residual additions of a network, where it is known how often each step is used."""
    steps = trace.steps
    sums = {number for number, step in enumerate(steps) if step.operator in ("add", "add_") and _is_sum(trace, number)}
    inner = {part for number in sums for part in steps[number].parents if _flows_into(trace, uses, part, number, sums)}
    for number in sorted(sums - inner):
        terms = _terms(trace, uses, number, sums)
        origin = trace.meeting(terms)
        if origin is None or len(set(terms)) < len(terms):
            continue
        heaviest, *others = sorted(terms, key=lambda term: -trace.weight(origin, term))
        weights = [trace.weight(origin, term) for term in (heaviest, others[0])]
        if weights == [0, 0] and origin in terms and len(terms) == 2:  # a branch that only pools or normalises
            heaviest, others = next(term for term in terms if term != origin), [origin]
        elif weights[0] == weights[1]:  # a sum of equals, such as of resolutions
            continue
        yield Join(number, heaviest, tuple(others), origin)


def _is_sum(trace: Trace, number: int) -> bool:
    step = trace.steps[number]
    shapes = {trace.steps[parent].shape for parent in step.parents}
    return len(step.parents) == 2 and step.is_map and shapes == {step.shape} and max(step.shape[2:]) > 1


def _flows_into(trace: Trace, uses: Counter[int], part: int, number: int, sums: set[int]) -> bool:
    """Whether a term of a sum is itself a sum that nothing else uses: then both are one of several terms."""
    steps = trace.steps
    return part in sums and uses[part] == 1 and steps[part].call == steps[number].call


def _terms(trace: Trace, uses: Counter[int], number: int, sums: set[int]) -> list[int]:
    found = []
    for part in trace.steps[number].parents:
        found += _terms(trace, uses, part, sums) if _flows_into(trace, uses, part, number, sums) else [part]
    return found
