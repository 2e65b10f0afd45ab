"""What operators other than matrix products cost: tables of those that compute, and of those that do not.

The names are those of PyTorch's tracer without `aten::`; a name in a table of computing operators also stands for its
in-place form.
"""

import math
from collections.abc import Callable
from typing import Any

Rule = Callable[[list[Any], list[Any]], int]
"""The number of elements that one call of an operator costs, from its traced inputs and outputs (`torch._C.Value`)."""


def shape(value: Any) -> list[int]:
    """The sizes of a traced tensor."""
    return list(value.type().sizes())


def elements(value: Any) -> int:
    """The elements of a traced tensor; 0 for a single number, because the tracer holds sizes as such tensors too."""
    sizes = value.type().sizes() if value.type().kind() == "TensorType" else None
    return math.prod(sizes) if sizes else 0


def per_output(inputs: list[Any], outputs: list[Any]) -> int:
    """One for each element that the operator gives."""
    return elements(outputs[0])


def per_input(inputs: list[Any], outputs: list[Any]) -> int:
    """One for each element that the operator takes."""
    return elements(inputs[0])


def extremum(inputs: list[Any], outputs: list[Any]) -> int:
    """`max` and `min`: of two tensors element by element, or of one tensor over some of its dimensions."""
    of_two = len(inputs) > 1 and inputs[1].type().kind() == "TensorType"
    return per_output(inputs, outputs) if of_two else per_input(inputs, outputs)


def dropout(inputs: list[Any], outputs: list[Any]) -> int:
    """Dropout computes only where its own flag says so, whatever the mode of the network."""
    return per_output(inputs, outputs) if inputs[2].toIValue() else 0


def distances(inputs: list[Any], outputs: list[Any]) -> int:
    """`cdist` and `pdist`: three for each dimension of each pair, which are difference, power and sum, with one root.

    M differences, M squares, M - 1 additions and a root, as in the definition of the distance, however it is computed.
    """
    return 3 * elements(outputs[0]) * shape(inputs[0])[-1]


def compared(inputs: list[Any], outputs: list[Any]) -> int:
    """`pairwise_distance`: as `distances`, of vectors one by one."""
    return 3 * elements(outputs[0]) * max(shape(inputs[0])[-1], shape(inputs[1])[-1])


_ELEMENTWISE = (
    # arithmetic
    "add sub rsub mul div true_divide floor_divide remainder fmod neg reciprocal abs sign square pow float_power "
    "sqrt rsqrt hypot addcmul addcdiv lerp angle polar conj_physical sgn kron "
    # exponential, trigonometric
    "exp exp2 expm1 log log2 log10 log1p erf erfc sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh "
    "atanh sinc xlogy lgamma digamma logaddexp logaddexp2 "
    # rounding, limits
    "ceil floor round trunc frac clamp clamp_min clamp_max clip maximum minimum fmax fmin nan_to_num "
    # comparison, logic, choice
    "eq ne lt le gt ge isnan isinf isfinite isclose where masked_fill logical_and logical_or logical_xor "
    "logical_not bitwise_and bitwise_or bitwise_xor bitwise_not __and__ __or__ __xor__ __iand__ __ior__ __ixor__ "
    # activation
    "relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish glu hardtanh hardswish hardsigmoid hardshrink "
    "softshrink softplus threshold sigmoid log_sigmoid logit softmax log_softmax _softmax _log_softmax "
    # normalisation
    "batch_norm instance_norm layer_norm group_norm rms_norm native_batch_norm native_layer_norm native_group_norm "
    "_weight_norm "
    # interpolation
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d upsample_bilinear2d upsample_bicubic2d "
    "upsample_trilinear3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler grid_sampler_2d "
    "grid_sampler_3d affine_grid_generator "
    # running sums, outer products, differences
    "cumsum cumprod cummax cummin logcumsumexp outer ger diff "
)
"""Operators that cost one for each element that they give."""

_REDUCTIONS = (
    # sums, moments
    "sum nansum mean nanmean prod std var std_mean var_mean logsumexp "
    # extrema, order
    "amax amin aminmax argmax argmin median nanmedian mode quantile kthvalue topk sort argsort any all "
    "count_nonzero "
    # norms, similarity
    "norm frobenius_norm linalg_vector_norm linalg_norm cosine_similarity "
    # pooling
    "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d max_pool1d_with_indices "
    "max_pool2d_with_indices max_pool3d_with_indices adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d "
    # sum of overlapping patches
    "col2im "
)
"""Operators that cost one for each element that they take."""

_FREE = (
    # shape
    "view view_as reshape reshape_as flatten unflatten squeeze squeeze_ unsqueeze unsqueeze_ permute transpose "
    "transpose_ t t_ numpy_T mT movedim moveaxis swapaxes swapdims expand expand_as broadcast_to broadcast_tensors "
    "atleast_1d as_strided unfold meshgrid "
    # part
    "slice select narrow chunk split split_with_sizes tensor_split unsafe_chunk hsplit vsplit unsafe_split unbind "
    "index index_select gather take take_along_dim masked_select nonzero diagonal tril triu tril_ triu_ embedding "
    "one_hot "
    # arrangement
    "cat stack hstack vstack dstack repeat repeat_interleave tile roll flip rot90 pixel_shuffle pixel_unshuffle "
    "channel_shuffle native_channel_shuffle fft_fftshift fft_ifftshift im2col index_put index_put_ index_copy "
    "index_copy_ index_fill "
    "index_fill_ scatter scatter_ "
    # padding
    "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d "
    # copy, conversion
    "clone contiguous copy copy_ detach detach_ alias lift_fresh lift_fresh_copy to type_as _to_copy real imag "
    "view_as_real view_as_complex complex _conj conj resolve_conj resolve_neg requires_grad_ "
    # constant
    "zeros zeros_like ones ones_like full full_like empty empty_like empty_strided new_zeros new_ones new_full "
    "new_empty new_empty_strided fill fill_ zero_ zero arange linspace eye scalar_tensor tensor hann_window "
    # computing with sizes
    "size sym_size numel dim len Int Float Bool IntImplicit FloatImplicit ScalarImplicit __getitem__ "
    "is_floating_point "
)
"""Operators that move, shape, convert or make data, or compute with sizes only."""

FREE = frozenset(f"aten::{name}" for name in _FREE.split())

OPAQUE: tuple[str, ...] = ("prim::If", "prim::Loop", "prim::CallMethod", "prim::fork")
"""What the tracer may leave in a graph without what happens inside."""


_BY_RULE: tuple[tuple[Rule, str], ...] = (
    (per_output, _ELEMENTWISE),
    (per_input, _REDUCTIONS),
    (extremum, "max min"),
    (distances, "cdist _cdist_forward pdist"),
    (compared, "pairwise_distance"),
    (dropout, "dropout feature_dropout alpha_dropout feature_alpha_dropout"),
)

RULES: dict[str, Rule] = {
    f"aten::{name}{inplace}": rule for rule, names in _BY_RULE for name in names.split() for inplace in ("", "_")
}
"""Every computing operator that is not a matrix product, by the tracer's name."""
