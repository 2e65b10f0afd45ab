"""What an architecture costs: a sum over what stands at its sites, exactly what the network that is built costs."""

import random
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from placing import installed
from thoroughness import THOROUGH
from torch.utils.flop_counter import FlopCounterMode

from nas_attn.assembly import build, load_space
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, sites
from nas_attn.cost import count
from nas_attn.evaluation import open_ledger
from nas_attn.space import POSITIONS, Architecture, Attention, InputError, Placement, parse

IMAGE = (3, 18, 13)
FILES = sorted(Path(__file__).parents[2].joinpath("search_spaces").glob("*.toml"))
MEASURES = ("params", "macs", "flops")
DRAWN = 1000 if THOROUGH else 3  # direct counts of each space take a second each
KINDS_AT = [*(product if THOROUGH else zip)(ATTENTIONS, POSITIONS if THOROUGH else cycle(POSITIONS))]


def price(architecture, backbone="resnet8", image=IMAGE, classes=10):
    return open_ledger(backbone, image, classes).price(architecture)


def direct(architecture, backbone, image, classes):
    """What the network that is built costs, counted as a whole."""
    with torch.device("meta"):
        network = build(architecture, backbone, in_channels=image[0], classes=classes)
    return count(network, image)


def opened(name):
    file, space = load_space(FILES[0].parent / f"{name}.toml")
    return file, space, open_ledger(file.backbone, file.image, file.classes)


def everywhere(kind, position):
    listed = sites(lambda insert: BACKBONES["resnet8"](in_channels=3, classes=10, insert=insert))
    return Architecture(tuple(Placement(site.name, Attention(kind)) for site in listed if site.position == position))


def test_every_kind_and_every_position_is_counted():
    assert [{*some} for some in zip(*KINDS_AT, strict=True)] == [{*ATTENTIONS}, {*POSITIONS}]


@pytest.mark.parametrize(("kind", "position"), KINDS_AT)
def test_macs_agree_between_two_counters_for_every_kind_and_position(kind, position):
    architecture = everywhere(kind, position)
    network = build(architecture, "resnet8", in_channels=3, classes=10).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *IMAGE))
    cost = price(architecture)
    assert cost.macs == counter.get_total_flops() / 2
    assert cost.params == sum(parameter.numel() for parameter in network.parameters())
    assert cost == count(network, IMAGE)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_no_attention_is_free(kind):
    assert price(everywhere(kind, "branch")).flops > price(Architecture()).flops


def test_the_price_of_squeeze_and_excitation_is_its_formula():
    plain = price(Architecture(), "resnet20", (3, 32, 32), 10)
    attended = price(parse("stage2.block1.branch=se(reduction=8)"), "resnet20", (3, 32, 32), 10)
    channels, width, pixels = 32, 4, 16 * 16
    macs = 2 * channels * width
    assert attended.params - plain.params == macs
    assert attended.macs - plain.macs == macs
    # the mean and the product pass over every pixel, the activations over the squeezed values
    assert attended.flops - plain.flops == 2 * macs + 2 * channels * pixels + width + channels


def test_the_macs_of_resnet20_are_those_of_its_layers():
    stem, head = 9 * 3 * 16 * 32**2, 64 * 10
    stages = sum(
        9 * channels * pixels * (previous + 5 * channels)
        for previous, channels, pixels in ((16, 16, 32**2), (16, 32, 16**2), (32, 64, 8**2))
    )
    assert price(Architecture(), "resnet20", (3, 32, 32), 10).macs == stem + stages + head == 40_551_040


def test_prices_of_placements_add_up():
    texts = ("stage1.block0.branch=cbam", "stage2.block0.block=non_local", "stage3.block0.branch=gate")
    plain = price(Architecture())
    together = price(parse(" ".join(texts)))
    for measure in ("params", "macs", "flops"):
        alone = sum(getattr(price(parse(text)), measure) - getattr(plain, measure) for text in texts)
        assert getattr(together, measure) - getattr(plain, measure) == alone


def test_an_attention_that_cannot_take_its_map_is_reported():
    with pytest.raises(
        InputError, match=r"stage3\.block0\.branch=simam: cannot take images of 3 x 4 x 4 here: .* 1 x 1"
    ):
        price(parse("stage3.block0.branch=simam"), image=(3, 4, 4))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sums_are_what_the_networks_of_a_space_cost(path):
    file, space = load_space(path)
    ledger, rng = open_ledger(file.backbone, file.image, file.classes), random.Random(0)
    drawn = dict.fromkeys(space.sample(rng) for _ in range(3 * DRAWN))
    for architecture in [*drawn][:DRAWN]:
        assert ledger.price(architecture) == direct(architecture, file.backbone, file.image, file.classes), architecture


