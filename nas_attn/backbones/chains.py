"""What goes on behind a step of a network before the next convolution: normalisation, activation, a scale."""

import re
from collections import Counter

from .tracing import Call, Step, Trace

_SHAPING = re.compile(
    r"view|shape|permute|transpose|^t$|cat|stack|split|chunk|slice|select|clone|copy|contiguous|expand|squeeze|alias|"
    r"detach|shuffle|upsample|pad|pool|dropout|convolution|mm|linear"
)
_NORMALISING = re.compile(r"norm|mean|var|std|sum|add|sub|mul|div|pow|sqrt|square|neg|abs")


class Chains:
    """How the steps of a network follow each other on the way to its scores."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.by_order = {call.order: call for call in trace.calls}
        scores = trace.calls[-1].output
        self.used = [scores is None or trace.descends(scores, number) for number in range(len(trace.steps))]
        self.uses = Counter(
            parent for step, used in zip(trace.steps, self.used, strict=True) if used for parent in step.parents
        )

    def behind(self, start: int, within: Call | None) -> tuple[int, ...]:
        """A step, and the maps of its size that all ways from it lead through, up to what is more than pointwise.

        That is a convolution, a pooling that nothing leads around, a step that meets another way, and a module with
        convolutions of its own. A statistic that is divided by, or a gate, belongs to what it comes back to.
        """
        steps = self.trace.steps
        reached, open_ways = {start}, self.uses[start]
        pointwise, found = {start}, [start]
        for number in range(start + 1, len(steps)):
            step = steps[number]
            taken = reached.intersection(step.parents)
            if not taken or not self.used[number]:
                continue
            outside = within is not None and not within.holds(number)
            if len(taken) < len(step.parents) or convolves(step) or outside or self._is_elsewhere(number, start):
                break
            if pointwise.intersection(taken) and not step.weighs and "pool" not in step.operator:
                pointwise.add(number)
            reached.add(number)
            open_ways -= len(taken)
            if not open_ways:
                if number not in pointwise:
                    break
                if step.is_map and step.shape[2:] == steps[start].shape[2:]:
                    found.append(number)
            open_ways += self.uses[number]
        return tuple(found)

    def unit(self, convolution: int) -> Call | None:
        """The outermost module with this convolution and no other."""
        call, found = self.by_order[self.trace.steps[convolution].call], None
        while call.parent is not None and self.convolutions(call) == 1:
            call, found = self.by_order[call.parent], call
        return found

    def is_closed(self, call: Call, output: int) -> bool:
        """Whether a module begins with a normalisation or an activation, or has an activation behind its convolutions.

        What follows one that does not, belongs to it.
        """
        steps = self.trace.steps
        first = next(number for number in range(call.begin, call.end) if convolves(steps[number]))
        before = (n for n in range(call.begin, first) if self.trace.descends(first, n))
        if any(not _SHAPING.search(steps[number].operator) for number in before):
            return True
        return any(
            _activates(steps[number]) and self.trace.descends(output, number) and not self.trace.weight(number, output)
            for number in range(first, call.end)
        )

    def convolutions(self, call: Call) -> int:
        """How many convolutions a module has that give more than one position."""
        return sum(map(convolves, self.trace.steps[call.begin : call.end]))

    def _is_elsewhere(self, number: int, start: int) -> bool:
        """Whether a step happened in a module with convolutions in which the other one did not."""
        call = self.by_order[self.trace.steps[number].call]
        while not call.holds(start) and call.parent is not None:
            if self.convolutions(call):
                return True
            call = self.by_order[call.parent]
        return False


def convolves(step: Step) -> bool:
    """Whether it is a convolution that gives more than one position."""
    return step.operator == "convolution" and step.is_map and max(step.shape[2:]) > 1


def _activates(step: Step) -> bool:
    return not _SHAPING.search(step.operator) and not _NORMALISING.search(step.operator)
