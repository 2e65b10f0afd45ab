"""The sites of networks that somebody else wrote, against lists made by hand."""

from itertools import pairwise

import pytest
import torch
from placing import LIBRARIES, build, installed, on_meta

from nas_attn.backbones import plan
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, Attention, Placement, parse


def found(name, **chosen):
    return plan(Backbone(name=name, **chosen), in_channels=3, classes=10).places


def spelt(name, **chosen):
    """Sites as `name channels signal module`."""
    return [f"{site.name} {site.channels} {site.signal_channels} {site.module}" for site, _ in found(name, **chosen)]


def library(name):
    source = name.partition(":")[0]
    if source in LIBRARIES and not installed(source):
        pytest.skip(f"{source} is not there")
    return name


def test_a_residual_block_has_its_places_although_its_relu_is_called_twice():
    assert spelt("foreign_nets:basic") == [
        "stage1.block0.pre 8 8 <1.conv1",
        "stage1.block0.inner 8 8 <1.conv2",
        "stage1.block0.branch 8 8 1.norm2",
        "stage1.block0.block 8 8 1",
        "stage1.block0.stage 8 8 1",
        "stage2.block0.pre 8 8 <2.conv1",
        "stage2.block0.inner 16 8 <2.conv2",
        "stage2.block0.branch 16 8 2.norm2",
        "stage2.block0.block 16 8 2",
        "stage2.block0.stage 16 8 2",
    ]


def test_before_a_branch_is_where_the_shortcut_has_parted_from_it():
    assert spelt("foreign_nets:pre_activation") == [
        "stage1.block0.pre 8 8 <1.norm1",
        "stage1.block0.inner 8 8 <1.conv2",
        "stage1.block0.branch 8 8 1.conv2",
        "stage1.block0.block 8 8 1",
        "stage1.block0.stage 8 8 1",
        "stage2.block0.pre 8 8 <2.conv1",
        "stage2.block0.inner 16 8 <2.conv2",
        "stage2.block0.branch 16 8 2.conv2",
        "stage2.block0.block 16 8 2",
        "stage2.block0.stage 16 8 2",
    ]


def test_the_places_of_a_second_sum_are_numbered():
    assert spelt("foreign_nets:two_sums") == [
        "stage1.block0.pre 8 8 <blocks.0.norm1",
        "stage1.block0.branch 8 8 blocks.0.mix",  # its scale is no module
        "stage1.block0.pre2 8 8 <blocks.0.norm2",
        "stage1.block0.inner2 8 8 <blocks.0.down",
        "stage1.block0.branch2 8 8 <blocks.0.drop",  # before stochastic depth
        "stage1.block0.block 8 8 blocks.0",
        "stage1.block0.stage 8 8 blocks.0",
    ]
    assert [site.position for site, _ in found("foreign_nets:two_sums")].count("branch") == 2


def test_sums_of_equals_are_no_residual_additions():
    assert spelt("foreign_nets:parallel") == [
        "stage1.block0.block 8 8 blocks.0",
        "stage1.block1.block 8 8 blocks.1",
        "stage1.block1.stage 8 8 blocks.1",
    ]


def test_sums_inside_a_branch_do_not_make_it_two():
    assert spelt("foreign_nets:chunks") == [
        "stage1.block0.pre 8 8 <blocks.0.first",
        "stage1.block0.inner 8 8 <blocks.0.last",
        "stage1.block0.branch 8 8 blocks.0.last",
        "stage1.block0.block 8 8 blocks.0",
        "stage1.block0.stage 8 8 blocks.0",
    ]


def test_resolutions_that_are_added_up_are_no_blocks_but_those_inside_are():
    assert {site.module.strip("<").rpartition(".")[0] or site.module for site, _ in found("foreign_nets:Fusing")} == {
        *("stage.high", "stage.low"),
        "stage",  # of the paths `stage.high` and `stage.low` of whole blocks
    }


