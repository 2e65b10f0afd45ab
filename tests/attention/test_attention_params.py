"""Parameter counts, held against the formulas of the papers and against counts of their authors' classes."""

import math

import pytest

from nas_attn.attention import ATTENTIONS


def _se(c, reduction=16, bias=False, activation="relu", gate="sigmoid"):
    m = max(1, c // reduction)
    return 2 * c * m + bias * (m + c)


def _cbam(c, reduction=16, kernel_size=7, bias=True):
    m = max(1, c // reduction)
    return 2 * c * m + bias * (m + c) + 2 * kernel_size**2 + 2


def _coordinate(c, reduction=32, bias=True):
    m = max(8, c // reduction)
    return 3 * c * m + 3 * m + 2 * c - (not bias) * (m + 2 * c)


def _non_local(c, reduction=2, subsample=False, form="embedded_gaussian", scale=False, pool_first=False):
    n = max(1, c // reduction)
    if form == "gaussian":
        return 2 * c * n + n + 3 * c
    return 4 * c * n + (5 if form == "concatenation" else 3) * n + 3 * c


def _efficient(c, reduction=4, heads=1, groups=1):
    k = v = max(1, c // reduction)
    return (2 * c * k + c * v + v * c) // groups + 2 * k + v + c


def _gate(c, reduction=2):
    n = max(1, c // reduction)
    return (c + c) * n + 7 * n + 3


def _spatial(c, kernel_size=7):
    return 2 * kernel_size**2


def _eca(c, kernel_size=None):
    t = int(math.log2(c) / 2 + 1 / 2)
    return kernel_size or t + 1 - t % 2


def _global_context(c, reduction=16, fusion="add"):
    m = max(4, c // reduction)
    return 2 * c * m + 3 * m + 2 * c + 1


def _simam(c, e_lambda=1e-4):
    return 0


def _scse(c, reduction=2, combination="max"):
    m = max(1, c // reduction)
    return 2 * c * m + m + c + (c + 1)


def _bam(c, reduction=16, dilation=4):
    m = max(1, c // reduction)
    return (2 * c * m + 3 * m + c) + (c * m + 3 * m + 2 * (9 * m**2 + 3 * m) + m + 1)


def _triplet(c, kernel_size=7):
    return 3 * (2 * kernel_size**2 + 2)


def _ese(c):
    return c * c + c


def _multi_scale(c, groups=8):
    d = c // math.gcd(groups, c)
    return (d * d + d) + (9 * d * d + d) + 2 * d


def _shuffle(c, groups=64):
    return 6 * (c // 2 // math.gcd(groups, c // 2))


def _gather_excite(c, variant="minus", extent=0, reduction=16):
    n, m = {0: 0, 2: 1, 4: 2, 8: 3}[extent], max(1, c // reduction)
    return (variant != "minus") * (9 * c + 2 * c) * n + (variant == "plus") * (2 * c * m + m + c)


def _efficient_local(c, kernel_size=7, group_width=1, norm_groups=16):
    return kernel_size * c * math.gcd(group_width, c) + 2 * c


def _strip(c):
    return 2 * (3 * c * c + 2 * c) + c * c + c


def _selective_kernel(c, branches=2, reduction=16, groups=32):
    m = max(32, c // reduction)
    return branches * (9 * c * c // math.gcd(groups, c) + 2 * c) + c * m + 2 * m + m * branches * c


FORMULAS = {
    "se": _se,
    "cbam": _cbam,
    "coordinate": _coordinate,
    "non_local": _non_local,
    "efficient": _efficient,
    "gate": _gate,
    "spatial": _spatial,
    "eca": _eca,
    "global_context": _global_context,
    "simam": _simam,
    "scse": _scse,
    "bam": _bam,
    "triplet": _triplet,
    "ese": _ese,
    "multi_scale": _multi_scale,
    "shuffle": _shuffle,
    "gather_excite": _gather_excite,
    "efficient_local": _efficient_local,
    "strip": _strip,
    "selective_kernel": _selective_kernel,
}
OPTIONS = [
    *((kind, {}) for kind in FORMULAS),
    *(
        (kind, {"reduction": n})
        for kind in FORMULAS
        if kind
        not in ("spatial", "eca", "simam", "triplet", "ese", "multi_scale", "shuffle", "efficient_local", "strip")
        for n in (1, 3, 16, 512)
    ),
    *(
        (kind, {"kernel_size": k})
        for kind in ("cbam", "spatial", "eca", "triplet", "efficient_local")
        for k in (1, 3, 5)
    ),
    ("se", {"bias": True, "reduction": 4}),
    ("se", {"activation": "silu", "gate": "hard_sigmoid"}),
    ("coordinate", {"bias": False}),
    ("non_local", {"subsample": True, "pool_first": True}),
    *((kind, {"groups": groups}) for kind in ("multi_scale", "shuffle", "selective_kernel") for groups in (1, 3, 32)),
    *(("gather_excite", {"variant": v, "extent": e}) for v in ("minus", "theta", "plus") for e in (2, 4, 8)),
    ("efficient_local", {"kernel_size": 5, "group_width": 8, "norm_groups": 32}),
    ("selective_kernel", {"branches": 4}),
    ("cbam", {"kernel_size": 3, "reduction": 4}),
    ("non_local", {"subsample": True, "reduction": 4}),
    *(
        ("non_local", {"form": form, "reduction": reduction})
        for form in ("embedded_gaussian", "gaussian", "dot_product", "concatenation")
        for reduction in (1, 2, 64)
    ),
    ("non_local", {"form": "gaussian", "scale": True, "subsample": True}),
    ("cbam", {"bias": False, "reduction": 4}),
    ("global_context", {"fusion": "scale"}),
    ("simam", {"e_lambda": 0.1}),
    ("scse", {"combination": "add"}),
    ("bam", {"dilation": 2, "reduction": 4}),
    ("efficient", {"heads": 2, "groups": 2}),
    ("efficient", {"heads": 8, "groups": 4, "reduction": 1}),
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
        ("se", {"bias": True, "divisor": 8}, 8464),
        ("cbam", {}, 8564),
        ("cbam", {"divisor": 8}, 8564),
        ("coordinate", {}, 6680),
        ("coordinate", {"reduction": 16}, 12848),
        ("non_local", {}, 132224),
        ("non_local", {"form": "gaussian"}, 66432),
        ("non_local", {"form": "dot_product"}, 132224),
        ("non_local", {"form": "concatenation"}, 132480),
        ("efficient", {}, 65984),
        ("gate", {}, 66435),
        ("spatial", {}, 98),
        ("eca", {}, 5),
        ("global_context", {}, 8753),
        ("global_context", {"reduction": 4}, 33473),
        ("simam", {}, 0),
        ("scse", {}, 66177),
        ("bam", {}, 17361),
        ("triplet", {}, 300),
        ("ese", {}, 65792),
        ("multi_scale", {}, 10368),
        ("multi_scale", {"groups": 32}, 672),
        ("shuffle", {}, 12),
        ("shuffle", {"groups": 8}, 96),
        ("gather_excite", {}, 0),
        ("gather_excite", {"variant": "theta", "extent": 8}, 8448),
        ("gather_excite", {"variant": "plus", "extent": 8}, 8448 + 8464),
        ("efficient_local", {}, 2304),
        ("efficient_local", {"kernel_size": 5, "group_width": 8}, 10752),
        ("strip", {}, 460032),
        ("selective_kernel", {}, 62528),
    ],
)
def test_at_256_channels_parameters_are_those_of_the_authors(kind, options, params):
    assert _count(ATTENTIONS[kind](256, **options)) == params
