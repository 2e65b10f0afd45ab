"""The sites of somebody else's network, found in what happened in one pass of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from nas_attn.space import InputError, Site, allowed

from .attachment import Point
from .blocks import Block, IsAttention, Join, blocks
from .chains import convolves
from .tracing import Call, Trace


class Place(NamedTuple):
    """A site, and where its attention is attached."""

    site: Site
    point: Point


class _Position(NamedTuple):
    """A place in a block: its position, with a number behind it in the name if it is not the first of its kind."""

    name: str
    position: str
    module: str
    step: int


def places(trace: Trace, is_attention: IsAttention, stripped: Collection[str] = ()) -> tuple[Place, ...]:
    """Every place in a network where an attention can be attached, block by block in the order of its pass.

    `branch` is after what gives the branch, stochastic depth not yet applied, before it is added; `inner` before the
    branch's last convolution; `pre` before the one module of the branch that takes what the branch starts from;
    `block` after the block; `stage` after the last block of a stage, a run of blocks whose outputs have one shape, or
    after the cross-stage module around it. Each is offered where a module that is called once in a pass gives or takes
    the feature map. Where attention was `stripped` in front of a scale or an activation, a place is before that too.
    """
    bare = {call.output for call in trace.calls if call.path in stripped}
    found = [(block, list(_positions(trace, block))) for block in blocks(trace, is_attention)]
    return _named(trace, ((block, [_as_before(trace, block, at, bare) for at in ats]) for block, ats in found))


def _as_before(trace: Trace, block: Block, at: _Position, bare: Collection[int | None]) -> _Position:
    """A place inside a block, where only operators on single elements separate it from attention that was stripped."""
    step, steps = at.step, trace.steps
    while at.position in ("inner", "branch") and step not in bare and step > block.begin:
        made = steps[step]
        if len(made.parents) != 1 or made.weighs or steps[made.parents[0]].shape != made.shape:
            return at
        step = made.parents[0]
    given = _giver(trace, block, step) if step in bare else None
    return at._replace(module=given[0], step=given[1]) if given and step != at.step else at


def named_places(trace: Trace, paths: Iterable[str], known: Iterable[str]) -> tuple[Place, ...]:
    """The places after the modules of these paths, each a block of its own.

    Raises `InputError` for a path that is none of the `known`, and for a module that gives no feature map or is not
    called exactly once.
    """
    calls = {call.path: call for call in trace.calls}
    order = [call.path for call in trace.calls]
    found = []
    for path in sorted(paths, key=lambda path: order.index(path) if path in order else -1):
        call = calls.get(path)
        if path not in known:
            raise InputError(f"modules: the network has no module {path!r}; {allowed(path, known)}")
        if call is None or path in trace.repeated:
            times = "several times" if call else "never"
            raise InputError(f"modules: {path!r} is called {times} in a pass; allowed: modules that are called once")
        if call.output is None or not trace.steps[call.output].is_map:
            given = (
                "several things" if call.output is None else f"a tensor of {len(trace.steps[call.output].shape)} axes"
            )
            raise InputError(f"modules: {path!r} gives {given}; allowed: modules that give a feature map (B, C, H, W)")
        block = Block(call.begin, call.output, call)
        found.append((block, [_Position("block", "block", path, call.output)]))
    return _named(trace, found, by_user=True)


def _named(
    trace: Trace, found: Iterable[tuple[Block, list[_Position]]], *, by_user: bool = False
) -> tuple[Place, ...]:
    offering = [(block, positions) for block, positions in found if positions]
    stages = groupby(offering, key=lambda pair: trace.steps[pair[0].output].shape)
    result: list[Place] = []
    for stage, group in enumerate((list(members) for _, members in stages), start=1):
        for number, (block, positions) in enumerate(group):
            result += [_place(trace, block, f"stage{stage}", f"stage{stage}.block{number}", at) for at in positions]
        if positions[-1].position == "block":
            others = [block for block, _ in offering if not any(block is member for member, _ in group)]
            end = positions[-1]
            if not by_user and (around := _around_stage(trace, block, others)):
                block, end = around
            end = end._replace(name="stage", position="stage")
            result.append(_place(trace, block, f"stage{stage}", f"stage{stage}.block{number}", end))
    return tuple(result)


def _around_stage(trace: Trace, last: Block, others: list[Block]) -> tuple[Block, _Position] | None:
    """The outermost module of a repeated kind around the end of a stage that a second way leads through.

    Such as a cross-stage module: it splits off what the blocks do not see, and joins it again behind them.
    """
    kinds = Counter(call.kind for call in trace.calls)
    found = None
    for call in trace.calls:
        if last.call is None or call.first is None or call.output is None or not call.path:
            continue
        apart = not any(other.call and call.around(other.call) for other in others)
        if not apart or not call.around(last.call) or call.path in trace.repeated or kinds[call.kind] < 2:
            continue
        if _goes_on(trace, call.first, last.output, call.output):
            found = Block(call.begin, call.output, call), _Position("stage", "stage", call.path, call.output)
    return found


def _goes_on(trace: Trace, start: int, middle: int, end: int) -> bool:
    """Whether a map of the same size comes from a map and from what lies before it by another way."""
    steps = trace.steps
    return (
        end != middle
        and steps[end].is_map
        and steps[end].shape[2:] == steps[middle].shape[2:]
        and trace.descends(end, middle)
        and not trace.only_way(start, middle, end)
    )


def _place(trace: Trace, block: Block, stage: str, name: str, at: _Position) -> Place:
    signal, call = None, block.call
    inside = call is not None and f"{at.module.lstrip('<')}.".startswith(f"{call.path}.")
    if inside and call.first is not None and trace.steps[call.first].is_map:
        signal = trace.steps[call.first].shape[1]
    channels = trace.steps[at.step].shape[1]
    site = Site(f"{name}.{at.name}", stage, name, at.position, channels, signal, at.module)
    return Place(site, Point(site.name, at.module, call.path if call and signal else ""))


def _positions(trace: Trace, block: Block) -> Iterator[_Position]:
    ways = [(join.origin, join.branch) for join in block.joins]
    if block.has_inside and not ways and block.call is not None and block.call.first is not None:
        ways = [(block.call.first, block.output)]
    for number, (origin, branch) in enumerate(ways, start=1):
        suffix = str(number) if number > 1 else ""
        join = block.joins[number - 1] if block.joins else None
        if join and (pre := _before_branch(trace, block, join)):
            yield _Position(f"pre{suffix}", "pre", *pre)
        if inner := _before_last(trace, block, origin, branch):
            yield _Position(f"inner{suffix}", "inner", *inner)
        if join and (end := _end(trace, block, join.branch, join.origin)):
            yield _Position(f"branch{suffix}", "branch", *end)
    if block.ends and (end := _end_of_chain(trace, block)):
        yield _Position("block", "block", *end)
    elif block.call is not None and block.call.output == block.output and trace.steps[block.output].is_map:
        yield _Position("block", "block", block.call.path, block.output)


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
        if convolves(trace.steps[number]) and trace.descends(number, origin) and trace.descends(branch, number)
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
        convolving = any(map(convolves, trace.steps[call.begin : call.end]))
        if before and convolving and _takes_alone(trace, call, at) and (found is None or at >= found[1]):
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
        if call.path not in trace.repeated and call.path and (block is None or block.call is None or block.call.around(call)):
            yield call
