"""MobileNetV2: its published counts, its blocks with and without an addition, and where in them a site stands."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, MobileNetV2, sites
from nas_attn.space import Site

# Sandler et al., 2018, table 2: of each stage t, c, n and s
TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, features):
        return features * self.factor


class Sizes(nn.Module):
    """Lets features pass, and remembers their height and width, and those of the gating signal."""

    gated = True

    def __init__(self):
        super().__init__()
        self.seen = None

    def forward(self, features, gating_signal):
        self.seen = (tuple(features.shape[2:]), tuple(gating_signal.shape[2:]))
        return features


def network(insert=lambda site: None, classes=1000, **arguments):
    torch.manual_seed(0)
    return MobileNetV2(in_channels=3, classes=classes, insert=insert, **arguments)


def params(model):
    return sum(parameter.numel() for parameter in model.parameters())


def macs(model, side):
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, 3, side, side))
    return counter.get_total_flops() // 2


def test_the_parameters_are_those_of_the_layers_by_hand():
    convolution, channels = 9 * 3 * 32 + 2 * 32, 32
    for expansion, planned, blocks, _ in TABLE:
        for _ in range(blocks):
            wide = expansion * channels
            widen = channels * wide + 2 * wide if expansion > 1 else 0
            convolution += widen + 9 * wide + 2 * wide + wide * planned + 2 * planned
            channels = planned
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    with torch.device("meta"):
        assert params(network()) == convolution + head == 3_504_872


# the authors' own table of checkpoints, cut to millions: multiply-adds at 224, 192, 160, 128 and 96 pixels, and
# parameters, which leave out those of the normalisations
# https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/README.md
@pytest.mark.parametrize(
    ("width", "published_macs", "published_params"),
    [
        (1.4, (582,), "6.06"),
        (1.3, (509,), "5.34"),
        (1.0, (300, 221, 154, 99, 56), "3.47"),
        (0.75, (209, 153, 107, 69, 39), "2.61"),
        (0.5, (97, 71, 50, 32, 18), "1.95"),
        (0.35, (59, 43, 30, 20, 11), "1.66"),
    ],
)
def test_the_authors_count_the_same_at_every_width(width, published_macs, published_params):
    with torch.device("meta"):
        model = network(width=width)
        counted = [macs(model, side) // 10**6 for side in (224, 192, 160, 128, 96)]
    assert tuple(counted[: len(published_macs)]) == published_macs
    normalisations = sum(params(module) for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert f"{(params(model) - normalisations) / 1e6:.2f}" == published_params


@pytest.mark.parametrize(
    ("kind", "options", "published"),
    [
        ("coordinate", {"reduction": 32}, 3_950_648),  # Hou et al., 2021: 3.95 million
        ("se", {"reduction": 24, "bias": True}, 3_888_208),  # the same paper: 3.89 million
    ],
)
def test_attention_within_the_widened_blocks_has_the_published_parameters(kind, options, published):
    def insert(site):
        widened = site.position == "inner" and site.stage != "stage1"
        return ATTENTIONS[kind](site.channels, **options) if widened else None

    with torch.device("meta"):
        assert params(network(insert)) == published


@pytest.fixture
def theirs():
    models = pytest.importorskip("torchvision.models", exc_type=(ImportError, RuntimeError))
    return models.mobilenet_v2


@pytest.mark.parametrize("width", [0.35, 1.0, 1.3])
def test_torchvision_has_the_same_tensors(theirs, width):
    with torch.device("meta"):
        ours, other = network(width=width).state_dict(), theirs(width_mult=width).state_dict()
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in other.values()]


def test_torchvision_computes_the_same_scores(theirs):
    model, other = network().eval(), theirs().eval()
    state = model.state_dict()
    for tensor in state.values():  # trained statistics are not initial ones
        if tensor.is_floating_point():
            tensor += 0.1 * torch.rand(tensor.shape)
    other.load_state_dict(dict(zip(other.state_dict(), state.values(), strict=True)))
    images = torch.randn(2, 3, 96, 70)
    with torch.no_grad():
        torch.testing.assert_close(model(images), other(images))


def test_a_block_without_an_addition_has_neither_a_shortcut_nor_an_end_after_it():
    noted = sites(lambda insert: network(insert))
    channels, expected = 32, []
    for number, (expansion, planned, blocks, stride) in enumerate(TABLE, 1):
        for n in range(blocks):
            places = [("pre", channels), ("inner", expansion * channels), ("branch", planned)]
            if n or (stride == 1 and channels == planned):
                places += [("identity", planned), ("block", planned)]
            if n == blocks - 1:
                places.append(("stage", planned))
            stage, block = f"stage{number}", f"stage{number}.block{n}"
            expected += [Site(f"{block}.{place}", stage, block, place, of, channels) for place, of in places]
            channels = planned
    assert noted == tuple(expected)
    counts = {place: sum(site.position == place for site in noted) for place in ("branch", "block", "stage")}
    assert counts == {"branch": 17, "block": 10, "stage": 7}


@pytest.mark.parametrize(
    ("name", "image", "sides"),
    [
        ("mobilenetv2", 224, (112, 56, 28, 14, 14, 7, 7)),
        ("mobilenetv2", 33, (17, 9, 5, 3, 3, 2, 2)),
        ("mobilenetv2_small_images", 32, (32, 32, 16, 8, 8, 4, 4)),
        ("mobilenetv2_small_images", 8, (8, 8, 4, 2, 2, 1, 1)),
        ("mobilenetv2_small_images", 1, (1, 1, 1, 1, 1, 1, 1)),
    ],
)
def test_each_stage_has_the_size_that_its_strides_leave(name, image, sides):
    seen = {}
    with torch.device("meta"):
        model = BACKBONES[name](in_channels=3, classes=5, insert=lambda site: seen.setdefault(site, Sizes()))
        assert model.eval()(torch.zeros(2, 3, image, image)).shape == (2, 5)
    stem = sides[0]
    before = dict(zip([f"stage{n}" for n in range(1, 8)], (stem, *sides[:-1]), strict=True))
    for site, module in seen.items():
        after = sides[int(site.stage.removeprefix("stage")) - 1]
        entering = before[site.stage] if site.block.endswith("block0") else after
        here = entering if site.position == "pre" else after
        assert module.seen == ((here, here), (entering, entering))


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("pre", lambda block, features: features + block.project(block.depthwise(block.expand(3 * features)))),
        ("inner", lambda block, features: features + block.project(3 * block.depthwise(block.expand(features)))),
        ("branch", lambda block, features: features + 3 * block.project(block.depthwise(block.expand(features)))),
        ("identity", lambda block, features: 3 * features + block.project(block.depthwise(block.expand(features)))),
        ("block", lambda block, features: 3 * (features + block.project(block.depthwise(block.expand(features))))),
        ("stage", lambda block, features: 3 * (features + block.project(block.depthwise(block.expand(features))))),
    ],
)
def test_attention_works_on_what_its_position_says(position, expected):
    block = network(lambda site: Times(3) if site.name == f"stage2.block1.{position}" else None).eval().stage2[1]
    features = torch.randn(2, 24, 7, 5)
    torch.testing.assert_close(block(features), expected(block, features))


def test_without_its_branch_a_block_is_its_input_where_it_adds_and_nothing_where_not():
    model = network(lambda site: Times(0) if site.position == "branch" else None).eval()
    for stage, (_, _, blocks, _) in enumerate(TABLE, 1):
        for n in range(blocks):
            block = model.get_submodule(f"stage{stage}.{n}")
            entry = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
            features = torch.randn(2, entry.in_channels, 6, 6)
            output = block(features)
            assert torch.equal(output, features) if n else not output.any()


def test_a_step_of_training_reaches_every_parameter():
    model = network(classes=10)
    model(torch.randn(4, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf")])
def test_a_width_that_scales_nothing_is_refused(width):
    with pytest.raises(ValueError, match=rf"width: found {width}; allowed: any factor above 0"):
        network(width=width)


@pytest.mark.parametrize(
    "strides", [(), (2, 1, 2, 2, 2, 1, 2), (2, 1, 2, 2, 2, 1, 2, 1, 1), (2, 1, 2, 2, 2, 1, 2, 3), (0,) * 8]
)
def test_strides_are_one_or_two_for_the_first_convolution_and_each_stage(strides):
    with pytest.raises(ValueError, match=r"strides: found .*; allowed: 8 numbers, each 1 or 2"):
        network(strides=strides)


@pytest.mark.parametrize("width", [0.01, 0.1, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4, 2.0])
def test_channels_are_multiples_of_eight_that_lose_a_tenth_at_most(width):
    ends = {site.stage: site.channels for site in sites(lambda insert: network(insert, width=width))}
    for number, (_, planned, _, _) in enumerate(TABLE, 1):
        channels = ends[f"stage{number}"]
        assert channels % 8 == 0
        assert 0.9 * width * planned <= channels <= max(8, width * planned + 8)
