"""Multiply-accumulates of convolutions, linear layers and matrix products, from the shapes of what they take and give.

The sum over K products costs K multiply-accumulates for each element that comes out, bias included.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from .fvcore import einsum_flop_jit
from .operators import elements, shape
from .transforms import TRANSFORMS

Product = Callable[[list[Any], list[Any]], Counter[str]]
"""`macs`, and `elements` of what is not multiply-accumulate, of one call, from its traced inputs and outputs."""


def matrix(first: int) -> Product:
    """The product of two matrices, of batches of them, or of vectors; the first factor is the `first`-th input.

    Batches may be broadcast; (..., N, K) and (..., K, M) give (..., N, M).
    """

    def product(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        return Counter(macs=math.prod(shape(outputs[0])) * shape(inputs[first])[-1])

    return product


def summed_batch(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """`addbmm`: the sum of B products (B, N, K) by (B, K, M)."""
    return Counter(macs=elements(inputs[1]) * shape(inputs[2])[-1])


def tensordot(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A matrix product of tensors, (N, K) by (K, M) once their dimensions are put together."""
    left, right, out = (elements(value) for value in (*inputs[:2], outputs[0]))
    return Counter(macs=math.isqrt(left * right * out))


def convolution(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A convolution of any dimension, stride, dilation and number of groups, forward or transposed.

    Each element that a forward one gives, or a transposed one takes, meets the kernel once: all of it but its first
    dimension. Padding counts like the image.
    """
    transposed = len(inputs) > 7 and bool(inputs[6].toIValue())
    kernel = math.prod(shape(inputs[1])[1:])
    return Counter(macs=kernel * elements(inputs[0] if transposed else outputs[0]))


def scaled_dot_product_attention(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Query (..., L, E) by key (..., S, E), and the softmax of that by value (..., S, F)."""
    query, key, value, out = (shape(traced) for traced in (*inputs[:3], outputs[0]))
    pairs = math.prod(out[:-1]) * key[-2]
    masked = inputs[3].type().kind() == "TensorType" or bool(inputs[5].toIValue())
    return Counter(macs=pairs * (query[-1] + value[-1]), elements=pairs * (2 + masked))


def einsum(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Of two operands each index runs once; more of them meet in the order that NumPy finds cheapest.

    Where nothing is summed it is no product of matrices, and costs one for each element.
    """
    terms = str(inputs[0].toIValue()).replace(" ", "").partition("->")[0].split(",")
    shapes = [shape(operand) for operand in inputs[1].node().inputs()]
    if len(terms) != 2 or "..." in "".join(terms):
        return Counter(macs=int(einsum_flop_jit(inputs, outputs)))
    sizes = {
        index: size for term, sized in zip(terms, shapes, strict=True) for index, size in zip(term, sized, strict=True)
    }
    everything = math.prod(sizes.values())
    return Counter(macs=everything) if everything > elements(outputs[0]) else Counter(elements=everything)


def bilinear(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """`bilinear`: for each element that comes out, (N, I) and (N, J) by a matrix (I, J) between them."""
    _, first, second = shape(inputs[2])
    return Counter(macs=elements(outputs[0]) * (first * second + second))


def deformed_convolution(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A convolution whose kernel samples between the pixels: torchvision's `deform_conv2d`.

    The products of an ordinary convolution, and one element for each value that is interpolated, as for any
    interpolation: every input channel at every point of the kernel, for every position that comes out. A mask weighs
    each of them. Zhu et al., "Deformable ConvNets v2", 2018, https://arxiv.org/abs/1811.11168.
    """
    kernel, out = shape(inputs[1]), shape(outputs[0])
    sampled = out[0] * math.prod(out[2:]) * shape(inputs[0])[1] * math.prod(kernel[2:])
    masked = bool(inputs[-1].toIValue())
    return Counter(macs=math.prod(kernel[1:]) * math.prod(out), elements=sampled * (1 + masked))


PRODUCTS: dict[str, Product] = {
    "aten::_convolution": convolution,
    "aten::_convolution_mode": convolution,
    "aten::linear": matrix(0),
    "aten::matmul": matrix(0),
    "aten::mm": matrix(0),
    "aten::bmm": matrix(0),
    "aten::mv": matrix(0),
    "aten::dot": matrix(0),
    "aten::vdot": matrix(0),
    "aten::inner": matrix(0),
    "aten::addmm": matrix(1),
    "aten::addmv": matrix(1),
    "aten::baddbmm": matrix(1),
    "aten::addbmm": summed_batch,
    "aten::tensordot": tensordot,
    "aten::einsum": einsum,
    "aten::bilinear": bilinear,
    "torchvision::deform_conv2d": deformed_convolution,
    **TRANSFORMS,
    "aten::scaled_dot_product_attention": scaled_dot_product_attention,
}
"""Every matrix product, and what is counted as its own formula says, by the tracer's name."""
