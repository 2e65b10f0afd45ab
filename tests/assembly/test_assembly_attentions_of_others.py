"""Attention of other people in a search space: where it stands, what it costs, and what is told of it."""

from functools import partial
from importlib.metadata import version

import attentions_of_others as others
import pytest
import torch
from timm.layers import create_attn
from torch import nn
from versions import TIMM_HAS_COORDINATE

from nas_attn.assembly import build, load_space, offers
from nas_attn.attention import IdentityStart, changes_nothing, own
from nas_attn.evaluation import open_ledger
from nas_attn.space import InputError

CHANNELS_AND_SIZES = ((16, 32), (32, 16), (64, 8))
"""Of the one block of each stage of resnet8, for images of 32 x 32."""

PASTED = {
    "SEAttention": lambda c, _: others.SEAttention(c),
    "CoordAtt": lambda c, _: others.CoordAtt(c, c),
    "CBAMBlock": lambda c, _: others.CBAMBlock(c),
    "SimAM": lambda _, __: others.SimAM(),
    "EMA": lambda c, _: others.EMA(c),
    "ShuffleAttention": lambda c, _: others.ShuffleAttention(c),
    "TripletAttention": lambda _, __: others.TripletAttention(),
    "ECAAttention": lambda _, __: others.ECAAttention(),
    "CrissCross": lambda c, _: others.CrissCross(c),
    "SKAttention": lambda c, _: others.SKAttention(c),
    "GAM": lambda c, _: others.GAM(c, c),
    "ByActivation": lambda c, _: others.ByActivation(c),
    "NoSpatial": lambda c, _: others.NoSpatial(c),
    "RelativePositions": lambda c, size: others.RelativePositions(c, size, size),
    "MapOfOneSize": lambda c, size: others.MapOfOneSize(dim=c, fmap_size=(size, size)),
    "Chosen": lambda c, _: others.Chosen(c),
    "Positional": lambda c, _: others.Positional(c),
    "Everything": lambda _, __: others.Everything(),
    "Narrow": lambda c, _: others.Narrow(c),
    "HandsOn": lambda c, _: others.HandsOn(c),
    "SquareOnly": lambda c, _: others.SquareOnly(c),
    "wide_kernel": lambda c, _: others.NoSpatial(c, kernel_size=3, shortcut=True),
}
CREATED_PLAINLY = (
    *("se", "ese", "eca", "ecam", "ceca", "gc", "gca", "cbam", "lcbam", "coord", "scoord", "ela", "strip"),
    *("sk", "splat", "lambda", "halo", "nl"),
)
TIMM = {
    **{name: partial(lambda name, c, _: create_attn(name, c), name) for name in CREATED_PLAINLY},
    "ge": lambda c, _: create_attn("ge", c, use_mlp=False),
    "bottleneck": lambda c, size: create_attn("bottleneck", c, feat_size=(size, size)),
    "bat": lambda c, _: create_attn("bat", c, block_size=8),
}
NEWER = dict.fromkeys(("timm:coord", "timm:scoord", "timm:ela", "timm:strip"), TIMM_HAS_COORDINATE)
OPTIONS = {"timm:ge": "use_mlp = false", "timm:bat": "block_size = 8"}
KINDS = {
    **{f"attentions_of_others:{name}": made for name, made in PASTED.items()},
    **{f"timm:{name}": made for name, made in TIMM.items()},
}


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """The space of a resnet8 with one kind, and its ledger; what torch.export makes of it only where it is asked."""

    def read(kind, options="", start="", image=(3, 32, 32), *, exported=False):
        if not exported:
            monkeypatch.setattr(offers, "_exported", lambda *_: "")
        path = tmp_path / "space.toml"
        path.write_text(f'backbone = "resnet8"\nimage = {list(image)}\n{start}\n[kinds."{kind}"]\n{options}\n')
        file, space = load_space(path)
        return space, open_ledger(file.backbone, file.image, file.classes)

    return read


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=NEWER.get(kind, ())) for kind in KINDS])
def test_attention_of_others_stands_in_every_stage_and_costs_what_its_own_class_has(opened, kind):
    space, ledger = opened(kind, OPTIONS.get(kind, ""))
    assert [slot.name for slot in space.slots] == ["stage1", "stage2", "stage3"]
    everywhere = space.baselines()[1]
    with torch.random.fork_rng():
        expected = sum(parameters(KINDS[kind](*place)) for place in CHANNELS_AND_SIZES)
    assert ledger.price(everywhere).params - ledger.plain.params == expected
    network = build(everywhere, "resnet8", in_channels=3, classes=10).train()
    scores = network(torch.rand(2, 3, 32, 32))
    scores.sum().backward()
    assert scores.shape == (2, 10)
    assert scores.isfinite().all()
    assert parameters(network) == ledger.price(everywhere).params