def test_without_blocks_each_convolution_is_one_where_a_module_gives_it():
    assert spelt("foreign_nets:Flat") == [
        "stage1.block0.block 8 None one",  # its activation is no module
        "stage1.block0.stage 8 None one",
        "stage2.block0.block 16 None act",
        "stage2.block0.stage 16 None act",
    ]


def test_a_network_that_decides_by_values_is_read_with_values():
    assert spelt("foreign_nets:Choosing") == spelt("foreign_nets:Flat")


def test_named_modules_are_blocks_in_the_order_of_the_pass():
    assert spelt("foreign_nets:basic", modules=("2.norm1", "0", "1.conv1")) == [
        "stage1.block0.block 8 3 0",
        "stage1.block1.block 8 8 1.conv1",
        "stage1.block1.stage 8 8 1.conv1",
        "stage2.block0.block 16 16 2.norm1",
        "stage2.block0.stage 16 16 2.norm1",
    ]


def test_arguments_are_told_apart_by_type_and_reach_the_network():
    wide = found("foreign_nets:pre_activation", arguments={"wide": 4})
    assert [site.channels for site, _ in wide] == [4, 4, 4, 4, 4, 4, 8, 8, 8, 8]
    assert found("timm:resnet18", arguments={"output_stride": 32}) if installed("timm") else True


RESIDUAL = {
    "timm:resnet18": (("conv1", "conv2", "bn2"), (2, 2, 2, 2), (64, 128, 256, 512), (64, 128, 256, 512)),
    "torchvision:resnet50": (("conv1", "conv3", "bn3"), (3, 4, 6, 3), (64, 128, 256, 512), (256, 512, 1024, 2048)),
    "timm:resnet50": (("conv1", "conv3", "bn3"), (3, 4, 6, 3), (64, 128, 256, 512), (256, 512, 1024, 2048)),
}


@pytest.mark.parametrize("name", RESIDUAL)
def test_the_sites_of_a_resnet_are_those_of_its_paper(name):
    (first, last, end), depths, inner, outer = RESIDUAL[library(name)]
    expected, before = [], 64
    for stage, depth in enumerate(depths, start=1):
        for block in range(depth):
            at, path = f"stage{stage}.block{block}", f"layer{stage}.{block}"
            wide = outer[stage - 1]
            expected += [
                f"{at}.pre {before} {before} <{path}.{first}",
                f"{at}.inner {inner[stage - 1]} {before} <{path}.{last}",
                f"{at}.branch {wide} {before} {path}.{end}",
                f"{at}.block {wide} {before} {path}",
            ]
            before = wide
        expected.append(f"{at}.stage {wide} {wide if depth > 1 else before} {path}")
    assert spelt(name) == expected


# Sandler et al., 2018, table 2: channels and blocks of each row; the first block expands nothing
MOBILENET_V2 = [(16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)]


@pytest.mark.parametrize("name", ["timm:mobilenetv2_100", "torchvision:mobilenet_v2"])
def test_the_sites_of_mobilenet_v2_are_those_of_its_table(name):
    places = found(library(name))
    blocks = [(f"stage{row}.block{n}", c, n) for row, (c, count) in enumerate(MOBILENET_V2, 1) for n in range(count)]
    assert [(s.block, s.channels) for s, _ in places if s.position == "block"] == [(name, c) for name, c, _ in blocks]
    assert [s.block for s, _ in places if s.position == "branch"] == [name for name, _, n in blocks if n]
    before = [32, *(channels for _, channels, _ in blocks[:-1])]
    expanded = [32, *(6 * channels for channels in before[1:])]
    assert [s.channels for s, _ in places if s.position == "inner"] == expanded
    assert [s.signal_channels for s, _ in places if s.position == "inner"] == before


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("timm:convnext_atto", "<stages.0.blocks.0.drop_path"),
        ("torchvision:convnext_tiny", "<features.1.0.stochastic_depth"),
    ],
)
def test_a_scaled_branch_ends_behind_its_scale_and_before_stochastic_depth(name, end):
    branches = [site for site, _ in found(library(name)) if site.position == "branch"]
    assert branches[0].module == end
    assert len(branches) == {"timm:convnext_atto": 12, "torchvision:convnext_tiny": 18}[name]


