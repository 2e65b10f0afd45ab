"""One pass of a network, written down: which tensor comes from which, and what every module took and gave."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

T = TypeVar("T")

Size = tuple[int, int]
"""Height and width of images."""

SIZES: tuple[Size, ...] = ((224, 224), (299, 299), (64, 64), (32, 32))
"""Those that are tried, in this order, unless a user names one."""


class Untraceable(Exception):
    """No image that was tried passes through a network; the message says which, and what happened."""


@dataclass(slots=True, eq=False)
class Call:
    """One call of a module."""

    path: str  # of the module, from the root of the network
    kind: type[nn.Module]
    parent: "Call | None"  # the call that it was made in; the network itself has none
    begin: int  # the node that was next when it began
    inputs: tuple[int, ...]  # the nodes that it was given, in whatever form
    first: int | None  # the node that is its first positional argument, if that is a tensor
    children: list["Call"] = field(default_factory=list)  # the calls that were made in it, in their order
    end: int = 0  # the node that was next when it ended
    output: int | None = None  # the node that it gave, if it gave one tensor alone
    outputs: tuple[int, ...] = ()  # the nodes that it gave, in whatever form
    bypassed: bool = False  # whether what it passes on as it is was used beside it too

    @property
    def passes(self) -> bool:
        """Whether it gives what it was given."""
        return self.output is not None and self.output in self.inputs

    def holds(self, node: int) -> bool:
        """Whether a node happened during this call."""
        return self.begin <= node < self.end

    def around(self, other: "Call") -> bool:
        """Whether another call was made, from near or far, in this one."""
        return other is not self and (other.path.startswith(f"{self.path}.") or not self.path)


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor that depends on the images, and how it came about."""

    operator: str  # such as `convolution` or `add_`; `images` at the start
    parents: tuple[int, ...]  # the nodes that it was computed from
    shape: tuple[int, ...]
    floating: bool
    call: Call  # the innermost call then

    @property
    def is_map(self) -> bool:
        """Whether it can be a feature map, (B, C, H, W)."""
        return self.floating and len(self.shape) == 4

    @property
    def convolves(self) -> bool:
        """Whether it is a convolution that gives more than one position."""
        return self.operator == "convolution" and self.is_map and max(self.shape[2:]) > 1

    @property
    def weighs(self) -> bool:
        """Whether it is a convolution or a matrix product."""
        return self.operator in ("convolution", "addmm", "mm", "bmm", "baddbmm", "linear")


