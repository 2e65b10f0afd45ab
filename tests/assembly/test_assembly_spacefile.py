"""A search-space file becomes a space, or is told every one of its faults."""

from inspect import signature
from pathlib import Path

import pytest
import torch

from nas_attn.assembly import load_space
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, sites
from nas_attn.space import InputError

FILES = sorted(Path(__file__).parents[2].joinpath("search_spaces").glob("*.toml"))
KINDS = ", ".join(ATTENTIONS)


@pytest.fixture
def load(tmp_path):
    def read(text):
        path = tmp_path / "some.toml"
        path.write_text(text)
        return load_space(path)

    return read


@pytest.fixture
def faults_of(tmp_path, load):
    """The faults of a file, each without its path: `2: kinds.se: found 3; ...`."""

    def read(text):
        with pytest.raises(InputError) as told:
            load(text)
        lines = str(told.value).split("\n")
        assert all(line.startswith(f"{tmp_path / 'some.toml'}:") for line in lines)
        return [line.removeprefix(f"{tmp_path / 'some.toml'}:") for line in lines]

    return read


def kinds_of(space):
    """What each slot offers: the options and the positions of each kind."""
    return {slot.name: {kind.name: (dict(kind.options), kind.positions) for kind in slot.kinds} for slot in space.slots}


def test_there_are_files():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_that_comes_with_the_package_offers_all_that_it_lists(path):
    file, space = load_space(path)
    made = BACKBONES[file.backbone.name]
    assert space.size > 100
    offered = {kind.name for slot in space.slots for kind in slot.kinds}
    assert offered == {name for name, table in file.kinds if table is not None}
    assert {site for slot in space.slots for site in slot.sites} <= set(
        sites(lambda insert: made(in_channels=3, classes=10, insert=insert, **dict(file.backbone.arguments)))
    )


def test_a_file_of_two_lines_offers_each_stage_the_kind_as_its_paper_has_it(load):
    file, space = load('backbone = "resnet8"\n[kinds.gate]')
    assert kinds_of(space) == {f"stage{n}": {"gate": ({}, ("branch",))} for n in (1, 2, 3)}
    assert (file.per, file.image, file.classes, file.slots) == ("stage", (3, 32, 32), 10, None)
    assert space.size == 2**3


def test_a_value_is_a_list_of_one(load):
    _, one = load('backbone = "resnet8"\nposition = "block"\n[kinds.spatial]\nkernel_size = 3')
    _, listed = load('backbone = "resnet8"\nposition = ["block"]\n[kinds.spatial]\nkernel_size = [3]')
    assert one == listed
    assert kinds_of(one)["stage1"] == {"spatial": ({"kernel_size": (3,)}, ("block",))}


def test_kinds_stand_in_the_order_of_their_table_and_values_in_that_of_the_file(load):
    _, space = load('backbone = "resnet8"\nslots = ["stage3"]\n[kinds.spatial]\nkernel_size = [7, 3, 5]\n[kinds.se]')
    assert [kind.name for kind in space.slots[0].kinds] == ["se", "spatial"]
    assert dict(space.slots[0].kinds[1].options) == {"kernel_size": (7, 3, 5)}


def test_slots_of_a_stage_or_a_block_hold_its_sites(load):
    _, stages = load('backbone = "resnet20"\n[kinds.se]')
    _, blocks = load('backbone = "resnet20"\nper = "block"\n[kinds.se]')
    assert [slot.name for slot in stages.slots] == ["stage1", "stage2", "stage3"]
    assert [slot.name for slot in blocks.slots] == [f"stage{s}.block{b}" for s in (1, 2, 3) for b in (0, 1, 2)]
    assert [len(slot.sites) for slot in stages.slots] == [16, 16, 16]
    positions = ("pre", "inner", "branch", "identity", "block")
    assert [[site.position for site in slot.sites] for slot in blocks.slots] == 3 * [
        [*positions],
        [*positions],
        [*positions, "stage"],
    ]


