"""Residual networks for small images: their layers, their shortcuts, and where in a block a site stands."""

import pytest
import torch
from placing import Recorder
from torch import nn

from nas_attn.backbones import BACKBONES, CifarResNet, sites
from nas_attn.space import Site

DEPTHS = {"resnet8": 8, "resnet20": 20, "resnet32": 32, "resnet56": 56, "resnet110": 110}
POSITIONS = ("pre", "inner", "branch", "identity", "block")  # of every block; `stage` is of the last one only


def network(name="resnet8", *, in_channels=3, classes=10, insert=lambda site: None, seed=0):
    torch.manual_seed(seed)
    return BACKBONES[name](in_channels=in_channels, classes=classes, insert=insert)


def params(name):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in network(name).parameters())


# He et al., 2015, table 6: parameters in millions, to the digits that are printed
@pytest.mark.parametrize(("name", "printed"), [("resnet20", "0.27"), ("resnet32", "0.46"), ("resnet56", "0.85")])
def test_the_paper_counts_the_same_parameters_to_two_digits(name, printed):
    assert f"{params(name) / 1e6:.2f}" == printed


def test_the_paper_counts_the_same_parameters_of_110_layers_to_one_digit():
    assert f"{params('resnet110') / 1e6:.1f}" == "1.7"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet8", 75_290),
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet56", 853_018),
        ("resnet110", 1_727_962),
    ],
)
def test_the_parameters_are_those_of_the_layers_by_hand(name, expected):
    n = (DEPTHS[name] - 2) // 6
    convolutions = 9 * (3 * 16 + 2 * n * 16**2 + 16 * 32 + (2 * n - 1) * 32**2 + 32 * 64 + (2 * n - 1) * 64**2)
    normalisations = 2 * (16 + 2 * n * (16 + 32 + 64))
    assert params(name) == convolutions + normalisations + 64 * 10 + 10 == expected


@pytest.mark.parametrize("name", DEPTHS)
def test_a_network_has_the_layers_of_its_name(name):
    with torch.device("meta"):
        layers = [m for m in network(name).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == DEPTHS[name] == int(name.removeprefix("resnet"))


@pytest.mark.parametrize("in_channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(32, 32), (7, 7), (5, 12), (33, 2), (1, 1), (1, 9)])
@pytest.mark.parametrize("batch", [1, 3])
def test_images_of_any_size_become_scores(in_channels, size, batch):
    scores = network(in_channels=in_channels, classes=7).eval()(torch.randn(batch, in_channels, *size))
    assert scores.shape == (batch, 7)
    assert scores.isfinite().all()


def test_the_scores_of_an_image_do_not_depend_on_its_batch():
    model, images = network().eval(), torch.randn(3, 3, 9, 6)
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]))


def test_a_step_of_training_reaches_every_parameter():
    model = network()
    model(torch.randn(4, 3, 9, 9)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", DEPTHS)
def test_the_sites_are_those_of_each_block_and_at_the_end_of_a_stage_one_more(name):
    blocks = (DEPTHS[name] - 2) // 6
    expected = []
    for stage in ("stage1", "stage2", "stage3"):
        expected += [f"{stage}.block{n}.{position}" for n in range(blocks) for position in POSITIONS]
        expected.append(f"{stage}.block{blocks - 1}.stage")
    noted = sites(lambda insert: BACKBONES[name](in_channels=3, classes=10, insert=insert))
    assert [site.name for site in noted] == expected


@pytest.mark.parametrize("size", [(8, 8), (9, 5), (1, 1)])
def test_a_site_sees_the_channels_it_names_and_a_shortcut_of_the_same_shape(size):
    recorders = {}
    model = network("resnet20", insert=lambda site: recorders.setdefault(site, Recorder())).eval()
    model(torch.randn(2, 3, *size))
    assert len(recorders) == 9 * len(POSITIONS) + 3
    height, width = size
    for site, recorder in recorders.items():
        stride = {"stage1": 1, "stage2": 2, "stage3": 4}[site.stage]
        if site.position == "pre" and site.block.endswith("block0"):
            stride = max(1, stride // 2)  # before the convolution that strides
        seen = (2, site.channels, -(-height // stride), -(-width // stride))
        assert recorder.shapes == [(seen, seen)]


def test_the_branch_is_attended_before_the_addition_and_the_block_after_it():
    class Nought(nn.Module):
        def forward(self, features):
            return features * 0

    block = "stage2.block0"
    images = torch.randn(2, 3, 8, 8)
    model = network(insert=lambda site: Nought() if site.name == f"{block}.branch" else None).eval()
    features = model.stage1(torch.relu(model.norm(model.conv(images))))
    # without its branch a block is its shortcut: every second pixel, and zeros in the added channels
    shortcut = torch.cat((features[:, :, ::2, ::2], torch.zeros(2, 16, 4, 4)), dim=1)
    assert torch.equal(model.stage2[0](features), torch.relu(shortcut))
    model = network(insert=lambda site: Nought() if site.name == f"{block}.block" else None).eval()
    assert not model.stage2[0](features).any()


def test_what_stands_after_a_stage_sees_what_stands_after_its_last_block():
    class Plus(nn.Module):
        def __init__(self, number):
            super().__init__()
            self.number = number

        def forward(self, features):
            return 3 * features + self.number

    added = {"stage2.block2.block": Plus(1), "stage2.block2.stage": Plus(2)}
    plain, model = network("resnet20").eval(), network("resnet20", insert=lambda site: added.get(site.name)).eval()
    features = torch.randn(2, 16, 6, 6)
    torch.testing.assert_close(model.stage2(features), 3 * (3 * plain.stage2(features) + 1) + 2)


@pytest.mark.parametrize("depth", [-4, 0, 2, 7, 9, 18, 21, 100])
def test_a_depth_without_whole_blocks_is_refused(depth):
    with pytest.raises(ValueError, match=rf"depth: found {depth}; allowed: 6n \+ 2"):
        CifarResNet(depth=depth, in_channels=3, classes=10, insert=lambda site: None)


def test_a_width_scales_every_site():
    noted = sites(lambda insert: CifarResNet(depth=8, in_channels=3, classes=10, insert=insert, width=4))
    assert noted[0] == Site("stage1.block0.pre", "stage1", "stage1.block0", "pre", 4)
    assert [site.channels for site in noted] == [4] * 7 + [8] * 6 + [16] * 5