@pytest.mark.parametrize(
    ("name", "blocks", "branches", "stages"),
    [
        ("timm:efficientnet_b0", 16, 9, 7),  # Tan and Le, 2019, table 1: 1, 2, 2, 3, 3, 4 and 1 blocks
        ("torchvision:efficientnet_b0", 16, 9, 7),
        ("torchvision:googlenet", 9, 0, 7),  # nine modules; 5 of them change the channels within a resolution
        ("torchvision:squeezenet1_1", 8, 0, 4),  # eight fire modules, two of a width
        ("torchvision:densenet121", 4, 0, 4),  # four dense blocks
        ("torchvision:shufflenet_v2_x0_5", 16, 0, 3),  # 4, 8 and 4 units
        ("torchvision:vgg11", 8, 0, 5),  # eight convolutions of five widths and sizes
        ("torchvision:alexnet", 5, 0, 4),
        ("timm:repvgg_a0", 22, 0, 5),
        ("timm:hrnet_w18_small", 23, 23, 14),
        ("timm:res2net50_26w_4s", 16, 16, 4),
        ("timm:inception_resnet_v2", 43, 40, 3),  # 10 + 20 + 10 residual, and 5b, 6a and 7a
        ("timm:poolformer_s12", 12, 24, 4),  # two branches a block
    ],
)
def test_other_families_have_the_blocks_of_their_papers(name, blocks, branches, stages):
    positions = [site.position for site, _ in found(library(name))]
    assert (positions.count("block"), positions.count("branch"), positions.count("stage")) == (blocks, branches, stages)


NAMES = (
    "foreign_nets:basic",
    "foreign_nets:two_sums",
    "foreign_nets:Flat",
    "timm:mobilenetv2_100",
    "torchvision:vgg11",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_site_is_asked_about_once_in_one_order_and_drawing_no_number(name):
    asked, again = [], []
    build(library(name), asked.append)
    torch.manual_seed(0)  # as `on_meta` does before it builds
    state = torch.get_rng_state()
    on_meta(name, again.append, classes=10)
    assert torch.equal(torch.get_rng_state(), state)
    assert asked == again == [site for site, _ in found(name)]
    assert len({site.name for site in asked}) == len(asked)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_at_a_site_sees_maps_of_its_channels(name):
    seen = {}

    class Recorder(torch.nn.Module):
        gated = True

        def __init__(self, site):
            super().__init__()
            self.site = site

        def forward(self, features, signal):
            seen[self.site.name] = (self.site.channels, self.site.signal_channels or self.site.channels)
            assert seen[self.site.name] == (features.shape[1], signal.shape[1])
            return features

    build(library(name), Recorder).eval()(torch.zeros(2, 3, 64, 64))
    assert set(seen) == {site.name for site, _ in found(name)}


def test_sites_of_one_stage_follow_each_other():
    stages = [site.stage for site, _ in found("foreign_nets:basic")]
    assert all(int(after[5:]) - int(before[5:]) in (0, 1) for before, after in pairwise(stages))


def test_an_architecture_with_numbered_places_is_spelt_and_read_back():
    sites = [site.name for site, _ in found("foreign_nets:two_sums")]
    architecture = Architecture(tuple(Placement(name, Attention("se")) for name in sites))
    assert parse(str(architecture)) == architecture


def test_a_network_is_read_once_whatever_its_weights(monkeypatch):
    first = found("foreign_nets:chunks")

    def never(*args):
        raise AssertionError("read again")

    monkeypatch.setattr("nas_attn.backbones.foreign.first_passing", never)
    assert found("foreign_nets:chunks", weights="some.pt") is first
    build(Backbone(name="foreign_nets:chunks"))
    with pytest.raises(AssertionError, match="read again"):
        found("foreign_nets:chunks", modules=("stem",))