def test_slots_and_positions_may_be_a_kinds_own(load):
    _, space = load(
        'backbone = "resnet8"\nslots = ["stage3", "stage1"]\nposition = ["branch", "block"]\n'
        '[kinds.se]\nslots = ["stage3"]\n[kinds.gate]\nposition = "block"\n[kinds.spatial]\n'
    )
    both = ("branch", "block")
    assert kinds_of(space) == {
        "stage1": {"gate": ({}, ("block",)), "spatial": ({}, both)},
        "stage3": {"se": ({}, both), "gate": ({}, ("block",)), "spatial": ({}, both)},
    }
    assert space.size == (1 + 1 + 2) * (1 + 2 + 1 + 2)


def test_a_slot_that_no_kind_asks_for_is_no_question(load):
    _, space = load('backbone = "resnet8"\n[kinds.se]\nslots = ["stage2"]')
    assert [slot.name for slot in space.slots] == ["stage2"]


@pytest.mark.parametrize(
    ("kind", "option", "values", "kept"),
    [
        # SE: C // reduction channels, one at least, of 16, 32 and 64
        ("se", "reduction", [16, 32], {"stage1": (16,), "stage2": (16, 32), "stage3": (16, 32)}),
        ("se", "reduction", [32, 16, 8], {"stage1": (32, 8), "stage2": (32, 16, 8), "stage3": (32, 16, 8)}),
        ("se", "bias", [False, True], {"stage1": (False, True), "stage3": (False, True)}),
        # coordinate attention: eight channels at least
        ("coordinate", "reduction", [32, 16, 8, 4], {"stage1": (32,), "stage2": (32,), "stage3": (32, 4)}),
        ("coordinate", "reduction", [2, 1], {"stage1": (2, 1), "stage2": (2, 1), "stage3": (2, 1)}),
        ("cbam", "kernel_size", [3, 7], {"stage1": (3, 7), "stage2": (3, 7), "stage3": (3, 7)}),
        ("gate", "reduction", [15, 16, 17, 9], {"stage1": (15,), "stage2": (15, 17, 9), "stage3": (15, 17, 9)}),
        ("non_local", "subsample", [True, False], {"stage1": (True, False), "stage2": (True, False)}),
    ],
)
def test_values_that_build_the_same_module_are_one_answer(load, kind, option, values, kept):
    listed = str(values).lower()
    _, space = load(f'backbone = "resnet8"\n[kinds.{kind}]\n{option} = {listed}')
    offered = {slot.name: dict(slot.kinds[0].options)[option] for slot in space.slots}
    assert {name: offered[name] for name in kept} == kept


@pytest.mark.parametrize("kind", [kind for kind in ATTENTIONS if "reduction" in signature(ATTENTIONS[kind]).parameters])
def test_each_module_that_a_reduction_can_build_is_offered_once(load, kind):
    ratios = range(1, 40)
    _, space = load(f'backbone = "resnet8"\n[kinds.{kind}]\nreduction = {list(ratios)}')
    for slot in space.slots:
        channels = next(site.channels for site in slot.sites if site.position == "branch")
        with torch.device("meta"):
            shapes = {ratio: _shapes(ATTENTIONS[kind](channels, reduction=ratio)) for ratio in ratios}
        offered = [shapes[ratio] for ratio in dict(slot.kinds[0].options)["reduction"]]
        assert len(offered) == len(set(offered))
        assert set(offered) == set(shapes.values())


def _shapes(module):
    return tuple(tuple(parameter.shape) for parameter in module.parameters())


