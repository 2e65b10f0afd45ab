"""Where in a block of somebody else's network attention can be attached."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from .additions import Join
from .blocks import Block
from .tracing import Call, Trace


class Position(NamedTuple):
    """A place in a block: its position, with a number behind it in the name if it is not the first of its kind."""

    name: str
    position: str
    module: str
    node: int


_At = tuple[str, int]
"""A module's path, with a `<` before it for what it takes first, and the node that is weighed there."""


def positions(trace: Trace, block: Block) -> Iterator[Position]:
    """The places in a block and after it, in the order of the pass."""
    call = block.call
    ways = [(join.origin, join.branch) for join in block.joins]
    if block.has_inside and not ways and call is not None and call.first is not None:
        ways = [(call.first, block.output)]
    for number, (origin, branch) in enumerate(ways, start=1):
        join = block.joins[number - 1] if block.joins else None
        found = {
            "pre": join and _before_branch(trace, block, join),
            "inner": _before_last(trace, block, origin, branch),
            "branch": join and _end(trace, block, branch, origin),
        }
        for position, at in found.items():
            if at:
                yield Position(position if number == 1 else f"{position}{number}", position, *at)
    if block.ends and (end := _end_of_chain(trace, block)):
        yield Position("block", "block", *end)
    elif call is not None and call.output == block.output and trace.nodes[block.output].is_map:
        yield Position("block", "block", call.path, block.output)


def as_before(trace: Trace, block: Block, at: Position, stripped_outputs: Collection[int | None]) -> Position:
    """A place inside a block, where only operators on single elements separate it from attention that was stripped."""
    node, nodes = at.node, trace.nodes
    while at.position in ("inner", "branch") and node not in stripped_outputs and node > block.begin:
        made = nodes[node]
        if len(made.parents) != 1 or made.weighs or nodes[made.parents[0]].shape != made.shape:
            return at
        node = made.parents[0]
    given = _giver(trace, block, node) if node in stripped_outputs else None
    return at._replace(module=given[0], node=given[1]) if given and node != at.node else at


def _before_branch(trace: Trace, block: Block, join: Join) -> _At | None:
    """Before the outermost module that takes what the branch starts from, if nothing else of the branch takes it."""

    def on_branch(node: int | None) -> bool:
        on_shortcut = node is None or any(trace.descends(end, node) for end in join.shortcuts)
        return node is not None and trace.descends(join.branch, node) and not on_shortcut

    takers = [call for call in _inside(trace, block) if call.first == join.origin and on_branch(call.output)]
    outermost = [call for call in takers if not any(other.around(call) for other in takers)]
    if len(outermost) != 1 or not trace.nodes[join.origin].is_map:
        return None
    others = any(
        join.origin in trace.nodes[number].parents and on_branch(number) and not outermost[0].holds(number)
        for number in range(join.origin + 1, join.branch + 1)
    )
    return None if others else (f"<{outermost[0].path}", join.origin)


def _before_last(trace: Trace, block: Block, origin: int, branch: int) -> _At | None:
    """Before the last of several convolutions, if it gives a map of the branch's size and no way leads around it."""
    convolutions = [
        number
        for number in range(origin + 1, branch + 1)
        if trace.nodes[number].convolves and trace.descends(number, origin) and trace.descends(branch, number)
    ]
    size = trace.nodes[branch].shape[2:]
    whole = [number for number in convolutions if trace.nodes[number].shape[2:] == size]
    if len(convolutions) < 2 or not whole:
        return None
    if not trace.only_way(origin, last := whole[-1], branch):
        return _before_parallel(trace, block, origin, branch)
    for call in _inside(trace, block):
        if call.holds(last) and call.first is not None and trace.weight(call.first, last) == 1:
            return (f"<{call.path}", call.first) if trace.nodes[call.first].is_map else None
    return None


def _before_parallel(trace: Trace, block: Block, origin: int, branch: int) -> _At | None:
    """Before the last module that all ways lead into behind a convolution, where its own stand side by side."""
    found = None
    for call in _inside(trace, block):
        at = call.first
        if at is None or call.output is None or not trace.nodes[at].is_map or not trace.descends(branch, call.output):
            continue
        before = trace.descends(at, origin) and trace.weight(origin, at) > 0 and trace.only_way(origin, at, branch)
        several = trace.convolutions(call) > 1
        if before and several and _takes_alone(trace, call, at) and (found is None or at >= found[1]):
            found = f"<{call.path}", at
    return found


def _end(trace: Trace, block: Block, node: int, start: int) -> _At | None:
    """After what gives this node; operators without a module, such as a learnt scale, are stepped over."""
    while not (found := _giver(trace, block, node)):
        made = trace.nodes[node]
        kept = len(made.parents) == 1 and trace.nodes[made.parents[0]].shape == made.shape
        if not kept or made.weighs or made.operator in ("permute", "transpose") or made.parents[0] == start:
            return None
        node = made.parents[0]
    return found


def _end_of_chain(trace: Trace, block: Block) -> _At | None:
    """After the last module that gives an end of the block, or before the only one that takes it."""
    for node in reversed(block.ends):
        if block.call is not None and node == block.call.output:
            return block.call.path, node
        if found := _giver(trace, None, node) or _taker(trace, node):
            return found
    return None


def _taker(trace: Trace, node: int) -> _At | None:
    """Before the innermost module that all uses of a map lie in, if there is one."""
    takers = (call for call in _inside(trace, None) if call.first == node and call.begin > node)
    return next(((f"<{call.path}", node) for call in takers if _takes_alone(trace, call, node)), None)


def _takes_alone(trace: Trace, call: Call, node: int) -> bool:
    """Whether all uses of a node lie in a module."""
    return all(call.holds(number) for number, other in enumerate(trace.nodes) if node in other.parents)


def _giver(trace: Trace, block: Block | None, node: int) -> _At | None:
    """After the innermost module that gives a map, or before one that passes it on and that nothing leads around."""
    if not trace.nodes[node].is_map:
        return None
    calls = [call for call in _inside(trace, block) if call.output == node]
    for call in calls:
        if not call.passes:
            return call.path, node
    return (f"<{calls[0].path}", node) if calls and calls[0].first == node and not calls[0].bypassed else None


def _inside(trace: Trace, block: Block | None) -> Iterator[Call]:
    """The modules in a block that are called once, in the order in which they end."""
    around = block.call if block else None
    for call in trace.calls:
        if call.path and call.path not in trace.repeated and (around is None or around.around(call)):
            yield call
