"""Sites in networks that concatenate, that hide their blocks from hooks, and at the ends of their stages."""

import pytest
import torch
from placing import build, wake
from torch import fx, nn

from nas_attn.backbones import plan
from nas_attn.settings import Backbone


def planned(name):
    return plan(Backbone(name=name), in_channels=3, classes=10)


def at(name, position="block"):
    sites = [site for site, _ in planned(name).places if site.position == position]
    return [f"{site.module} {site.channels}" for site in sites]


@pytest.mark.parametrize(
    ("name", "blocks", "stages"),
    [
        ("mixes", ["1 16", "2 32", "3 32"], ["1 16", "3 32"]),
        ("mixes_pooled", ["1 16", "3 32", "5 32"], ["1 16", "3 32", "5 32"]),
        ("mixes_activated_outside", ["3 16", "6 32", "9 32"], ["3 16", "9 32"]),
        ("wrapped", ["1 16", "2 32", "3 32"], ["1 16", "3 32"]),
        ("one_shot", ["1 16", "2 32", "3 32"], ["1 16", "3 32"]),
        ("stages", ["1.block 16", "2.block 32", "3.block 32"], ["1.block 16", "2.block 32", "3.block 32"]),
        ("growing", ["1 16", "2 32", "3 48"], ["1 16", "2 32", "3 48"]),
        ("dense", ["1 16", "2 32", "3 48"], ["1 16", "2 32", "3 48"]),
        ("elan", ["1 16", "2 32", "3 32"], ["1 16", "3 32"]),
        ("listed", ["2.0.cv3.2 16", "2.1.cv3.2 32", "2.2.cv3.2 32"], ["2.0.cv3.2 16", "2.2.cv3.2 32"]),
        ("enclosed", ["1.blocks.0 8", "1.blocks.1 16", "1.blocks.2 16"], ["1.blocks.0 8", "1.blocks.2 16"]),
    ],
)
def test_a_block_ends_where_the_next_one_begins(name, blocks, stages):
    assert at(f"joining_nets:{name}") == blocks
    assert at(f"joining_nets:{name}", "stage") == stages


def test_a_stage_of_residual_blocks_ends_after_the_cross_stage_module_around_them():
    name = "joining_nets:cross_stage"
    assert at(name) == ["1.m.0 8", "1.m.1 8", "3.m.0 16", "3.m.1 16", "5.m.0 16", "5.m.1 16"]
    assert at(name, "stage") == ["1 16", "3 32", "5 32"]
    ends = [site for site, _ in planned(name).places if site.position == "stage"]
    assert [site.name for site in ends] == [f"stage{number}.block1.stage" for number in (1, 2, 3)]
    assert [site.signal_channels for site in ends] == [8, 16, 32]  # what the module around takes


class Direct(nn.Module):
    """Runs its first block without calling it."""

    def __init__(self, in_channels, classes):
        super().__init__()
        self.stem, self.head = nn.Conv2d(in_channels, 8, 3, 1, 1), nn.Linear(8, classes)
        self.one, self.two = Residual(8), Residual(8)

    def forward(self, x):
        return self.head(self.two(self.one.forward(self.stem(x))).mean((2, 3)))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels)

    def forward(self, x):
        return (x + self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))).relu()


def as_graph(*, in_channels, classes):
    return fx.symbolic_trace(Direct(in_channels, classes))


def test_a_block_that_is_run_without_being_called_has_its_places():
    places = [f"{site.name} {site.module}" for site, _ in planned(f"{__name__}:Direct").places]
    assert places == [
        "stage1.block0.pre <one.conv1",
        "stage1.block0.inner <one.conv2",
        "stage1.block0.branch one.norm2",
        "stage1.block0.block <two",
        "stage1.block1.pre <two.conv1",
        "stage1.block1.inner <two.conv2",
        "stage1.block1.branch two.norm2",
        "stage1.block1.block two",
        "stage1.block1.stage two",
    ]


def test_attention_behind_a_block_that_is_not_called_is_that_of_one_that_is():
    limit = nn.Hardtanh(-0.1, 0.1)
    placed = wake(build(f"{__name__}:Direct", lambda site: limit if site.name == "stage1.block0.block" else None))
    by_hand = wake(build(f"{__name__}:Direct"))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        stem = by_hand.eval().stem(images)
        expected = by_hand.head(by_hand.two(limit(by_hand.one(stem))).mean((2, 3)))
        assert torch.equal(placed.eval()(images), expected)
        assert not torch.equal(by_hand(images), expected)


def test_a_traced_graph_keeps_its_residual_branches_and_tells_what_it_lost():
    found = planned(f"{__name__}:as_graph")
    assert [site.module for site, _ in found.places if site.position == "branch"] == ["one.norm2", "two.norm2"]
    assert found.remarks == (
        "After 2 blocks no place: no module alone gives or takes their maps (<one.conv1, <two.conv1)",
    )


class Shared(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(in_channels, 8, 3), Residual(8), nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.block(self.block(self.stem(x))).mean((2, 3)))


def test_a_block_that_is_called_twice_is_told():
    assert planned(f"{__name__}:Shared").remarks == ("At block: no place, called several times in a pass",)


def test_convolutions_side_by_side_at_the_end_of_a_branch_are_one_last_convolution():
    assert at(f"{__name__}:Ghosts", "inner") == ["<block.last 16"]


class Ghost(nn.Module):
    """Half of the channels by a convolution, the other half from those."""

    def __init__(self, before, after):
        super().__init__()
        self.primary, self.cheap = nn.Conv2d(before, after // 2, 1), nn.Conv2d(after // 2, after // 2, 3, 1, 1)

    def forward(self, x):
        primary = self.primary(x)
        return torch.cat((primary, self.cheap(primary)), 1)


class GhostBottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.last = Ghost(channels, 2 * channels), Ghost(2 * channels, channels)

    def forward(self, x):
        return x + self.last(self.first(x).relu())


class Ghosts(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(in_channels, 8, 3), GhostBottleneck(8), nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))