@pytest.mark.parametrize(
    ("options", "size"),
    [("ratio = [4, 8]", 3**3), ('pool = ["avg", "max"]', 3**3), ('ratio = [2, 8]\npool = ["max", "avg"]', 5**3)],
)
def test_options_of_others_are_choices_of_the_space(opened, options, size):
    space, _ = opened("attentions_of_others:Chosen", options)
    assert space.size == size


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("ratio = 'four'", "kinds.attentions_of_others:Chosen.ratio: found 'four'; allowed: an integer"),
        ("pool = 'sum'", "kinds.attentions_of_others:Chosen.pool: found 'sum'; allowed: avg, max"),
        (
            "mode = 'mean'",
            "kinds.attentions_of_others:Chosen.mode: unknown name; allowed: position, start, slots, ratio",
        ),
        ("ratio = 0", "kinds.attentions_of_others:Chosen: cannot stand at stage1-3: ZeroDivisionError: "),
        ("ratio = [4, 0]", "kinds.attentions_of_others:Chosen: ratio=0 cannot stand at stage1-3: ZeroDivisionError: "),
    ],
)
def test_a_value_that_a_class_of_others_cannot_have_is_told(opened, options, told):
    with pytest.raises(InputError) as fault:
        opened("attentions_of_others:Chosen", options)
    assert told in str(fault.value)


def test_a_kind_for_wide_stages_is_offered_there_and_the_others_are_told(opened):
    space, _ = opened("attentions_of_others:GroupEnhance")
    assert [slot.name for slot in space.slots] == ["stage3"]
    with pytest.raises(ValueError, match="divisible") as torchs:  # in the words of this torch
        nn.GroupNorm(64, 16)
    assert space.remarks == (f"attentions_of_others:GroupEnhance is left out at stage1-2: ValueError: {torchs.value}",)


def test_an_attention_that_this_timm_lacks_is_told_with_its_version(opened, monkeypatch):
    monkeypatch.setattr(own, "TIMM", (*own.TIMM, "of_tomorrow"))
    with pytest.raises(InputError, match=f"timm:of_tomorrow: timm {version('timm')} does not have it; pip install"):
        opened("timm:of_tomorrow")


def test_lazy_layers_are_refused_by_name(opened):
    with pytest.raises(InputError, match="Lazy: cannot stand at stage1-3: has lazy layers, whose widths are not known"):
        opened("attentions_of_others:Lazy")


def test_a_value_for_wide_stages_is_offered_there(opened):
    space, _ = opened("attentions_of_others:GroupEnhance", "groups = [64, 32, 8]")
    offered = {slot.name: dict(slot.kinds[0].options)["groups"] for slot in space.slots}
    assert offered == {"stage1": (8,), "stage2": (32, 8), "stage3": (64, 32, 8)}


def test_a_kind_for_square_maps_is_taken_where_maps_are_square_and_refused_where_none_is(opened):
    space, _ = opened("attentions_of_others:SquareOnly", exported=True)
    assert space.size == 2**3
    assert any("exported for one size of image only" in remark for remark in space.remarks)
    with pytest.raises(InputError, match=r"SquareOnly: cannot stand at stage1-3: .* with a map of "):
        opened("attentions_of_others:SquareOnly", image=(3, 64, 32))


