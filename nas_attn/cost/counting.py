"""Parameters, multiply-accumulates and FLOPs of a network, counted operator by operator."""

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from nas_attn.space import InputError

from .operators import ELEMENTS, MACS, Rule, counts


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs, for one image."""

    params: int
    """Learnt parameters; one that is shared counts once."""
    macs: int
    """Multiply-accumulates of convolutions, linear layers and matrix products."""
    flops: int
    """2 x macs, and one for each element of what is not a product: see `count`."""


class UncountedOperator(InputError):
    """A network uses an operator that has no price."""


def count(network: nn.Module, image: tuple[int, int, int], rules: Mapping[str, Rule] | None = None) -> Cost:
    """Count what a network in evaluation mode does with one image of (channels, height, width).

    `macs` are those of convolutions, linear layers and matrix products, biases included. `flops` are 2 x macs, and for
    every other operator one for each element: of the output where it works element by element (activation, sum, batch
    normalisation, softmax, interpolation), of the input where it reduces (mean, maximum, pooling, layer
    normalisation). What only moves data is free. Costs add up: those of a network are the sum of those of its parts.

    fvcore traces one pass of a copy on the CPU whose weights are never filled in: a network on the `meta` device will
    do, and the network stays as it is.

    >>> count(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), (3, 4, 4))
    Cost(params=224, macs=3456, flops=7040)

    Raises `UncountedOperator` for an operator without a price. `rules` gives prices for more operators, or other
    ones: `{"aten::erfinv": rule}`, where `rule(inputs, outputs)` returns a number of elements.
    """
    traced = copy.deepcopy(network).to_empty(device="cpu").eval()
    analysis = FlopCountAnalysis(traced, torch.zeros(1, *image))
    analysis.clear_op_handles()
    analysis.set_op_handle(**counts(rules or {}))
    analysis.tracer_warnings("none").uncalled_modules_warnings(False).unsupported_ops_warnings(False)
    with torch.inference_mode(), _quiet():
        found = analysis.by_operator()
        unknown = sorted(analysis.unsupported_ops())
    if unknown:
        raise UncountedOperator(
            f"no price is known for {', '.join(unknown)}; give one: count(network, image, "
            f"rules={{{unknown[0]!r}: rule}}), where rule(inputs, outputs) returns a number of elements"
        )
    macs = round(found[MACS])
    params = sum(parameter.numel() for parameter in network.parameters())
    return Cost(params=params, macs=macs, flops=2 * macs + round(found[ELEMENTS]))


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("fvcore")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
