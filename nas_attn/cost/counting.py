"""What one image costs a network, counted operator by operator."""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from nas_attn.space import InputError, quoted, reported

from .fvcore import FlopCountAnalysis
from .operators import FREE, OPAQUE, RULES, Rule
from .products import PRODUCTS
from .sizes import PlainSizes


class UncountedOperator(InputError):
    """Operators of a network have no rule for what they cost; the message names them."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs, for one image in evaluation mode."""

    params: int
    """Learnt parameters; one that several layers share counts once."""
    macs: int
    """Multiply-accumulates of convolutions, linear layers and matrix products."""
    flops: int
    """Two a multiply-accumulate, and one an element of every other operator that computes."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.params + other.params, self.macs + other.macs, self.flops + other.flops)


def count(network: nn.Module, *shapes: tuple[int, ...], rules: Mapping[str, Rule] | None = None) -> Cost:
    """Parameters, multiply-accumulates and FLOPs of a network for one image of (channels, height, width).

    >>> count(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), (3, 32, 32))
    Cost(params=224, macs=221184, flops=450560)

    A module that takes several tensors gets a shape for each, always without the batch of one.

    An element-wise operator (`mul`, `sigmoid`, `softmax`, normalisation, interpolation) costs one FLOP for each
    element that it gives; a reduction or a pooling (`mean`, `amax`, `max_pool2d`) one for each element that it takes;
    moving, shaping and converting data costs nothing, nor does computing with sizes. The bias of a product is the
    start of its sum and costs nothing more. Scaled dot-product attention costs its two products, and one FLOP each
    for scale, softmax and, where there is one, mask for each pair of positions.

    fvcore traces one pass of a copy whose weights are never filled in: a network on the `meta` device will do, and the
    network stays as it is. `rules` adds to the known operators, or overrides them: a rule takes fvcore's traced inputs
    and outputs of one call, and gives its number of elements.

    A module that keeps the shape of a map may say itself by a method `macs(self, shape)` how many multiply-accumulates
    it costs for one of (channels, height, width), a gated one with the shape of the signal second: two FLOPs each, and
    nothing inside it is counted.

    Raises `UncountedOperator` for an operator without a rule, and what PyTorch raises where the network does not take
    such an image, or decides by the values that it computes.
    """
    traced = unfilled(network)
    analysis = FlopCountAnalysis(traced, tuple(torch.zeros(1, *shape) for shape in shapes))
    analysis.clear_op_handles()
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    analysis.set_op_handle(**_handles(rules or {}))
    declared = _declared(traced)
    with torch.inference_mode(False), torch.no_grad(), ExitStack() as after:
        after.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
        torch.backends.mha.set_fastpath_enabled(False)  # one operator that would hide products
        after.enter_context(PlainSizes())
        counted: Counter[str] = analysis.by_operator()
    if uncounted := analysis.unsupported_ops():
        raise _uncounted(uncounted)
    macs, params = int(counted["macs"]) + sum(declared), sum(parameter.numel() for parameter in network.parameters())
    return Cost(params, macs, 2 * macs + int(counted["elements"]))


def unfilled(network: nn.Module) -> nn.Module:
    """A copy on the CPU, in evaluation mode, whose weights are never filled in: only shapes mean anything."""
    copied = copy.deepcopy(network).to_empty(device="cpu").eval()
    for buffer in copied.buffers():
        if not buffer.is_floating_point():
            buffer.zero_()  # an index that was never filled in lies nowhere
    return copied


def _declared(network: nn.Module) -> list[int]:
    """The multiply-accumulates that modules say of themselves, filled in as they are passed; none of them is run."""
    noted: list[int] = []

    def say(module: nn.Module, *maps: torch.Tensor) -> torch.Tensor:
        name = type(module).__name__
        with reported(f"{name}.macs cannot be called with the shape of a map"):
            found: Any = module.macs(*(tuple(map(int, features.shape[1:])) for features in maps))  # type: ignore[operator]
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise InputError(f"{name}.macs gives {quoted(found)}; allowed: an integer of at least 0")
        noted.append(found)
        return maps[0]

    for module in network.modules():
        if callable(getattr(type(module), "macs", None)):
            module.forward = partial(say, module)
    return noted


def _handles(rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The tables in the form of fvcore, which ignores what has `None`."""
    return {
        **dict.fromkeys(FREE),
        **{name: partial(_refuse, name) for name in OPAQUE},
        **PRODUCTS,
        **{name: partial(_elements, rule) for name, rule in (RULES | dict(rules)).items()},
    }


def _elements(rule: Rule, inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter(elements=rule(inputs, outputs))


def _refuse(name: str, inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    raise _uncounted([name])


def _uncounted(names: Iterable[str]) -> UncountedOperator:
    names = sorted(names)
    return UncountedOperator(
        f"no rule says what {', '.join(names)} costs; give the attention a method macs(self, shape), its "
        "multiply-accumulates for a map of (channels, height, width), or count(network, image, "
        f"rules={{{names[0]!r}: rule}}), where rule(inputs, outputs) is the number of elements that one call computes"
    )