def test_windows_are_offered_where_they_divide_the_sides(opened):
    space, _ = opened("attentions_of_others:Window", "window = [4, 16, 32]")
    offered = {slot.name: dict(slot.kinds[0].options)["window"] for slot in space.slots}
    assert offered == {"stage1": (4, 16, 32), "stage2": (4, 16), "stage3": (4,)}


@pytest.mark.parametrize("kind", ["simam", "attentions_of_others:SimAM", "timm:halo"])
def test_a_kind_that_a_single_position_does_not_suit_is_offered_elsewhere(opened, kind):
    """At images of 4 x 4 the maps are 4 x 4, 2 x 2 and 1 x 1."""
    options = "block_size = [1, 2]\nhalo_size = 1" if kind == "timm:halo" else ""
    space, ledger = opened(kind, options, image=(3, 4, 4))
    if kind == "simam":
        assert [slot.name for slot in space.slots] == ["stage1", "stage2"]
        assert space.remarks == (
            "simam is left out at stage3: features: found a map of 1 x 1, which has no variance; allowed: two "
            "positions or more",
        )
    if kind == "timm:halo":
        offered = {slot.name: dict(slot.kinds[0].options)["block_size"] for slot in space.slots}
        assert offered == {"stage1": (1, 2), "stage2": (1, 2), "stage3": (1,)}
    assert ledger.space_prices(space).networks == space.size


def test_the_size_that_a_class_is_built_for_is_part_of_the_spelling(opened):
    space, _ = opened("attentions_of_others:RelativePositions", image=(3, 32, 16))
    assert str(space.baselines()[1]) == " ".join(
        f"stage{n}.block0.branch=attentions_of_others:RelativePositions(height={height},width={height // 2})"
        for n, height in ((1, 32), (2, 16), (3, 8))
    )


def test_a_study_says_for_which_image_a_class_is_built(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text('backbone = "resnet8"\n[kinds."attentions_of_others:MapOfOneSize"]\n')
    _, space = load_space(path, image=(1, 8, 12))
    assert "MapOfOneSize(height=8,width=12)" in str(space.baselines()[1])


def test_a_position_whose_maps_have_another_size_is_left_out_of_what_is_built_for_one(opened):
    """Before the branch of a stage's first block the map is still the larger one."""
    space, _ = opened("attentions_of_others:RelativePositions", 'position = ["pre", "branch", "block"]')
    assert {slot.name: slot.kinds[0].positions for slot in space.slots} == {
        "stage1": ("pre", "branch", "block"),
        "stage2": ("branch", "block"),
        "stage3": ("branch", "block"),
    }
    assert sum("with position=pre is left out at stage2-3: " in remark for remark in space.remarks) == 1


@pytest.mark.parametrize(("name", "already"), [("CrissCross", True), ("SEAttention", False), ("MapOfOneSize", False)])
def test_one_that_is_the_identity_at_first_and_does_not_say_so_learns_from_the_identity_too(opened, name, already):
    space, _ = opened(f"attentions_of_others:{name}", start='start = "identity"')
    architecture = space.baselines()[1]
    network = build(architecture, "resnet8", in_channels=3, classes=10).train()
    started = [module for module in network.modules() if isinstance(module, IdentityStart)]
    assert [module.gamma.item() for module in started] == [float(already)] * 3
    network(torch.rand(4, 3, 32, 32)).square().sum().backward()
    gradients = [parameter.grad for module in started for parameter in module.parameters()]
    assert any(gradient is not None and gradient.abs().any() for gradient in gradients)


def test_whether_one_changes_nothing_leaves_the_random_state_as_it_was():
    before = torch.get_rng_state()
    assert changes_nothing(others.CrissCross, (8,), {})
    assert torch.equal(torch.get_rng_state(), before)
