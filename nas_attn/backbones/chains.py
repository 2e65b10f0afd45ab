"""What goes on behind a node of a network before the next convolution: normalisation, activation, a scale."""

import re

from .tracing import Call, Node, Trace

_SHAPING = re.compile(
    r"view|shape|permute|transpose|^t$|cat|stack|split|chunk|slice|select|clone|copy|contiguous|expand|squeeze|alias|"
    r"detach|shuffle|upsample|pad|pool|dropout|convolution|mm|linear"
)
_NORMALISING = re.compile(r"norm|mean|var|std|sum|add|sub|mul|div|pow|sqrt|square|neg|abs")


def behind(trace: Trace, start: int, within: Call | None) -> tuple[int, ...]:
    """A node, and the maps of its size that all ways from it lead through, up to what is more than pointwise.

    That is a convolution, a pooling that nothing leads around, a node that meets another way, and a module with
    convolutions of its own. A statistic that is divided by, or a gate, belongs to what it comes back to.
    """
    reached, open_ways = {start}, trace.uses[start]
    pointwise, found = {start}, [start]
    for number, node in enumerate(trace.nodes[start + 1 :], start=start + 1):
        taken = reached.intersection(node.parents)
        if not taken or not trace.used[number]:
            continue
        outside = within is not None and not within.holds(number)
        if len(taken) < len(node.parents) or node.convolves or outside or _is_elsewhere(trace, node.call, start):
            break
        if pointwise.intersection(taken) and not node.weighs and "pool" not in node.operator:
            pointwise.add(number)
        reached.add(number)
        open_ways -= len(taken)
        if not open_ways:
            if number not in pointwise:
                break
            if node.is_map and node.shape[2:] == trace.nodes[start].shape[2:]:
                found.append(number)
        open_ways += trace.uses[number]
    return tuple(found)


def _is_elsewhere(trace: Trace, call: Call | None, start: int) -> bool:
    """Whether a call is in a module with convolutions in which a node did not happen."""
    while call and call.parent and not call.holds(start):
        if trace.convolutions(call):
            return True
        call = call.parent
    return False


def unit(trace: Trace, convolution: int) -> Call | None:
    """The outermost module with this convolution and no other."""
    call, found = trace.nodes[convolution].call, None
    while call.parent and trace.convolutions(call) == 1:
        call, found = call.parent, call
    return found


def is_closed(trace: Trace, call: Call, output: int) -> bool:
    """Whether a module begins with a normalisation or an activation, or has an activation behind its convolutions.

    What follows one that does not, belongs to it.
    """
    nodes = trace.nodes
    first = next(number for number in range(call.begin, call.end) if nodes[number].convolves)
    return any(
        trace.descends(first, number) and not _SHAPING.search(nodes[number].operator)
        for number in range(call.begin, first)
    ) or any(
        _activates(nodes[number]) and trace.descends(output, number) and not trace.weight(number, output)
        for number in range(first, call.end)
    )


def _activates(node: Node) -> bool:
    return not _SHAPING.search(node.operator) and not _NORMALISING.search(node.operator)
