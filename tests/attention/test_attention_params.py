"""Parameter counts, held against the formulas of the papers and against counts of their authors' classes."""

import pytest

from nas_attn.attention import ATTENTIONS


def _se(c, reduction=16, bias=False):
    m = max(1, c // reduction)
    return 2 * c * m + bias * (m + c)


def _cbam(c, reduction=16, kernel_size=7):
    m = max(1, c // reduction)
    return 2 * c * m + m + c + 2 * kernel_size**2 + 2


def _coordinate(c, reduction=32):
    m = max(8, c // reduction)
    return 3 * c * m + 3 * m + 2 * c


def _non_local(c, reduction=2, subsample=False):
    n = max(1, c // reduction)
    return 4 * c * n + 3 * n + 3 * c


def _gate(c, reduction=2):
    n = max(1, c // reduction)
    return (c + c) * n + 7 * n + 3


def _spatial(c, kernel_size=7):
    return 2 * kernel_size**2


FORMULAS = {
    "se": _se,
    "cbam": _cbam,
    "coordinate": _coordinate,
    "non_local": _non_local,
    "gate": _gate,
    "spatial": _spatial,
}
OPTIONS = [
    *((kind, {}) for kind in FORMULAS),
    *((kind, {"reduction": n}) for kind in FORMULAS if kind != "spatial" for n in (1, 3, 16, 512)),
    *((kind, {"kernel_size": k}) for kind in ("cbam", "spatial") for k in (1, 3, 5)),
    ("se", {"bias": True, "reduction": 4}),
    ("cbam", {"kernel_size": 3, "reduction": 4}),
    ("non_local", {"subsample": True, "reduction": 4}),
]


def _count(attention):
    return sum(parameter.numel() for parameter in attention.parameters())


def test_every_kind_has_a_formula():
    assert set(FORMULAS) == set(ATTENTIONS)


@pytest.mark.parametrize("channels", [8, 16, 64, 256])
@pytest.mark.parametrize(("kind", "options"), OPTIONS)
def test_parameters_follow_the_formula(kind, options, channels):
    assert _count(ATTENTIONS[kind](channels, **options)) == FORMULAS[kind](channels, **options)


@pytest.mark.parametrize(
    ("kind", "options", "params"),
    [
        ("se", {}, 8192),
        ("se", {"bias": True}, 8464),
        ("cbam", {}, 8564),
        ("coordinate", {}, 6680),
        ("coordinate", {"reduction": 16}, 12848),
        ("non_local", {}, 132224),
        ("gate", {}, 66435),
        ("spatial", {}, 98),
    ],
)
def test_at_256_channels_parameters_are_those_of_the_authors(kind, options, params):
    assert _count(ATTENTIONS[kind](256, **options)) == params