SE = ", ".join(parameter for parameter in signature(ATTENTIONS["se"]).parameters if parameter != "channels")
START = 'backbone = "resnet8"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'backbone = "resnet18"\n[kinds.se]',
            "1: backbone: unknown backbone 'resnet18'; did you mean 'resnet8'?"
            f" allowed: {', '.join(BACKBONES)}, timm:NAME, torchvision:NAME, PACKAGE.MODULE:FUNCTION",
        ),
        ("backbone = 8\n[kinds.se]", "1: backbone: found 8; allowed: a text, or a table with a name"),
        ("[kinds.se]", "1: backbone: is missing"),
        (START, "1: kinds: is missing"),
        (START + "kinds = 3", "2: kinds: found 3; allowed: a table"),
        (START + "kinds = ['se']", "2: kinds: found ['se']; allowed: a table"),
        (START + "[kinds]", f"2: kinds: is empty, so there is nothing to choose; allowed: {KINDS}"),
        (START + "\n[kinds.see]\n[kinds.se]", f"3: kinds.see: unknown name; did you mean 'se'? allowed: {KINDS}"),
        (START + "[kinds]\nse = 4", "3: kinds.se: found 4; allowed: a table"),
        (
            START + "[kinds.se]\nreductoin = 4",
            f"3: kinds.se.reductoin: unknown name; did you mean 'reduction'? allowed: position, start, slots, {SE}",
        ),
        (
            START + "kinds.se = { ratio = 4 }",
            f"2: kinds.se.ratio: unknown name; allowed: position, start, slots, {SE}",
        ),
        (
            START + "pers = 'stage'\n[kinds.se]",
            "2: pers: unknown name; did you mean 'per'? allowed: image, classes, backbone, per, slots, position,"
            " start, kinds",
        ),
        (START + "per = 'layer'\n[kinds.se]", "2: per: found 'layer'; allowed: stage, block"),
        (
            START + "[kinds.se]\nreduction = [4,\n  -4]",
            "3: kinds.se.reduction.1: found -4; allowed: an integer of at least 1",
        ),
        (START + "[kinds.se]\nreduction = 0", "3: kinds.se.reduction: found 0; allowed: an integer of at least 1"),
        (
            START + "[kinds.cbam]\nkernel_size = 4",
            "3: kinds.cbam.kernel_size: found 4; allowed: an odd integer of at least 1",
        ),
        (START + "[kinds.se]\nreduction = 4.0", "3: kinds.se.reduction: found 4.0; allowed: an integer"),
        (START + "[kinds.se]\nreduction = ['4']", "3: kinds.se.reduction.0: found '4'; allowed: an integer"),
        (START + "[kinds.se]\nreduction = true", "3: kinds.se.reduction: found True; allowed: an integer"),
        (START + "[kinds.se]\nbias = 1", "3: kinds.se.bias: found 1; allowed: true or false"),
        (START + "[kinds.se]\nreduction = []", "3: kinds.se.reduction: found []; allowed: a list of 1 or more"),
        (
            START + "[kinds.se]\nreduction = [4, 8, 4]",
            "3: kinds.se.reduction: found 4, 8, 4; each value may stand there once",
        ),
        (START + "[kinds.se]\nreduction = [[4]]", "3: kinds.se.reduction.0: found [4]; allowed: an integer"),
        (START + "position = []\n[kinds.se]", "2: position: found []; allowed: a list of 1 or more"),
        (
            START + "position = 'blok'\n[kinds.se]",
            "2: position: found 'blok'; did you mean 'block'? allowed: branch, inner, pre, identity, block, stage",
        ),
        (
            START + "[kinds.se]\nposition = ['branch', 'after']",
            "3: kinds.se.position.1: found 'after'; allowed: branch, inner, pre, identity, block, stage",
        ),
        (
            START + "position = ['block', 'block']\n[kinds.se]",
            "2: position: found block, block; each value may stand there once",
        ),
        (
            START + "slots = ['stage4']\n[kinds.se]",
            "2: slots: found 'stage4'; did you mean 'stage3'? allowed: stage1, stage2, stage3",
        ),
        (
            START + "per = 'block'\nslots = ['stage1']\n[kinds.se]",
            "3: slots: found 'stage1'; did you mean 'stage1.block0'?"
            " allowed: stage1.block0, stage2.block0, stage3.block0",
        ),
        (START + "slots = 'stage1'\n[kinds.se]", "2: slots: found 'stage1'; allowed: a list"),
        (
            START + "[kinds.se]\nslots = ['stage0']",
            "3: kinds.se.slots: found 'stage0'; did you mean 'stage3'? allowed: stage1, stage2, stage3",
        ),
        (
            START + "slots = ['stage1']\n[kinds.se]\nslots = ['stage2']",
            "4: kinds.se.slots: found 'stage2'; did you mean 'stage1'? allowed: stage1",
        ),
        (START + "[kinds.se]\nslots = []", "3: kinds.se.slots: found []; allowed: a list of 1 or more"),
        (START + "image = [3, 32]\n[kinds.se]", "2: image.2: is missing"),
        (START + "image = [3, 32, 0]\n[kinds.se]", "2: image.2: found 0; allowed: at least 1"),
        (START + "image = [3, 32.0, 32]\n[kinds.se]", "2: image.1: found 32.0; allowed: an integer"),
        (START + "image = [3, 32, 32, 1]\n[kinds.se]", "2: image: found [3, 32, 32, 1]; allowed: a list of 3 at most"),
        (START + "classes = 1\n[kinds.se]", "2: classes: found 1; allowed: at least 2"),
    ],
)
def test_a_fault_says_where_it_is_what_was_found_and_what_is_allowed(faults_of, text, fault):
    assert faults_of(text) == [fault]


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(faults_of):
    told = faults_of(
        'backbone = "resnet8"\nslots = ["stage4"]\nclases = 3\n[kinds.see]\n[kinds.se]\nreduction = [0, 4]\n'
        "reductoin = 3\n[kinds.spatial]\nkernel_size = 2\nslots = ['stage5']\n"
    )
    assert [": ".join(line.split(": ")[:2]) for line in told] == [
        "2: slots",
        "3: clases",
        "4: kinds.see",
        "6: kinds.se.reduction.0",
        "7: kinds.se.reductoin",
        "9: kinds.spatial.kernel_size",
        "10: kinds.spatial.slots",
    ]


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        load_space(tmp_path / "nowhere.toml")


