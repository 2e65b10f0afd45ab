"""The sites of somebody else's network, found in one pass of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from nas_attn.space import InputError, Site, allowed

from .attachment import Point
from .blocks import Block, blocks
from .positions import Position, as_before, positions
from .tracing import Call, Trace


class Place(NamedTuple):
    """A site, and where its attention is attached."""

    site: Site
    point: Point


def places(trace: Trace, stripped: Collection[str] = ()) -> tuple[tuple[Place, ...], tuple[str, ...]]:
    """Every place where an attention can be attached, in the order of the pass; and remarks, a line each.

    `branch` is after what gives the branch, stochastic depth not yet applied, before it is added; `inner` before the
    branch's last convolution; `pre` before the one module of the branch that takes what the branch starts from;
    `block` after the block; `stage` after the last block of a stage, a run of blocks whose outputs have one shape, or
    after the cross-stage module around it. Each is offered where a module that is called once in a pass gives or takes
    the feature map. Where attention was `stripped` in front of a scale or an activation, a place is before that too.
    Remarks say which places are not the usual ones, and what is left out.
    """
    outputs = {call.output for call in trace.calls if call.path in stripped}
    heads = [block for block in blocks(trace) if _is_head(trace, block)]
    found = [(block, list(positions(trace, block))) for block in blocks(trace) if block not in heads]
    named = _named(trace, ((block, [as_before(trace, block, at, outputs) for at in ats]) for block, ats in found))
    return named, tuple(_remarks(trace, found, heads))


def _is_head(trace: Trace, block: Block) -> bool:
    """Whether a block is a convolution with nothing behind it that gives a map of scores, as for segmentation."""
    given = (number for number in trace.calls[-1].outputs if trace.nodes[number].is_map)
    last = block.output
    return trace.nodes[last].convolves and any(
        trace.descends(number, last) and not trace.weight(last, number) for number in given
    )


def _remarks(trace: Trace, found: list[tuple[Block, list[Position]]], heads: list[Block]) -> Iterator[str]:
    if heads:
        paths = [trace.nodes[block.output].call.path for block in heads]
        yield f"After {_listed(paths)}: no place, for it gives the output"
    ends = [(block, at) for block, ats in found for at in ats if at.position == "block"]
    if early := [at.module for block, at in ends if block.ends and at.node != block.output]:
        yield f"After {_listed(early)}: attention comes before an activation that no module gives"
    if unended := [ats[0].module for _, ats in found if ats and ats[-1].position != "block"]:
        yield f"After {len(unended)} blocks no place: no module alone gives or takes their maps ({_listed(unended)})"
    shared = {call.path for call in trace.calls if call.path in trace.repeated and trace.convolutions(call)}
    if outermost := sorted(path for path in shared if not any(path.startswith(f"{other}.") for other in shared)):
        yield f"At {_listed(outermost)}: no place, called several times in a pass"


def _listed(modules: list[str], most: int = 3) -> str:
    return ", ".join([*modules[:most], *(["..."] if len(modules) > most else [])])


def named_places(trace: Trace, paths: Iterable[str], known: Iterable[str]) -> tuple[Place, ...]:
    """The places after the modules of these paths, each a block of its own.

    After one that gives what it is given, as `nn.Identity` on a skip connection does, the gating signal is the first
    input of the module around it, such as that of a decoder's block.

    Raises `InputError` for a path that is none of the `known`, and for a module that gives no feature map or is not
    called exactly once.
    """
    calls = {call.path: call for call in trace.calls}
    order = list(calls)
    found = []
    for path in sorted(paths, key=lambda path: order.index(path) if path in calls else -1):
        call = calls.get(path)
        if path not in known:
            raise InputError(f"modules: the network has no module {path!r}; {allowed(path, known)}")
        if call is None or path in trace.repeated:
            times = "several times" if call else "never"
            raise InputError(f"modules: {path!r} is called {times} in a pass; allowed: modules that are called once")
        output = None if call.output is None else trace.nodes[call.output]
        if call.output is None or output is None or not output.is_map:
            given = f"a tensor of {len(output.shape)} axes" if output else "several things"
            raise InputError(f"modules: {path!r} gives {given}; allowed: modules that give a feature map (B, C, H, W)")
        around = call.parent if call.passes and call.parent is not None and call.parent.path else call
        found.append((Block(call.begin, call.output, around), [Position("block", "block", path, call.output)]))
    return _named(trace, found, by_user=True)


def _named(trace: Trace, found: Iterable[tuple[Block, list[Position]]], *, by_user: bool = False) -> tuple[Place, ...]:
    offering = [(block, ats) for block, ats in found if ats]
    stages = [list(group) for _, group in groupby(offering, key=lambda pair: trace.nodes[pair[0].output].shape)]
    result: list[Place] = []
    for stage, group in enumerate(stages, start=1):
        for number, (block, ats) in enumerate(group):
            result += [_place(trace, block, f"stage{stage}", number, at) for at in ats]
        if ats[-1].position == "block":
            others = [other.call for other, _ in offering if other.call and all(other is not own for own, _ in group)]
            around = block.call and not by_user and _around_stage(trace, block.call, block.output, others)
            block, at = around or (block, ats[-1])
            at = at._replace(name="stage", position="stage")
            result.append(_place(trace, block, f"stage{stage}", number, at))
    return tuple(result)


def _around_stage(trace: Trace, last: Call, output: int, others: list[Call]) -> tuple[Block, Position] | None:
    """The outermost module of a repeated kind around the end of a stage that a second way leads through.

    Such as a cross-stage module: it splits off what the blocks do not see, and joins it again behind them.
    """
    kinds = Counter(call.kind for call in trace.calls)
    for call in reversed(trace.calls):
        if call.first is None or call.output is None or not call.path or not call.around(last):
            continue
        if call.path in trace.repeated or kinds[call.kind] < 2 or any(map(call.around, others)):
            continue
        if _goes_on(trace, call.first, output, call.output):
            return Block(call.begin, call.output, call), Position("stage", "stage", call.path, call.output)
    return None


def _goes_on(trace: Trace, start: int, middle: int, end: int) -> bool:
    """Whether a map of the same size comes from a map and from what lies before it by another way."""
    one, other = trace.nodes[middle], trace.nodes[end]
    alike = end != middle and other.is_map and other.shape[2:] == one.shape[2:]
    return alike and trace.descends(end, middle) and not trace.only_way(start, middle, end)


def _place(trace: Trace, block: Block, stage: str, number: int, at: Position) -> Place:
    name, call, signal, around = f"{stage}.block{number}", block.call, None, ""
    if call and call.first is not None and trace.nodes[call.first].is_map and _lies_in(at.module, call.path):
        signal, around = trace.nodes[call.first].shape[1], call.path
    channels = trace.nodes[at.node].shape[1]
    site = Site(f"{name}.{at.name}", stage, name, at.position, channels, signal, at.module)
    return Place(site, Point(site.name, at.module, around))


def _lies_in(module: str, path: str) -> bool:
    return f"{module.lstrip('<')}.".startswith(f"{path}.")
