"""What the parameters of a class are taken as, whoever wrote it."""

import attentions_of_others as others
import pytest
from torch import nn

from nas_attn.attention import construct, signature_of


def written(parameters):
    """A class with these parameters, which keeps what it is given."""
    scope = {"nn": nn}
    names = [name.split("=")[0].split(":")[0].strip() for name in parameters.split(",")]
    kept = ", ".join(f"{name}={name}" for name in names if name.isidentifier())
    exec(
        f"class Written(nn.Module):\n"
        f"    def __init__(self, {parameters}):\n"
        f"        super().__init__()\n"
        f"        self.given = dict({kept})",
        scope,
    )
    return scope["Written"]


@pytest.mark.parametrize(
    ("parameters", "given"),
    [
        ("channel, reduction=16", {"channel": 48, "reduction": 16}),
        ("inp, oup, reduction=32", {"inp": 48, "oup": 48, "reduction": 32}),
        ("channel=512, reduction=16, kernel_size=49", {"channel": 48, "reduction": 16, "kernel_size": 49}),
        ("channels=None, gamma=2", {"channels": 48, "gamma": 2}),
        ("in_channels: int, out_channels=None, k=3", {"in_channels": 48, "out_channels": 48, "k": 3}),
        ("c1, c2, n=1, shortcut=True", {"c1": 48, "c2": 48, "n": 1, "shortcut": True}),
        ("in_planes, ratio=16", {"in_planes": 48, "ratio": 16}),
        ("dim=512, dim_out=512, heads=8", {"dim": 48, "dim_out": 48, "heads": 8}),
        ("num_features, eps=1e-5", {"num_features": 48, "eps": 1e-5}),
        ("embed_dim, num_heads=1", {"embed_dim": 48, "num_heads": 1}),
        ("C, r=4", {"C": 48, "r": 4}),
        ("*, d_model, heads=2", {"d_model": 48, "heads": 2}),
        ("whatever", {"whatever": 48}),
        ("e_lambda=1e-4", {"e_lambda": 1e-4}),
        ("kernel_size=3", {"kernel_size": 3}),
        ("groups=64", {"groups": 64}),
        ("no_spatial=False", {"no_spatial": False}),
        ("num_heads=8, output_attention=False", {"num_heads": 8, "output_attention": False}),
        ("channels, out_ratio=2", {"channels": 48, "out_ratio": 2}),
        ("channels, height, width", {"channels": 48, "height": 7, "width": 5}),
        ("n_dims, width=14, height=14, heads=4", {"n_dims": 48, "width": 5, "height": 7, "heads": 4}),
        ("dim, fmap_size", {"dim": 48, "fmap_size": (7, 5)}),
        ("dim, feat_size=None", {"dim": 48, "feat_size": (7, 5)}),
        ("dim, resolution=14", {"dim": 48, "resolution": 14}),
        ("channel, h=8", {"channel": 48, "h": 8}),
    ],
)
def test_a_class_is_called_with_its_width_and_its_size_whatever_they_are_called(parameters, given):
    made = written(parameters)
    size = {"height": 7, "width": 5} if signature_of(made).sides else {}
    assert construct(made, (48,), size).given == given


@pytest.mark.parametrize(
    ("parameters", "options", "alone"),
    [
        ("channel, reduction=16, bias: bool = False", {"reduction": int, "bias": bool}, ()),
        ("dim, ratio: float = 4, act_layer=nn.SiLU, drop=None", {"ratio": float}, ("act_layer", "drop")),
        ("dim, limit: int | None = None, mode='mean'", {"limit": int | None, "mode": str}, ()),
        ("dim, kernels=[1, 3], sizes=(1, 2), size: list = 1", {"size": int}, ("kernels", "sizes")),
        ("dim, start='here', slots=2, größe=1, k=3", {"k": int}, ("start", "slots", "größe")),
        ("channels, *more, reduction=4, **others", {"reduction": int}, ()),
        ("channels, oup=None, device=None", {}, ("device",)),
    ],
)
def test_what_has_a_plain_default_is_an_option_and_all_else_is_left_alone(parameters, options, alone):
    found = signature_of(written(parameters))
    assert {option.name: option.annotation for option in found.options} == options
    assert found.alone == alone


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (others.SEAttention, ["channel is taken as the width"]),
        (others.CoordAtt, ["inp is taken as the width", "oup as the same"]),
        (others.EMA, ["c2 as the same"]),
        (others.SimAM, ["has no width, so it is the same at any"]),
        (others.Everything, ["has no width, so it is the same at any"]),
        (others.ByActivation, ["dim is taken as the width", "act_layer, norm_layer left alone"]),
        (others.RelativePositions, ["n_dims is taken as the width", "height and width as the size of the map"]),
        (others.MapOfOneSize, ["dim is taken as the width", "fmap_size as the size of the map"]),
        (others.Narrow, ["in_planes is taken as the width", "position left alone"]),
        (others.HandsOn, ["channel is taken as the width"]),
        (others.GroupEnhance, []),
    ],
)
def test_what_is_guessed_or_passed_over_is_said(made, said):
    assert list(signature_of(made).remarks()) == said
