"""What goes on behind a step of a network before the next convolution: normalisation, activation, a scale."""

import re

from .tracing import Call, Step, Trace

_SHAPING = re.compile(
    r"view|shape|permute|transpose|^t$|cat|stack|split|chunk|slice|select|clone|copy|contiguous|expand|squeeze|alias|"
    r"detach|shuffle|upsample|pad|pool|dropout|convolution|mm|linear"
)
_NORMALISING = re.compile(r"norm|mean|var|std|sum|add|sub|mul|div|pow|sqrt|square|neg|abs")


def behind(trace: Trace, start: int, within: Call | None) -> tuple[int, ...]:
    """A step, and the maps of its size that all ways from it lead through, up to what is more than pointwise.

    That is a convolution, a pooling that nothing leads around, a step that meets another way, and a module with
    convolutions of its own. A statistic that is divided by, or a gate, belongs to what it comes back to.
    """
    reached, open_ways = {start}, trace.uses[start]
    pointwise, found = {start}, [start]
    for number, step in enumerate(trace.steps[start + 1 :], start=start + 1):
        taken = reached.intersection(step.parents)
        if not taken or not trace.used[number]:
            continue
        outside = within is not None and not within.holds(number)
        if len(taken) < len(step.parents) or step.convolves or outside or _is_elsewhere(trace, step.call, start):
            break
        if pointwise.intersection(taken) and not step.weighs and "pool" not in step.operator:
            pointwise.add(number)
        reached.add(number)
        open_ways -= len(taken)
        if not open_ways:
            if number not in pointwise:
                break
            if step.is_map and step.shape[2:] == trace.steps[start].shape[2:]:
                found.append(number)
        open_ways += trace.uses[number]
    return tuple(found)


def _is_elsewhere(trace: Trace, call: Call | None, start: int) -> bool:
    """Whether a call is in a module with convolutions in which a step did not happen."""
    while call and call.parent and not call.holds(start):
        if trace.convolutions(call):
            return True
        call = call.parent
    return False


def unit(trace: Trace, convolution: int) -> Call | None:
    """The outermost module with this convolution and no other."""
    call, found = trace.steps[convolution].call, None
    while call.parent and trace.convolutions(call) == 1:
        call, found = call.parent, call
    return found


def is_closed(trace: Trace, call: Call, output: int) -> bool:
    """Whether a module begins with a normalisation or an activation, or has an activation behind its convolutions.

    What follows one that does not, belongs to it.
    """
    steps = trace.steps
    first = next(number for number in range(call.begin, call.end) if steps[number].convolves)
    return any(
        trace.descends(first, number) and not _SHAPING.search(steps[number].operator)
        for number in range(call.begin, first)
    ) or any(
        _activates(steps[number]) and trace.descends(output, number) and not trace.weight(number, output)
        for number in range(first, call.end)
    )


def _activates(step: Step) -> bool:
    return not _SHAPING.search(step.operator) and not _NORMALISING.search(step.operator)
