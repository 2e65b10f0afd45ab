import math

import pytest

from nas_attn.attention import ATTENTIONS

REDUCED = ["se", "cbam", "coordinate", "non_local", "gate", "efficient", "global_context", "scse", "bam"]


@pytest.mark.parametrize("kind", REDUCED)
@pytest.mark.parametrize("reduction", [0, -2, 2.0, True, "4", None])
def test_a_reduction_that_is_no_positive_integer_is_told(kind, reduction):
    with pytest.raises(ValueError, match="allowed") as told:
        ATTENTIONS[kind](16, reduction=reduction)
    assert str(told.value) == f"reduction: found {reduction!r}; allowed: an integer of at least 1"


@pytest.mark.parametrize("kind", ["cbam", "spatial", "triplet"])
@pytest.mark.parametrize("kernel_size", [0, -1, 4, 3.0, True, "3", None])
def test_a_kernel_size_that_is_not_odd_is_told(kind, kernel_size):
    with pytest.raises(ValueError, match="allowed") as told:
        ATTENTIONS[kind](16, kernel_size=kernel_size)
    assert str(told.value) == f"kernel_size: found {kernel_size!r}; allowed: an odd integer of at least 1"


@pytest.mark.parametrize(
    ("kind", "option"), [("se", "bias"), ("cbam", "bias"), ("non_local", "subsample"), ("non_local", "scale")]
)
@pytest.mark.parametrize("value", [0, 1, "false", None])
def test_a_switch_that_is_neither_on_nor_off_is_told(kind, option, value):
    with pytest.raises(ValueError, match="allowed") as told:
        ATTENTIONS[kind](16, **{option: value})
    assert str(told.value) == f"{option}: found {value!r}; allowed: true or false"


@pytest.mark.parametrize(
    ("kind", "option", "values", "allowed"),
    [
        ("eca", "kernel_size", [0, -1, 4, 3.0, True, "3"], "an odd integer of at least 1"),
        ("bam", "dilation", [0, -1, 2.0, True, "4", None], "an integer of at least 1"),
        ("simam", "e_lambda", [0, -1e-4, True, "1e-4", None, math.inf, math.nan], "a number above 0"),
        ("global_context", "fusion", ["mul", "Add", "", True, None, ["add"]], "add, scale"),
        ("scse", "combination", ["sum", "MAX", 0, None], "max, add"),
    ],
)
def test_an_option_that_cannot_be_is_told(kind, option, values, allowed):
    for value in values:
        with pytest.raises(ValueError, match="allowed") as told:
            ATTENTIONS[kind](16, **{option: value})
        assert str(told.value) == f"{option}: found {value!r}; allowed: {allowed}"


@pytest.mark.parametrize("kind", REDUCED)
def test_a_reduction_beyond_the_channels_leaves_no_layer_empty(kind):
    attention = ATTENTIONS[kind](6, reduction=64)
    assert all(parameter.numel() > 0 for parameter in attention.parameters())


@pytest.mark.parametrize("kind", REDUCED)
def test_reductions_that_round_to_one_width_build_the_same_module(kind):
    # both leave less than one channel, so both stand on the least width of the kind
    first, second = (ATTENTIONS[kind](8, reduction=reduction) for reduction in (9, 64))
    assert _looks(first) == _looks(second)


@pytest.mark.parametrize(
    ("kind", "option", "values"),
    [
        *((kind, "reduction", (1, 2)) for kind in REDUCED),
        ("se", "bias", (False, True)),
        ("cbam", "kernel_size", (3, 7)),
        ("spatial", "kernel_size", (1, 3)),
        ("eca", "kernel_size", (None, 5)),
        ("triplet", "kernel_size", (3, 7)),
        ("global_context", "fusion", ("add", "scale")),
        ("simam", "e_lambda", (1e-4, 0.1)),
        ("scse", "combination", ("max", "add")),
        ("bam", "dilation", (2, 4)),
        ("non_local", "subsample", (False, True)),
        ("non_local", "scale", (False, True)),
        *(("non_local", "form", ("embedded_gaussian", form)) for form in ("gaussian", "dot_product", "concatenation")),
        ("cbam", "bias", (False, True)),
        *((kind, "divisor", (1, 16)) for kind in ("se", "cbam", "coordinate")),
        ("efficient", "heads", (1, 2)),
        ("efficient", "groups", (1, 2)),
    ],
)
def test_options_that_build_different_modules_show_it(kind, option, values):
    first, second = (ATTENTIONS[kind](32, **{option: value}) for value in values)
    assert _looks(first) != _looks(second)


def _looks(attention):
    """What tells modules apart: their types, their public values and the shapes of their parameters."""
    plain = (bool, int, float, str, tuple)
    return [
        (name, type(module), {key: v for key, v in vars(module).items() if key[0] != "_" and isinstance(v, plain)})
        for name, module in attention.named_modules()
    ] + [(name, parameter.shape) for name, parameter in attention.named_parameters()]