def test_a_path_may_be_a_text():
    assert load_space(str(FILES[0])) == load_space(FILES[0])


def test_a_value_that_cannot_be_built_at_some_slots_is_left_out_there_and_told(load):
    """16, 32 and 64 channels, a quarter of them keys."""
    _, space = load(START + "[kinds.efficient]\nheads = [1, 8]")
    offered = {slot.name: dict(slot.kinds[0].options)["heads"] for slot in space.slots}
    assert offered == {"stage1": (1,), "stage2": (1, 8), "stage3": (1, 8)}
    assert space.remarks == (
        "efficient with heads=8 is left out at stage1: heads: found 8; allowed: a divisor of the 4 channels of the "
        "keys",
    )


def test_a_value_that_can_be_built_at_no_slot_is_told_as_a_fault(faults_of):
    assert faults_of(START + "[kinds.efficient]\nheads = [1, 3]") == [
        "2: kinds.efficient: heads=3 cannot stand at stage1-3: heads: found 3; allowed: a divisor of the 4 channels of "
        "the keys"
    ]


def test_options_that_cannot_be_chosen_together_are_told(faults_of):
    (fault,) = faults_of(
        START + "[kinds.non_local]\nform = ['gaussian', 'dot_product']\nscale = [false, true]\nslots = ['stage3']"
    )
    assert fault.startswith(
        "2: kinds.non_local: non_local(form=dot_product,scale=true) cannot stand at stage3.block0.block: scale: "
    )


def test_an_option_makes_a_difference_if_it_does_with_any_other(load):
    """A reduction that is too large for one divisor is not too large for another."""
    _, space = load('backbone = "resnet8"\nslots = ["stage1"]\n[kinds.se]\nreduction = [4, 2]\ndivisor = [8, 1]')
    assert dict(space.slots[0].kinds[0].options) == {"reduction": (4, 2), "divisor": (8, 1)}
    _, space = load('backbone = "resnet8"\nslots = ["stage1"]\n[kinds.se]\nreduction = [4, 2]\ndivisor = 8')
    assert dict(space.slots[0].kinds[0].options) == {"reduction": (4,), "divisor": (8,)}


def test_the_start_is_a_choice_where_it_is_not_the_papers(load):
    _, space = load(
        'backbone = "resnet8"\nslots = ["stage1"]\nstart = ["identity", "paper"]\n'
        '[kinds.se]\n[kinds.gate]\nstart = "identity"\n[kinds.spatial]\nstart = "paper"'
    )
    assert {kind.name: dict(kind.options) for kind in space.slots[0].kinds} == {
        "se": {"start": ("identity", "paper")},
        "gate": {"start": ("identity",)},
        "spatial": {},
    }


