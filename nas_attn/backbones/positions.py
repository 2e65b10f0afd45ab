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
    step: int


def positions(trace: Trace, block: Block) -> Iterator[Position]:
    """The places in a block and after it, in the order of the pass."""
    ways = [(join.origin, join.branch) for join in block.joins]
    if block.has_inside and not ways and block.call is not None and block.call.first is not None:
        ways = [(block.call.first, block.output)]
    for number, (origin, branch) in enumerate(ways, start=1):
        suffix = str(number) if number > 1 else ""
        join = block.joins[number - 1] if block.joins else None
        if join and (pre := _before_branch(trace, block, join)):
            yield Position(f"pre{suffix}", "pre", *pre)
        if inner := _before_last(trace, block, origin, branch):
            yield Position(f"inner{suffix}", "inner", *inner)
        if join and (end := _end(trace, block, join.branch, join.origin)):
            yield Position(f"branch{suffix}", "branch", *end)
    if block.ends and (end := _end_of_chain(trace, block)):
        yield Position("block", "block", *end)
    elif block.call is not None and block.call.output == block.output and trace.steps[block.output].is_map:
        yield Position("block", "block", block.call.path, block.output)


def as_before(trace: Trace, block: Block, at: Position, stripped_outputs: Collection[int | None]) -> Position:
    """A place inside a block, where only operators on single elements separate it from attention that was stripped."""
    step, steps = at.step, trace.steps
    while at.position in ("inner", "branch") and step not in stripped_outputs and step > block.begin:
        made = steps[step]
        if len(made.parents) != 1 or made.weighs or steps[made.parents[0]].shape != made.shape:
            return at
        step = made.parents[0]
    given = _giver(trace, block, step) if step in stripped_outputs else None
    return at._replace(module=given[0], step=given[1]) if given and step != at.step else at


def _before_branch(trace: Trace, block: Block, join: Join) -> tuple[str, int] | None:
    """Before the outermost module that takes what the branch starts from, if nothing else of the branch takes it."""

    def on_branch(step: int) -> bool:
        return trace.descends(join.branch, step) and not any(trace.descends(end, step) for end in join.shortcuts)

    takers = [
        call
        for call in _inside(trace, block)
        if call.first == join.origin and call.output is not None and on_branch(call.output)
    ]
    outermost = [call for call in takers if not any(other.around(call) for other in takers)]
    if len(outermost) != 1 or not trace.steps[join.origin].is_map:
        return None
    others = [
        number
        for number in range(join.origin + 1, join.branch + 1)
        if join.origin in trace.steps[number].parents and on_branch(number) and not outermost[0].holds(number)
    ]
    return None if others else (f"<{outermost[0].path}", join.origin)


def _before_last(trace: Trace, block: Block, origin: int, branch: int) -> tuple[str, int] | None:
    """Before the last of several convolutions, if it gives a map of the branch's size and no way leads around it."""
    convolutions = [
        number
        for number in range(origin + 1, branch + 1)
        if trace.steps[number].convolves and trace.descends(number, origin) and trace.descends(branch, number)
    ]
    size = trace.steps[branch].shape[2:]
    whole = [number for number in convolutions if trace.steps[number].shape[2:] == size]
    if len(convolutions) < 2 or not whole:
        return None
    if not trace.only_way(origin, last := whole[-1], branch):
        return _before_parallel(trace, block, origin, branch)
    for call in _inside(trace, block):
        if call.holds(last) and call.first is not None and trace.weight(call.first, last) == 1:
            return (f"<{call.path}", call.first) if trace.steps[call.first].is_map else None
    return None


def _before_parallel(trace: Trace, block: Block, origin: int, branch: int) -> tuple[str, int] | None:
    """Before the last module that all ways lead into behind a convolution, where its own stand side by side."""
    found = None
    for call in _inside(trace, block):
        at = call.first
        if at is None or call.output is None or not trace.steps[at].is_map or not trace.descends(branch, call.output):
            continue
        before = trace.descends(at, origin) and trace.weight(origin, at) > 0 and trace.only_way(origin, at, branch)
        several = trace.convolutions(call) > 1
        if before and several and _takes_alone(trace, call, at) and (found is None or at >= found[1]):
            found = f"<{call.path}", at
    return found


def _end(trace: Trace, block: Block, step: int, start: int) -> tuple[str, int] | None:
    """After what gives this step; operators without a module, such as a learnt scale, are stepped over."""
    while not (found := _giver(trace, block, step)):
        made = trace.steps[step]
        kept = len(made.parents) == 1 and trace.steps[made.parents[0]].shape == made.shape
        if not kept or made.weighs or made.operator in ("permute", "transpose") or made.parents[0] == start:
            return None
        step = made.parents[0]
    return found


def _end_of_chain(trace: Trace, block: Block) -> tuple[str, int] | None:
    """After the last module that gives an end of the block, or before the only one that takes it."""
    for step in reversed(block.ends):
        if block.call is not None and step == block.call.output:
            return block.call.path, step
        if found := _giver(trace, None, step) or _taker(trace, step):
            return found
    return None


def _taker(trace: Trace, step: int) -> tuple[str, int] | None:
    """Before the innermost module that all uses of a map lie in, if there is one."""
    for call in _inside(trace, None):
        if call.first == step and call.begin > step and _takes_alone(trace, call, step):
            return f"<{call.path}", step
    return None


def _takes_alone(trace: Trace, call: Call, step: int) -> bool:
    """Whether all uses of a step lie in a module."""
    return all(call.holds(number) for number, other in enumerate(trace.steps) if step in other.parents)


def _giver(trace: Trace, block: Block | None, step: int) -> tuple[str, int] | None:
    """After the innermost module that gives a map, or before one that passes it on as it is."""
    if not trace.steps[step].is_map:
        return None
    calls = [call for call in _inside(trace, block) if call.output == step]
    for call in calls:
        if not call.passes:
            return call.path, step
    return (f"<{calls[0].path}", step) if calls and calls[0].first == step else None


def _inside(trace: Trace, block: Block | None) -> Iterator[Call]:
    """The modules in a block that are called once, in the order in which they end."""
    for call in trace.calls:
        if (
            call.path not in trace.repeated
            and call.path
            and (block is None or block.call is None or block.call.around(call))
        ):
            yield call