@pytest.mark.parametrize("start", ["paper", "identity"])
def test_sums_are_what_networks_cost_with_every_kind_in_every_position(start):
    """A network holds a kind in each position of a stage, another in the next stage, and so on through all of them."""
    kinds = list(ATTENTIONS)
    for shift in range(0, len(kinds), 3):
        placed = [
            Placement(
                f"stage{stage}.block0.{position}", Attention(kinds[(shift + stage) % len(kinds)], (("start", start),))
            )
            for stage in (1, 2, 3)
            for position in POSITIONS
        ]
        architecture = Architecture(tuple(placed))
        assert price(architecture) == direct(architecture, "resnet8", IMAGE, 10)


@pytest.mark.parametrize("backbone", ["timm:regnety_002", "torchvision:mobilenet_v3_small", "vgg11", "mobilenetv2"])
def test_sums_are_what_networks_of_others_cost(backbone):
    library, colon, _ = backbone.partition(":")
    if colon and not installed(library):
        pytest.skip(f"{library} is not installed")
    ledger, rng = open_ledger(backbone, (3, 64, 64), 7), random.Random(1)
    for _ in range(3):
        sites = rng.sample(sorted(ledger.sites), 4)
        architecture = Architecture(tuple(Placement(site, Attention(rng.choice([*ATTENTIONS]))) for site in sites))
        assert ledger.price(architecture) == direct(architecture, backbone, (3, 64, 64), 7)


_, BLOCKS, BLOCKS_LEDGER = opened("resnet20-blocks")
FILLINGS = [len(list(slot.fillings())) for slot in BLOCKS.slots]


@given(st.lists(st.tuples(*(st.integers(0, number - 1) for number in FILLINGS)), min_size=1, max_size=20))
@settings(deadline=None, max_examples=40)
def test_many_prices_are_each_networks_price(answers):
    fillings = [list(slot.fillings()) for slot in BLOCKS.slots]
    totals = BLOCKS_LEDGER.space_prices(BLOCKS).totals(np.array(answers))
    for number, row in enumerate(answers):
        placed = tuple(placement for slot, filling in enumerate(row) for placement in fillings[slot][filling])
        cost = BLOCKS_LEDGER.price(Architecture(placed))
        assert {measure: totals[measure][number] for measure in MEASURES} == {
            measure: getattr(cost, measure) for measure in MEASURES
        }


@pytest.mark.parametrize("answers", [[[0] * 8], [[0] * 8 + [99]], [[-1] + [0] * 8], [[0.5] * 9]])
def test_numbers_that_are_no_fillings_are_reported(answers):
    with pytest.raises(InputError, match="answers: "):
        BLOCKS_LEDGER.space_prices(BLOCKS).totals(np.array(answers))


def test_the_table_of_a_small_space_holds_each_network_once():
    _, space, ledger = opened("digits")
    table = ledger.table(space)
    assert table.attrs == {"networks": space.size, "whole": True}
    assert len(table) == space.size
    assert table.index.is_unique
    assert list(table.columns) == ["architecture", *MEASURES, *(slot.name for slot in space.slots)]
    assert set(table["architecture"]) == {str(architecture) for architecture in space.architectures()}
    row = table.iloc[-1]
    cost = ledger.price(parse(row["architecture"]))
    assert (row["params"], row["macs"], row["flops"]) == (cost.params, cost.macs, cost.flops)
    assert parse(row["architecture"]).key == row.name
    assert table.iloc[0]["stage1"] == "none"


def test_the_table_of_a_large_space_is_a_uniform_sample():
    table = BLOCKS_LEDGER.table(BLOCKS, at_most=3000, seed=1)
    assert table.attrs == {"networks": BLOCKS.size, "whole": False}
    assert len(table) == table.index.nunique() == 3000
    assert table.equals(BLOCKS_LEDGER.table(BLOCKS, at_most=3000, seed=1))
    assert not table.index.equals(BLOCKS_LEDGER.table(BLOCKS, at_most=3000, seed=2).index)
    # each filling of a slot comes up equally often: the deviation of a count is about the root of what is expected
    expected = 3000 / FILLINGS[0]
    counts = table[BLOCKS.slots[0].name].value_counts()
    assert len(counts) == FILLINGS[0]
    assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_a_table_without_rows_is_refused():
    with pytest.raises(InputError, match="at_most: found 0"):
        BLOCKS_LEDGER.table(BLOCKS, at_most=0)


def test_a_ledger_is_opened_once():
    assert open_ledger("resnet8", IMAGE, 10) is open_ledger("resnet8", IMAGE, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage4.block0.branch=se", "stage4.block0.branch: resnet8 has no such site; did you mean"),
        ("stage3.block0.branch=see", "stage3.block0.branch: unknown kind 'see'"),
        ("stage3.block0.branch=se(ratio=3)", "unknown option 'ratio'"),
    ],
)
def test_what_cannot_be_priced_is_reported(text, message):
    with pytest.raises(InputError) as refused:
        price(parse(text))
    assert message in str(refused.value)
