"""Plain networks: their published counts, the two heads, and the images that they cannot take."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.backbones import VGG, sites
from nas_attn.evaluation import open_ledger
from nas_attn.space import InputError, Site

# Simonyan and Zisserman, 2014, table 1: the convolutions of each of the five stages
CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def network(depth=11, insert=lambda site: None, classes=10, **arguments):
    torch.manual_seed(0)
    return VGG(depth=depth, in_channels=3, classes=classes, insert=insert, **arguments)


def params(model):
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(depth):
    """Channels in and out of every convolution, and how often the image was halved before it."""
    before = 3
    for halved, (channels, blocks) in enumerate(zip(CHANNELS, CONVOLUTIONS[depth], strict=True)):
        for _ in range(blocks):
            yield before, channels, halved
            before = channels


# millions of parameters: table 2 of the paper; exact numbers: torchvision's
@pytest.mark.parametrize(
    ("depth", "printed", "exact"),
    [(11, 133, 132_863_336), (13, 133, 133_047_848), (16, 138, 138_357_544), (19, 144, 143_667_240)],
)
def test_with_its_head_and_without_normalisation_it_has_the_parameters_of_the_paper(depth, printed, exact):
    with torch.device("meta"):
        counted = params(network(depth, classes=1000, normalise=False, paper_head=True))
    convolutions = sum(9 * before * channels + channels for before, channels, _ in shapes(depth))
    head = (512 * 7 * 7 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert counted == convolutions + head == exact
    assert round(counted / 1e6) == printed


def test_normalisation_adds_two_parameters_a_channel():
    with torch.device("meta"):
        assert params(network(16, classes=1000, paper_head=True)) == 138_365_992
        assert params(network(16)) - params(network(16, normalise=False)) == 2 * sum(c for _, c, _ in shapes(16))


@pytest.mark.parametrize("depth", CONVOLUTIONS)
def test_the_usual_head_is_one_linear_layer(depth):
    with torch.device("meta"):
        model = network(depth)
    body = sum(9 * before * channels + 3 * channels for before, channels, _ in shapes(depth))
    assert params(model) == body + 512 * 10 + 10
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth - 2  # the paper's three linear layers are one


@pytest.mark.parametrize(("depth", "published"), [(11, "7.61"), (13, "11.31"), (16, "15.47"), (19, "19.63")])
def test_the_multiply_adds_are_those_of_the_layers(depth, published):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network(depth, classes=1000, normalise=False, paper_head=True).eval()(torch.zeros(1, 3, 224, 224))
    convolutions = sum(9 * before * channels * (224 >> halved) ** 2 for before, channels, halved in shapes(depth))
    head = 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000
    assert counter.get_total_flops() == 2 * (convolutions + head)
    assert f"{(convolutions + head) / 1e9:.2f}" == published


@pytest.fixture
def theirs():
    return pytest.importorskip("torchvision.models", exc_type=(ImportError, RuntimeError))


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("depth", CONVOLUTIONS)
def test_torchvision_has_the_same_tensors(theirs, depth, normalise):
    with torch.device("meta"):
        ours = network(depth, classes=1000, normalise=normalise, paper_head=True).state_dict()
        other = getattr(theirs, f"vgg{depth}{'_bn' if normalise else ''}")().state_dict()
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in other.values()]


@pytest.mark.parametrize("normalise", [False, True])
def test_torchvision_computes_the_same_features(theirs, normalise):
    ours, other = network(normalise=normalise).eval(), theirs.vgg.make_layers(theirs.vgg.cfgs["A"], normalise).eval()
    weights = [tensor for name, tensor in ours.state_dict().items() if not name.startswith("head")]
    other.load_state_dict(dict(zip(other.state_dict(), weights, strict=True)))
    images = torch.randn(2, 3, 40, 71)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), ours.head(other(images).mean((2, 3))))


@pytest.mark.parametrize("depth", CONVOLUTIONS)
def test_the_sites_are_after_each_convolution_and_before_each_pooling(depth):
    expected, before = [], 3
    for number, (channels, blocks) in enumerate(zip(CHANNELS, CONVOLUTIONS[depth], strict=True), 1):
        for n in range(blocks):
            stage, block = f"stage{number}", f"stage{number}.block{n}"
            places = ("block", "stage") if n == blocks - 1 else ("block",)
            expected += [Site(f"{block}.{place}", stage, block, place, channels, before) for place in places]
            before = channels
    assert sites(lambda insert: network(depth, insert)) == tuple(expected)


def test_a_site_is_after_the_activation_and_its_signal_is_what_the_block_is_given():
    class Keep(nn.Module):
        gated = True

        def forward(self, features, gating_signal):
            self.features, self.signal = features, gating_signal
            return features

    kept = {}
    model = network(insert=lambda site: kept.setdefault(site.name, Keep())).eval()
    images = torch.randn(2, 3, 33, 64)
    model(images)
    assert kept["stage1.block0.block"].signal is images
    for site, module in kept.items():
        assert module.features.min() == 0  # as ReLU leaves it
        side = int(site[len("stage")]) - 1
        assert module.features.shape[2:] == module.signal.shape[2:] == (33 >> side, 64 >> side)
    first, second = kept["stage3.block0.block"], kept["stage3.block1.block"]
    assert second.signal is first.features
    assert kept["stage3.block1.stage"].signal is second.signal
    pooled = nn.functional.max_pool2d(kept["stage2.block0.stage"].features, 2)
    assert torch.equal(first.signal, pooled)


@pytest.mark.parametrize("size", [(224, 224), (32, 32), (33, 250)])
def test_the_head_of_the_paper_takes_images_of_every_size_that_is_large_enough(size):
    with torch.device("meta"):
        model = network(paper_head=True, classes=6).eval()
        assert model(torch.zeros(2, 3, *size)).shape == (2, 6)


@pytest.mark.parametrize("size", [(31, 32), (64, 31), (8, 8), (1, 1)])
def test_an_image_that_would_be_pooled_to_nothing_is_refused(size):
    told = f"found images of {size[0]} x {size[1]}; allowed: 32 x 32 or more, five poolings halve them"
    with torch.device("meta"):
        model = network()
        with pytest.raises(ValueError, match=told):
            model(torch.zeros(2, 3, *size))
    with pytest.raises(InputError, match=f"vgg11: cannot take images of 3 x {size[0]} x {size[1]} here: {told}"):
        open_ledger("vgg11", (3, *size), 10)


@pytest.mark.parametrize("depth", [-11, 0, 8, 12, 17, 20])
def test_a_depth_that_the_paper_does_not_have_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth: found {depth}; allowed: 11, 13, 16, 19"):
        network(depth)


def test_a_step_of_training_reaches_every_weight():
    model = network()
    model(torch.randn(4, 3, 36, 34)).square().sum().backward()
    # a normalisation takes the mean away, and with it the biases before it
    learning = [p for name, p in model.named_parameters() if not name.endswith("conv.bias")]
    assert len(learning) == 8 * 3 + 2
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning)
