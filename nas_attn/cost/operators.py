"""What every operator of a traced network costs: multiply-accumulates, one for each element, or nothing."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from fvcore.nn.jit_handles import einsum_flop_jit, get_shape

Rule = Callable[[list[Any], list[Any]], float]
"""Says how many elements one call of an operator costs, from the inputs and outputs that `torch.jit` has recorded."""
Count = Callable[[list[Any], list[Any]], Counter[str]]

MACS, ELEMENTS = "macs", "elements"


def _size(value: Any) -> int:
    return math.prod(get_shape(value) or (0,))


def _output_elements(_inputs: list[Any], outputs: list[Any]) -> int:
    """One for each element of the output; nothing where the output is a size, on which torch also does arithmetic."""
    shape = get_shape(outputs[0])
    if shape is None or (not shape and not outputs[0].type().dtype().is_floating_point):
        return 0
    return math.prod(shape)


def _input_elements(inputs: list[Any], _outputs: list[Any]) -> int:
    """One for each element of the first input."""
    return _size(inputs[0])


def _convolution(inputs: list[Any], outputs: list[Any]) -> int:
    transposed = len(inputs) > 6 and isinstance(inputs[6].toIValue(), bool) and inputs[6].toIValue()
    source, weight, target = get_shape(inputs[0]), get_shape(inputs[1]), get_shape(outputs[0])
    spread_over = source if transposed else target
    return math.prod((source[0], *weight, *spread_over[2:]))


def _product(first: int) -> Rule:
    """Of the matrix products whose first matrix is this input: its last dimension is summed over."""
    return lambda inputs, outputs: int(math.prod((*get_shape(outputs[0]), get_shape(inputs[first])[-1])))


def _einsum(inputs: list[Any], outputs: list[Any]) -> float:
    """Of two operands every index runs once; more are multiplied in the order that NumPy finds cheapest."""
    terms = str(inputs[0].toIValue()).replace(" ", "").partition("->")[0].split(",")
    shapes = [get_shape(value) for value in inputs[1].node().inputs()]
    if len(terms) == 2 and "." not in "".join(terms):
        sizes = {
            index: size
            for term, shape in zip(terms, shapes, strict=True)
            for index, size in zip(term, shape, strict=True)
        }
        return math.prod(sizes.values())
    return float(einsum_flop_jit(inputs, outputs))


def _attention(inputs: list[Any], _outputs: list[Any]) -> Counter[str]:
    """Of softmax(q k^T) v: both products, and the scale and the softmax of the scores between them."""
    query, key, value = (get_shape(operand) for operand in inputs[:3])
    scores = math.prod(query[:-1]) * key[-2]
    return Counter({MACS: scores * (query[-1] + value[-1]), ELEMENTS: 2 * scores})


def _names(text: str) -> list[str]:
    """The operators of a list, each also in the form that writes into its input."""
    return [f"aten::{name}{suffix}" for name in text.split() for suffix in ("", "_")]


PRODUCTS: Mapping[str, Rule] = {
    "aten::_convolution": _convolution,
    "aten::_convolution_mode": _convolution,
    "aten::convolution": _convolution,
    "aten::linear": _product(0),
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::matmul": _product(0),
    "aten::mv": _product(0),
    "aten::dot": _product(0),
    "aten::addmm": _product(1),
    "aten::baddbmm": _product(1),
    "aten::einsum": _einsum,
}
"""Multiply-accumulates; a bias is part of its product and costs nothing more."""

PER_OUTPUT_ELEMENT = _names(
    """
    add sub rsub mul div true_divide addcmul addcdiv neg abs sign pow sqrt rsqrt square reciprocal exp expm1 log log1p
    log2 sin cos tan atan erf clamp clamp_min clamp_max maximum minimum where lerp fmod remainder round trunc
    relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardtanh hardswish hardsigmoid sigmoid log_sigmoid
    tanh softplus softsign softshrink hardshrink threshold glu softmax log_softmax _softmax
    batch_norm eq ne lt le gt ge logical_and logical_or logical_not __and__ __or__ bitwise_not masked_fill
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d
    upsample_trilinear3d grid_sampler grid_sampler_2d floor ceil floor_divide
    """
)
"""Element-wise operators and interpolation: one for each element of the output."""

PER_INPUT_ELEMENT = _names(
    """
    mean sum amax amin max min argmax argmin prod std var std_mean var_mean logsumexp norm linalg_vector_norm
    frobenius_norm cumsum cumprod topk sort median all any
    max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d lp_pool2d
    group_norm layer_norm instance_norm rms_norm
    """
)
"""Reductions, pooling and the normalisations that reduce as they go: one for each element of the input."""

FREE = _names(
    """
    view view_as reshape reshape_as _reshape_alias flatten unflatten permute transpose t numpy_T swapaxes movedim
    contiguous clone detach copy alias to type_as _to_copy squeeze unsqueeze expand expand_as broadcast_to
    broadcast_tensors repeat repeat_interleave tile cat concat stack chunk split split_with_sizes unsafe_chunk unbind
    tensor_split select slice narrow index index_select index_put gather take_along_dim scatter masked_select flip roll
    rot90 pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d replication_pad3d
    pixel_shuffle pixel_unshuffle channel_shuffle unfold im2col col2im fill zero dropout dropout2d feature_dropout
    alpha_dropout feature_alpha_dropout lift_fresh resolve_conj resolve_neg meshgrid tril triu embedding
    arange linspace zeros ones empty full eye zeros_like ones_like empty_like full_like new_zeros new_ones new_empty
    new_full scalar_tensor tensor rand randn rand_like randn_like bernoulli size sym_size numel dim len Int Float Bool
    ScalarImplicit IntImplicit FloatImplicit item _local_scalar_dense __getitem__ list append __is__ __isnot__
    _shape_as_tensor _weight_norm as_strided real imag view_as_real view_as_complex
    """
)
"""What only moves, shapes, copies or makes data, and the arithmetic on sizes."""


def counts(rules: Mapping[str, Rule]) -> dict[str, Count | None]:
    """Every operator that has a price, with how it is counted; `None` for the free ones. `rules` come on top."""
    priced: dict[str, Count | None] = dict.fromkeys(FREE)
    priced |= {name: _as_count(ELEMENTS, _output_elements) for name in PER_OUTPUT_ELEMENT}
    priced |= {name: _as_count(ELEMENTS, _input_elements) for name in PER_INPUT_ELEMENT}
    priced |= {name: _as_count(MACS, rule) for name, rule in PRODUCTS.items()}
    priced["aten::scaled_dot_product_attention"] = _attention
    return priced | {name: _as_count(ELEMENTS, rule) for name, rule in rules.items()}


def _as_count(what: str, rule: Rule) -> Count:
    return lambda inputs, outputs: Counter({what: rule(inputs, outputs)})
