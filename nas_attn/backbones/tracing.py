"""One pass of a network, written down: which tensor comes from which, and what every module took and gave."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Size = tuple[int, int]
"""Height and width of images."""

SIZES: tuple[Size, ...] = ((224, 224), (299, 299), (64, 64), (32, 32))
"""Those that are tried, in this order, unless a user names one."""


class Untraceable(Exception):
    """No image that was tried passes through a network; the message says which, and what happened."""


@dataclass(frozen=True, slots=True)
class Step:
    """A tensor that depends on the images, and how it came about."""

    operator: str
    """Such as `convolution` or `add_`; `images` at the start."""
    parents: tuple[int, ...]
    """The steps that it was computed from."""
    shape: tuple[int, ...]
    floating: bool
    call: int
    """The order of the call that was innermost then."""

    @property
    def is_map(self) -> bool:
        """Whether it can be a feature map, (B, C, H, W)."""
        return self.floating and len(self.shape) == 4

    @property
    def weighs(self) -> bool:
        """Whether it is a convolution or a matrix product."""
        return self.operator in ("convolution", "addmm", "mm", "bmm", "baddbmm", "linear")


@dataclass(slots=True)
class Call:
    """One call of a module."""

    path: str
    """Of the module, from the root of the network."""
    kind: type[nn.Module]
    order: int
    """How many calls had begun before it."""
    parent: int | None
    """The order of the call that it was made in; the network itself has none."""
    first: int | None
    """The step that is its first positional argument, if that is a tensor."""
    inputs: tuple[int, ...]
    """The steps that it was given, in whatever form."""
    begin: int
    """The step that was next when it began."""
    end: int = 0
    """The step that was next when it ended."""
    output: int | None = None
    """The step that it gave, if it gave one tensor alone."""
    outputs: tuple[int, ...] = ()
    """The steps that it gave, in whatever form."""

    @property
    def passes(self) -> bool:
        """Whether it gives what it was given."""
        return self.output is not None and self.output in self.inputs

    def holds(self, step: int) -> bool:
        """Whether a step happened during this call."""
        return self.begin <= step < self.end

    def around(self, other: "Call") -> bool:
        """Whether another call was made, from near or far, in this one."""
        return other is not self and (other.path.startswith(f"{self.path}.") or not self.path)


@dataclass(slots=True)
class Trace:
    """What happened in one pass."""

    steps: list[Step] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    """In the order in which they ended."""
    repeated: frozenset[str] = frozenset()
    """Paths of the modules that are called more than once."""
    _ancestors: list[int] = field(default_factory=list)  # one bit for a step, itself among them

    def add(self, step: Step) -> int:
        """Write a step down; returns its number."""
        above = 1 << len(self.steps)
        for parent in step.parents:
            above |= self._ancestors[parent]
        self._ancestors.append(above)
        self.steps.append(step)
        return len(self.steps) - 1

    def descends(self, step: int, ancestor: int) -> bool:
        """Whether a step is another, or was computed from it."""
        return bool(self._ancestors[step] >> ancestor & 1)

    def meeting(self, steps: Iterable[int]) -> int | None:
        """The last step that all of these were computed from; a step counts as its own origin."""
        common = -1
        for step in steps:
            common &= self._ancestors[step]
        return common.bit_length() - 1 if common else None

    def weight(self, start: int, end: int) -> int:
        """Convolutions and products on the longest way from one step to another that descends from it."""
        longest = {start: 0}
        for number in range(start + 1, end + 1):
            step = self.steps[number]
            if before := [longest[parent] for parent in step.parents if parent in longest]:
                longest[number] = max(before) + step.weighs
        return longest[end]

    def only_way(self, start: int, middle: int, end: int) -> bool:
        """Whether every way from the start to the end leads through a step between them."""
        reached = {start}
        for number in range(start + 1, end + 1):
            if number != middle and not reached.isdisjoint(self.steps[number].parents):
                reached.add(number)
        return end not in reached


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every operator; keeps all tensors alive, so that each keeps its identity."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = Trace()
        self.begun: list[Call] = []
        self.numbers: dict[int, int] = {}
        self.kept: list[Tensor] = []
        self._remember(images, "images", ())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if parents := self.of((args, kwargs)):
            for tensor in tree_leaves(result):
                if isinstance(tensor, Tensor):
                    self._remember(tensor, func.overloadpacket.__name__, parents)
        return result

    def of(self, values: Any) -> tuple[int, ...]:
        """The steps among these values, each once."""
        found = (self.numbers.get(id(leaf)) for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
        return tuple(dict.fromkeys(number for number in found if number is not None))

    def _remember(self, tensor: Tensor, operator: str, parents: tuple[int, ...]) -> None:
        innermost = self.begun[-1].order if self.begun else 0
        step = Step(operator, parents, tuple(tensor.shape), tensor.is_floating_point(), innermost)
        self.numbers[id(tensor)] = self.trace.add(step)
        self.kept.append(tensor)


def trace(network: nn.Module, in_channels: int, device: str, sizes: Iterable[Size] = SIZES) -> Trace:
    """What happens when two black images of this many channels pass through a network on its device.

    The network is in evaluation mode afterwards. Raises `Untraceable` where no size of image passes.
    """
    failed = []
    for size in sizes:
        try:
            return _trace(network.eval(), torch.zeros(2, in_channels, *size, device=device))
        except Exception as error:  # somebody else's network may fail in any way
            told = (str(error).strip() or "no message").splitlines()[0]
            failed.append((size, f"{type(error).__name__}: {told[:200]}"))
    reasons = dict.fromkeys(reason for _, reason in failed)
    told_by = {
        reason: ", ".join(f"{size[0]} x {size[1]}" for size, told in failed if told == reason) for reason in reasons
    }
    raise Untraceable("; ".join(f"images of {sizes} pixels on {device}: {reason}" for reason, sizes in told_by.items()))


def _trace(network: nn.Module, images: Tensor) -> Trace:
    recorder = _Recorder(images)
    begun, result = recorder.begun, recorder.trace
    orders = iter(range(1 << 60))

    def begin(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            first = recorder.of(args[:1]) if args and isinstance(args[0], Tensor) else ()
            inputs = recorder.of((args, kwargs))
            order = next(orders)
            parent = begun[-1].order if begun else None
            begun.append(
                Call(path, type(module), order, parent, first[0] if first else None, inputs, len(result.steps))
            )

        return hook

    def end(module: nn.Module, args: Any, output: Any) -> None:
        call = begun.pop()
        call.end = len(result.steps)
        call.output = recorder.numbers.get(id(output)) if isinstance(output, Tensor) else None
        call.outputs = recorder.of(output)
        result.calls.append(call)

    hooks = []
    for path, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(begin(path), with_kwargs=True))
        hooks.append(module.register_forward_hook(end))
    try:
        with torch.no_grad(), recorder:
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    counted = Counter(call.path for call in result.calls)
    result.repeated = frozenset(path for path, times in counted.items() if times > 1)
    return result
