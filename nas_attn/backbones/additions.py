"""The residual additions of a network, found in one pass of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from .tracing import Trace


@dataclass(frozen=True, slots=True)
class Join:
    """A residual addition: where two ways from one tensor meet again."""

    node: int  # the sum
    branch: int  # what is added by the way with more convolutions
    shortcuts: tuple[int, ...]  # what it is added to
    origin: int  # where the ways parted


def joins(trace: Trace) -> Iterator[Join]:
    """The residual additions of a network, in the order of its pass."""
    sums = {number for number in range(len(trace.nodes)) if _is_sum(trace, number)}
    inner = {part for number in sums for part in trace.nodes[number].parents if _flows_into(trace, part, number, sums)}
    for number in sorted(sums - inner):
        terms = _terms(trace, number, sums)
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
    node = trace.nodes[number]
    adds = node.operator in ("add", "add_") and len(node.parents) == 2 and node.is_map and max(node.shape[2:]) > 1
    return adds and {trace.nodes[parent].shape for parent in node.parents} == {node.shape}


def _flows_into(trace: Trace, part: int, number: int, sums: set[int]) -> bool:
    """Whether a term of a sum is itself a sum that nothing else uses: then both are one of several terms."""
    return part in sums and trace.uses[part] == 1 and trace.nodes[part].call is trace.nodes[number].call


def _terms(trace: Trace, number: int, sums: set[int]) -> list[int]:
    found = []
    for part in trace.nodes[number].parents:
        found += _terms(trace, part, sums) if _flows_into(trace, part, number, sums) else [part]
    return found
