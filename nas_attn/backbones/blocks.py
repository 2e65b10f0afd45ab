"""The blocks of a network, found in one pass of it.

A block is a module that adds a branch to a shortcut, and every module of the same kind. A network without residual
additions has units instead: modules of its trunk that are more than a chain of others, or the repeated modules that
hold one each and go on behind it. A chain of nothing but convolutions has those. A block without an activation at its
end goes on to the one behind it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from .additions import Join, joins
from .chains import behind, is_closed, unit
from .own_attention import is_attention
from .tracing import Call, Trace


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a network that attention may stand in or after."""

    begin: int  # the node that was next when it began
    output: int  # the node that it gives, or where it gives several, its last sum
    call: Call | None = None  # the call of its module, if it is one
    joins: tuple[Join, ...] = ()  # its residual additions, in their order
    has_inside: bool = False  # whether places between its convolutions have a meaning, as in a residual block
    ends: tuple[int, ...] = ()
    """Of a unit, its output and the normalisation and activation behind it, in their order."""


def blocks(trace: Trace) -> list[Block]:
    """The blocks of a network in the order of its pass."""
    finder = _Finder(trace)
    residual = finder.residual()
    found = [*residual, *finder.units(residual)] or finder.repeated() or finder.convolutions()
    return sorted(found, key=lambda block: block.begin)