def test_choices_that_meet_only_under_other_choices_are_one_network(load):
    """At 16 channels the widths are 8 and 8 under a divisor of 8, 4 and 8 without: two networks, spelt in four ways."""
    _, space = load('backbone = "resnet8"\nslots = ["stage1"]\n[kinds.se]\nreduction = [4, 2]\ndivisor = [8, 1]')
    assert (space.size, space.spellings) == (1 + 2, 1 + 4)
    answers = {"stage1": "se", "stage1.se.divisor": 8}
    decided = {
        str(space.decide(lambda question, _, ratio=ratio: {**answers, "stage1.se.reduction": ratio}[question]))
        for ratio in (4, 2)
    }
    assert decided == {"stage1.block0.branch=se(divisor=8,reduction=4)"}


def test_after_the_last_block_and_after_the_stage_is_one_place_where_a_stage_has_one_block(load):
    _, space = load('backbone = "resnet8"\nslots = ["stage1"]\n[kinds.se]\nposition = ["stage", "block"]')
    assert (space.size, space.spellings) == (1 + 1, 1 + 2)
    # in MobileNetV2 nothing is added in the first block of a stage
    _, space = load('backbone = "mobilenetv2"\nslots = ["stage1"]\n[kinds.se]\nposition = ["stage", "branch"]')
    assert (space.size, space.spellings) == (1 + 1, 1 + 2)
    _, space = load('backbone = "resnet20"\nslots = ["stage1"]\n[kinds.se]\nposition = ["stage", "block"]')
    assert (space.size, space.spellings) == (1 + 2, 1 + 2)


@pytest.mark.parametrize("ratios", [range(1, 20), range(20, 1, -3)])
def test_a_space_counts_the_networks_that_can_be_told_apart(load, ratios):
    """The widths of the hidden layer, worked out by hand: a multiple of the divisor, nearest to 64 / ratio."""
    text = f"reduction = {list(ratios)}\ndivisor = [1, 8]\nbias = [false, true]"
    _, space = load(f'backbone = "resnet8"\nslots = ["stage3"]\n[kinds.se]\n{text}')
    with torch.device("meta"):
        told = {
            _shapes(ATTENTIONS["se"](64, reduction=ratio, divisor=divisor, bias=bias))
            for ratio in ratios
            for divisor in (1, 8)
            for bias in (False, True)
        }
    assert space.size == 1 + len(told)


def test_a_kind_stands_where_its_paper_has_it_if_nobody_says_otherwise(load):
    _, space = load('backbone = "resnet8"\n[kinds.se]\n[kinds.coordinate]\n[kinds.bam]')
    assert kinds_of(space)["stage1"] == {
        "se": ({}, ("branch",)),
        "coordinate": ({}, ("inner",)),
        "bam": ({}, ("stage",)),
    }


def test_a_kind_takes_of_the_files_places_those_that_make_sense_for_it(load):
    _, space = load('backbone = "resnet8"\nposition = ["branch", "pre", "block"]\n[kinds.se]\n[kinds.gate]')
    assert kinds_of(space)["stage1"] == {
        "se": ({}, ("branch", "pre", "block")),
        "gate": ({}, ("branch", "block")),
    }


def test_a_place_that_makes_no_sense_for_a_kind_is_told(faults_of):
    assert faults_of(START + "[kinds.bam]\nposition = 'pre'") == [
        "3: kinds.bam.position: found 'pre'; allowed: stage, block"
    ]
    assert faults_of(START + "position = 'pre'\n[kinds.bam]") == [
        "3: kinds.bam: may stand at stage, block, and the file's position is pre"
    ]


def test_weights_are_found_beside_the_file_or_are_told_to_be_missing(tmp_path, load, faults_of):
    (tmp_path / "plain.safetensors").write_bytes(b"")
    file, _ = load('[backbone]\nname = "resnet8"\nweights = "plain.safetensors"\n[kinds.se]')
    assert Path(file.backbone.weights) == tmp_path / "plain.safetensors"
    (fault,) = faults_of('[backbone]\nname = "resnet8"\nweights = "bear.safetensors"\n[kinds.se]')
    assert fault.startswith(f"3: backbone.weights: there is no file {tmp_path / 'bear.safetensors'}")
