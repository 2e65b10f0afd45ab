import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, sites
from nas_attn.cost import count
from nas_attn.ledger import price
from nas_attn.space import Architecture, Attention, InputError, Placement, parse

IMAGE = (3, 18, 13)


def everywhere(kind, position):
    asked = sites(lambda insert: BACKBONES["resnet8"](in_channels=3, classes=10, insert=insert))
    return Architecture(tuple(Placement(site.name, Attention(kind)) for site in asked if site.position == position))


@pytest.mark.parametrize("position", ["pre", "inner", "branch", "identity", "block"])
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_macs_agree_between_two_counters_for_every_kind_in_every_position(kind, position):
    architecture = everywhere(kind, position)
    network = build(architecture, "resnet8", in_channels=3, classes=10).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *IMAGE))
    cost = price(architecture, "resnet8", IMAGE, 10)
    assert cost.macs == counter.get_total_flops() / 2
    assert cost.params == sum(parameter.numel() for parameter in network.parameters())
    assert cost == count(network, IMAGE)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_no_attention_is_free(kind):
    assert (
        price(everywhere(kind, "branch"), "resnet8", IMAGE, 10).flops
        > price(Architecture(), "resnet8", IMAGE, 10).flops
    )


def test_the_price_of_squeeze_and_excitation_is_its_formula():
    bare = price(Architecture(), "resnet20", (3, 32, 32), 10)
    attended = price(parse("stage2.block1.branch=se(reduction=8)"), "resnet20", (3, 32, 32), 10)
    channels, width, pixels = 32, 4, 16 * 16
    macs = 2 * channels * width
    assert attended.params - bare.params == macs
    assert attended.macs - bare.macs == macs
    # the mean and the product pass over every pixel, the activations over the squeezed values
    assert attended.flops - bare.flops == 2 * macs + 2 * channels * pixels + width + channels


def test_the_macs_of_resnet20_are_those_of_its_layers():
    stem, head = 9 * 3 * 16 * 32**2, 64 * 10
    stages = sum(
        9 * channels * pixels * (previous + 5 * channels)
        for previous, channels, pixels in ((16, 16, 32**2), (16, 32, 16**2), (32, 64, 8**2))
    )
    assert price(Architecture(), "resnet20", (3, 32, 32), 10).macs == stem + stages + head == 40_551_040


def test_prices_of_placements_add_up():
    texts = ("stage1.block0.branch=cbam", "stage2.block0.block=non_local", "stage3.block0.branch=gate")
    bare = price(Architecture(), "resnet8", IMAGE, 10)
    together = price(parse(" ".join(texts)), "resnet8", IMAGE, 10)
    for measure in ("params", "macs", "flops"):
        alone = sum(
            getattr(price(parse(text), "resnet8", IMAGE, 10), measure) - getattr(bare, measure) for text in texts
        )
        assert getattr(together, measure) - getattr(bare, measure) == alone


def test_an_attention_that_cannot_take_its_map_is_told():
    with pytest.raises(
        InputError, match=r"stage3\.block0\.branch=simam: cannot take images of 3 x 4 x 4 here: .* 1 x 1"
    ):
        price(parse("stage3.block0.branch=simam"), "resnet8", (3, 4, 4), 10)