class _Finder:
    """What blocks consist of: modules that are called once, and are no attention by themselves."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.attention = [call.path for call in trace.calls if is_attention(call.kind)]

    def residual(self) -> list[Block]:
        """Modules with residual additions, those of the same kind without, and additions in no module."""
        inside: dict[Call, list[Join]] = {}
        outside = []
        for join in joins(self.trace):
            call = self.trace.nodes[join.node].call
            if not call.path:
                outside.append(join)
            elif self._usable(call) and self.trace.convolutions(call) and self._belongs(join, call, inside):
                inside.setdefault(call, []).append(join)
        innermost = [call for call in inside if not any(call.around(other) for other in inside)]
        alike = [call for call in self.trace.calls if self._alike(call, innermost)]
        found = [
            Block(call.begin, output, call, tuple(inside.get(call, ())), has_inside=True)
            for call in (*innermost, *alike)
            if (output := inside[call][-1].node if call.output is None else call.output) is not None
        ]
        return [*found, *self._written_out(outside, [block.output for block in found])]

    def _written_out(self, outside: list[Join], outputs: list[int]) -> Iterator[Block]:
        """Blocks that the network itself adds up, without others in their branches."""
        ends = [*outputs, *(join.node for join in outside)]
        for join in outside:
            descends, origin = self.trace.descends, join.origin
            light = min(self.trace.weight(origin, shortcut) for shortcut in join.shortcuts) < 2
            inner = [end for end in ends if end != origin and descends(end, origin) and descends(join.branch, end)]
            if light and not inner and self.trace.weight(origin, join.branch):
                following = behind(self.trace, join.node, None)
                yield Block(origin + 1, following[-1], joins=(join,), has_inside=True, ends=following)

    def _belongs(self, join: Join, call: Call, inside: dict[Call, list[Join]]) -> bool:
        """Whether a module's ways part where it begins, or at an earlier sum of its own."""
        starts = [*call.inputs, *(earlier.node for earlier in inside.get(call, ()))]
        return any(
            self.trace.descends(join.origin, start) and not self.trace.weight(start, join.origin) for start in starts
        )

    def _alike(self, call: Call, found: list[Call]) -> bool:
        """Whether a module is of the kind of a block, or stands among blocks and comes from the same source file."""
        if call in found or not self._usable(call) or not self._maps(call):
            return False
        if any(call.around(block) or block.around(call) for block in found):
            return False
        pattern = _pattern(call.path)
        among = {block.kind.__module__ for block in found if _pattern(block.path) == pattern and pattern.count("*") > 1}
        return call.kind in {block.kind for block in found} or (
            call.kind.__module__ in among and self.trace.convolutions(call) > 0
        )

    def units(self, found: list[Block]) -> list[Block]:
        """What the trunk has beside the blocks found and chains."""
        calls = [block.call for block in found if block.call]
        units = list(self._descend(self.trace.calls[-1], calls))
        while len(units) == 1 and not calls and len(inner := list(self._descend(units[0], []))) > 1:
            units = inner
        return [self._followed(self._grown(unit, units, calls)) for unit in units]

    def _descend(self, call: Call, found: list[Call]) -> Iterator[Call]:
        for child in call.children:
            if child in found or child.path in self.attention:
                continue
            holds = any(child.around(block) for block in found)
            is_unit = self._usable(child) and self._given(child) is not None and self.trace.convolutions(child) > 1
            if is_unit and not holds and not self._is_chain(child):
                yield child
            else:
                yield from self._descend(child, found)

    def _grown(self, unit: Call, units: list[Call], blocks: list[Call]) -> Call:
        """The module around a unit that goes on behind it, where modules of its kind hold one unit each."""
        around, grown = unit, unit
        while around.parent and around.parent.path:
            around = around.parent
            if self._given(around) == self._given(grown):
                continue
            alike = [call for call in self.trace.calls if _kind(call) == _kind(around)]
            single = all(sum(call.around(other) for other in (*units, *blocks)) == 1 for call in alike)
            if len(alike) < 2 or not single or not self._usable(around) or self._size(grown) != self._size(around):
                break
            grown = around
        return grown

    def _size(self, call: Call) -> tuple[int, ...] | None:
        given = self._given(call)
        return None if given is None else self.trace.nodes[given].shape[2:]

    def _given(self, call: Call) -> int | None:
        """The one map that a module makes, alone or among things that it was given."""
        made = [node for node in call.outputs if node not in call.inputs and self.trace.nodes[node].is_map]
        return made[0] if len(made) == 1 else None

    def _followed(self, call: Call, *, has_inside: bool = False) -> Block:
        given = self._given(call)
        assert given is not None
        ends = behind(self.trace, given, call if is_closed(self.trace, call, given) else None)
        return Block(call.begin, ends[-1], call, has_inside=has_inside, ends=ends)

    def repeated(self) -> list[Block]:
        """Chains of one kind that stand three times or more, such as a depthwise convolution and a pointwise one."""
        calls = [
            call
            for call in self.trace.calls
            if self._usable(call) and self._maps(call) and self.trace.convolutions(call) > 1
        ]
        kinds = Counter(call.kind for call in calls if call.kind is not nn.Sequential)
        chosen = [call for call in calls if kinds[call.kind] > 2]
        outermost = [call for call in chosen if not any(other.around(call) for other in chosen)]
        return [self._followed(call, has_inside=True) for call in outermost]

    def convolutions(self) -> list[Block]:
        """Each convolution that gives a map, with the normalisation and the activation that follow."""
        return [self._convolution(number) for number, node in enumerate(self.trace.nodes) if node.convolves]

    def _convolution(self, number: int) -> Block:
        call = unit(self.trace, number)
        given = call and self._given(call)
        ends = behind(self.trace, number, call if call and given and is_closed(self.trace, call, given) else None)
        return Block(number, ends[-1], ends=ends)

    def _is_chain(self, call: Call) -> bool:
        """Whether each module that is called takes what the one before it gives."""
        given = [_taken(call), *(child.outputs for child in call.children)]
        taken = [*map(_taken, call.children), call.outputs]
        return all(one and other and self._leads_alone(one, other) for one, other in zip(given, taken, strict=True))

    def _leads_alone(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> bool:
        """Whether one way alone leads to each of the ends, from one of the starts."""
        for end in ends:
            while end not in starts:
                if len(parents := self.trace.nodes[end].parents) != 1:
                    return False
                end = parents[0]
        return True

    def _usable(self, call: Call) -> bool:
        inside = any(call.path == path or call.path.startswith(f"{path}.") for path in self.attention)
        return bool(call.path) and call.path not in self.trace.repeated and not inside

    def _maps(self, call: Call) -> bool:
        """Whether a module takes one feature map first, and gives one."""
        return all(node is not None and self.trace.nodes[node].is_map for node in (call.first, call.output))


def _taken(call: Call) -> tuple[int, ...]:
    return call.inputs if call.first is None else (call.first,)


def _kind(call: Call) -> type[nn.Module] | str:
    return _pattern(call.path) if call.kind is nn.Sequential else call.kind


def _pattern(path: str) -> str:
    return re.sub(r"\d+", "*", path)
