"""Widths that are multiples of a divisor, held against the rule as MobileNets state it."""

from fractions import Fraction

import pytest

from nas_attn.attention import ATTENTIONS
from nas_attn.attention.options import reduced_width

ROUNDED = ["se", "cbam", "coordinate"]


def _multiple(channels, reduction, divisor):
    exact = Fraction(channels, reduction)
    nearest = max(divisor, int(exact + Fraction(divisor, 2)) // divisor * divisor)
    return nearest + divisor if nearest < Fraction(9, 10) * exact else nearest


@pytest.mark.parametrize("divisor", [2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize("reduction", [1, 2, 3, 4, 16, 24, 32])
def test_a_width_is_the_multiple_that_mobilenets_take(divisor, reduction):
    for channels in range(1, 400):
        width = reduced_width(channels, reduction, divisor=divisor)
        assert width == _multiple(channels, reduction, divisor)
        assert width % divisor == 0
        assert width >= divisor
        assert 10 * width * reduction >= 9 * channels
        assert width == divisor or width < channels / reduction + divisor


@pytest.mark.parametrize("reduction", [1, 3, 16, 512])
def test_a_divisor_of_one_is_the_rule_without_one(reduction):
    for channels in (1, 8, 17, 63, 64, 256):
        assert reduced_width(channels, reduction, divisor=1) == max(1, channels // reduction)


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 8, 16])
def test_a_least_width_is_a_multiple_too(divisor):
    assert reduced_width(8, 32, at_least=8, divisor=divisor) == min(
        width for width in range(8, 17) if width % divisor == 0
    )


@pytest.mark.parametrize("channels", [8, 16, 40, 64, 176, 256])
@pytest.mark.parametrize("divisor", [1, 3, 4, 8])
def test_parameters_follow_the_formula_at_the_rounded_width(channels, divisor):
    m = max(1, channels // 16) if divisor == 1 else _multiple(channels, 16, divisor)
    n = max(8, channels // 4) if divisor == 1 else max(9 if divisor == 3 else 8, _multiple(channels, 4, divisor))
    formulas = {
        ("se", 16): 2 * channels * m,
        ("cbam", 16): 2 * channels * m + m + channels + 2 * 49 + 2,
        ("coordinate", 4): 3 * channels * n + 3 * n + 2 * channels,
    }
    for (kind, reduction), params in formulas.items():
        attention = ATTENTIONS[kind](channels, reduction=reduction, divisor=divisor)
        assert sum(parameter.numel() for parameter in attention.parameters()) == params


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize("divisor", [0, -8, 8.0, True, "8", None])
def test_a_divisor_that_is_no_positive_integer_is_told(kind, divisor):
    with pytest.raises(ValueError, match="allowed") as told:
        ATTENTIONS[kind](16, divisor=divisor)
    assert str(told.value) == f"divisor: found {divisor!r}; allowed: an integer of at least 1"


@pytest.mark.parametrize("kind", ROUNDED)
def test_divisors_that_round_to_one_width_build_one_module(kind):
    shapes = [[p.shape for p in ATTENTIONS[kind](256, divisor=divisor).parameters()] for divisor in (1, 2, 4, 8)]
    assert shapes[1:] == shapes[:-1]