class Trace:
    """What happened in one pass."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.calls: list[Call] = []  # in the order in which they ended
        self._ancestors: list[int] = []  # one bit for a node, itself among them

    @cached_property
    def repeated(self) -> frozenset[str]:
        """Paths of the modules that are called more than once."""
        return frozenset(path for path, times in Counter(call.path for call in self.calls).items() if times > 1)

    @cached_property
    def used(self) -> list[bool]:
        """Of each node, whether what the network gives depends on it."""
        given = self.calls[-1].outputs
        return [not given or any(self.descends(one, number) for one in given) for number in range(len(self.nodes))]

    @cached_property
    def uses(self) -> Counter[int]:
        """How often each node is used on the way to the scores."""
        used = (node for node, used in zip(self.nodes, self.used, strict=True) if used)
        return Counter(parent for node in used for parent in node.parents)

    def add(self, node: Node) -> int:
        """Write a node down; returns its number."""
        above = 1 << len(self.nodes)
        for parent in node.parents:
            above |= self._ancestors[parent]
        self._ancestors.append(above)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def convolutions(self, call: Call) -> int:
        """How many convolutions a module has that give more than one position."""
        return sum(node.convolves for node in self.nodes[call.begin : call.end])

    def descends(self, node: int, ancestor: int) -> bool:
        """Whether a node is another, or was computed from it."""
        return bool(self._ancestors[node] >> ancestor & 1)

    def meeting(self, nodes: Iterable[int]) -> int | None:
        """The last node that all of these were computed from; a node counts as its own origin."""
        common = -1
        for node in nodes:
            common &= self._ancestors[node]
        return common.bit_length() - 1 if common else None

    def weight(self, start: int, end: int) -> int:
        """Convolutions and products on the longest way from one node to another that descends from it."""
        longest = {start: 0}
        for number in range(start + 1, end + 1):
            node = self.nodes[number]
            if before := [longest[parent] for parent in node.parents if parent in longest]:
                longest[number] = max(before) + node.weighs
        return longest[end]

    def only_way(self, start: int, middle: int, end: int) -> bool:
        """Whether every way from the start to the end leads through a node between them."""
        reached = {start}
        for number in range(start + 1, end + 1):
            if number != middle and not reached.isdisjoint(self.nodes[number].parents):
                reached.add(number)
        return end not in reached


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every operator; keeps all tensors alive, so that each keeps its identity."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = Trace()
        self.begun = [Call("", type(network), None, begin=1, inputs=(0,), first=0)]
        self.numbers: dict[int, int] = {}
        self.kept: list[Tensor] = []
        self.taken: set[int] = set()  # tensors that an operator has taken
        self.passed: dict[int, list[Call]] = {}  # of a tensor, the calls that passed it on
        self.aliasing = False
        self._remember(images, "images", ())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.aliasing:
            return result
        for tensor in tree_leaves((args, kwargs)):
            self.taken.add(id(tensor))
            for call in self.passed.get(id(tensor), ()):
                call.bypassed = True
        if parents := self._nodes((args, kwargs)):
            for tensor in tree_leaves(result):
                if isinstance(tensor, Tensor):
                    self._remember(tensor, func.overloadpacket.__name__, parents)
        return result

    def begin(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        parent = self.begun[-1]
        first = self._number(args[0]) if args else None
        call = Call(path, type(module), parent, len(self.trace.nodes), self._nodes((args, kwargs)), first)
        parent.children.append(call)
        self.begun.append(call)

    def end(self, module: nn.Module, args: Any, output: Any) -> Tensor | None:
        call = self.begun.pop()
        call.end = len(self.trace.nodes)
        call.output, call.outputs = self._number(output), self._nodes(output)
        self.trace.calls.append(call)
        return self._alias(call, output) if call.passes else None

    def _alias(self, call: Call, output: Tensor) -> Tensor:
        """The same map as another tensor, so that it is seen who takes what a module passes on, and who does not."""
        call.bypassed = id(output) in self.taken
        self.passed.setdefault(id(output), []).append(call)
        self.aliasing = True
        alias = output.view_as(output)
        self.aliasing = False
        self.numbers[id(alias)] = self.numbers[id(output)]
        self.kept.append(alias)
        return alias

    def _number(self, value: Any) -> int | None:
        return self.numbers.get(id(value)) if isinstance(value, Tensor) else None

    def _nodes(self, values: Any) -> tuple[int, ...]:
        """The nodes among these values, each once."""
        found = map(self._number, tree_leaves(values))
        return tuple(dict.fromkeys(number for number in found if number is not None))

    def _remember(self, tensor: Tensor, operator: str, parents: tuple[int, ...]) -> None:
        node = Node(operator, parents, tuple(tensor.shape), tensor.is_floating_point(), self.begun[-1])
        self.numbers[id(tensor)] = self.trace.add(node)
        self.taken.discard(id(tensor))  # what was written in place is another map now
        self.passed.pop(id(tensor), None)
        self.kept.append(tensor)


def trace(network: nn.Module, images: Tensor) -> Trace:
    """What happens when images pass through a network, which is in evaluation mode afterwards."""
    recorder = _Recorder(network.eval(), images)
    hooks = []
    for path, module in network.named_modules():
        if path:
            hooks.append(module.register_forward_pre_hook(partial(recorder.begin, path), with_kwargs=True))
            hooks.append(module.register_forward_hook(recorder.end))
    try:
        with torch.no_grad(), recorder:
            recorder.end(network, images, network(images))
    finally:
        for hook in hooks:
            hook.remove()
    return recorder.trace


def first_passing(attempt: Callable[[Tensor], T], in_channels: int, device: str, sizes: Iterable[Size]) -> T:
    """What an attempt gives of two black images of the first size that does not fail.

    Raises `Untraceable` where all fail.
    """
    failed: dict[str, list[str]] = {}
    for size in sizes:
        try:
            with torch.device(device):
                return attempt(torch.zeros(2, in_channels, *size))
        except Exception as error:  # somebody else's network may fail in any way
            reason = (str(error).strip() or "no message").splitlines()[0][:200]
            failed.setdefault(f"{type(error).__name__}: {reason}", []).append(f"{size[0]} x {size[1]}")
    raise Untraceable(
        "; ".join(f"images of {', '.join(sizes)} pixels on {device}: {reason}" for reason, sizes in failed.items())
    )
