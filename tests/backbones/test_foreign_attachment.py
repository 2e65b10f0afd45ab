"""Attention attached to networks that somebody else wrote: what stays as it was, and what can be done with them."""

import copy
import gc
import pickle
import weakref
from functools import cache

import pytest
import torch
from placing import LIBRARIES, attention_at, build, installed, on_meta, params, wake
from torch import nn

from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import Attentions, Point, attach, plan
from nas_attn.cost import count
from nas_attn.settings import Backbone

FAMILIES = (
    "torchvision:resnet18",
    "timm:mobilenetv3_small_050",
    "timm:convnext_atto",
    "torchvision:shufflenet_v2_x0_5",
)
FAMILIES += ("timm:repvgg_a0", "torchvision:squeezenet1_1", "foreign_nets:two_sums")


def library(name):
    source = name.partition(":")[0]
    if source in LIBRARIES and not installed(source):
        pytest.skip(f"{source} is not there")
    return name


def images(*shape, seed=3):
    return torch.randn(shape or (2, 3, 64, 64), generator=torch.Generator().manual_seed(seed))


def fitting(site, kind, **options):
    """The kind at this site, if that is a place for it."""
    positions = getattr(ATTENTIONS[kind], "positions", (site.position,))
    return attention_at(site, kind, **options) if site.position in positions else None


@pytest.mark.parametrize("name", FAMILIES)
def test_without_attention_it_is_the_librarys_network(name):
    source, _, member = library(name).partition(":")
    torch.manual_seed(0)
    if source == "timm":
        theirs = pytest.importorskip("timm").create_model(member, num_classes=10)
    elif source == "torchvision":
        theirs = pytest.importorskip("torchvision").models.get_model(member, num_classes=10)
    else:
        theirs = getattr(__import__(source), member)(in_channels=3, classes=10)
    ours = build(name)
    assert type(ours) is type(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert not hasattr(ours, "attentions")
    with torch.no_grad():
        assert torch.equal(ours.eval()(images()), theirs.eval()(images()))


@cache
def plain_with_scores(name):
    """The library's network, which no test may change, and what it gives."""
    plain = wake(build(library(name))).eval()
    with torch.no_grad():
        return plain, plain(images())


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_with_identity_start_every_kind_leaves_the_output_exactly_as_it_was(name, kind):
    plain, expected = plain_with_scores(name)
    placed = build(name, lambda site: fitting(site, kind, start="identity")).eval()
    loaded = placed.load_state_dict(plain.state_dict(), strict=False)
    assert loaded.unexpected_keys == []
    assert loaded.missing_keys
    assert all(key.startswith("attentions.") for key in loaded.missing_keys)
    with torch.no_grad():
        assert torch.equal(placed(images()), expected)
        assert not torch.equal(wake(placed)(images()), expected)  # its share is no longer zero


@pytest.mark.parametrize("name", ["foreign_nets:basic", "foreign_nets:pre_activation", "timm:resnet18"])
@pytest.mark.parametrize("position", ["pre", "inner", "branch", "block", "stage"])
def test_an_attention_stands_where_its_position_says(name, position):
    """Hooks of the test's own, put by hand at the block of stage 2, must give what the attached attention gives."""
    last, first, branch = {
        "foreign_nets:basic": ("2.conv2", "2.conv1", "2.norm2"),
        "foreign_nets:pre_activation": ("2.conv2", "2.conv1", "2.conv2"),
        "timm:resnet18": ("layer2.0.conv2", "layer2.0.conv1", "layer2.0.bn2"),
    }[library(name)]
    block = branch.rpartition(".")[0] if position != "stage" or name != "timm:resnet18" else "layer2.1"

    def narrow(site):
        at_block = position == "stage" or site.block == "stage2.block0"
        there = at_block and (site.stage, site.position) == ("stage2", position)
        return nn.Hardtanh(-0.1, 0.1) if there else None

    by_hand = wake(build(name)).eval()
    limit = nn.Hardtanh(-0.1, 0.1)
    if position in ("pre", "inner"):
        target = by_hand.get_submodule(first if position == "pre" else last)
        target.register_forward_pre_hook(lambda module, args: (limit(args[0]),))
    else:
        target = by_hand.get_submodule(branch if position == "branch" else block)
        target.register_forward_hook(lambda module, args, output: limit(output))
    with torch.no_grad():
        expected, attached = by_hand(images()), wake(build(name, narrow)).eval()
        assert torch.equal(attached(images()), expected)
        assert not torch.equal(wake(build(name)).eval()(images()), expected)


class Remember(nn.Module):
    """A gated attention that remembers the signals it got, as weak references."""

    gated = True

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, features, signal):
        self.seen.append((signal.shape, signal.sum().item()))
        self.last = weakref.ref(signal)
        return features


@pytest.mark.parametrize("position", ["inner", "branch", "block"])
def test_the_gating_signal_is_the_input_of_the_block(position):
    remember = Remember()
    placed = build(
        "foreign_nets:basic", lambda site: remember if site.name == f"stage2.block0.{position}" else None
    ).eval()
    with torch.no_grad():
        placed(images())
        before = placed[1](placed[0](images()))
    assert remember.seen == [(before.shape, before.sum().item())]


def test_no_map_is_kept_after_a_pass_nor_after_one_that_fails():
    remember = Remember()
    placed = build("foreign_nets:failing", lambda site: remember if site.position == "branch" else None).eval()
    with torch.no_grad():
        placed(images())
    gc.collect()
    assert remember.last() is None
    placed.blocks[0].fails = True
    with pytest.raises(RuntimeError, match="told to fail"):
        placed(images())
    gc.collect()
    assert remember.last() is None
    placed.blocks[0].fails = False
    assert copy.deepcopy(placed)(images()).isfinite().all()


def everywhere(name, kind="se", **options):
    return wake(build(library(name), lambda site: fitting(site, kind, **options)))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda built: pickle.loads(pickle.dumps(built))])
@pytest.mark.parametrize("name", ["foreign_nets:basic", "timm:resnet18", "torchvision:mobilenet_v3_small"])
@pytest.mark.parametrize("kind", ["se", "gate"])
def test_a_copy_has_its_own_attentions(name, kind, copied):
    built = everywhere(name, kind).eval()
    with torch.no_grad():
        built(images())
        other = copied(built)
        before = built(images())
        assert torch.equal(other(images()), before)
        for parameter in other.attentions.parameters():
            parameter.mul_(-1.0)
        assert torch.equal(built(images()), before)
        assert not torch.equal(other(images()), before)


def test_a_network_that_is_a_sequence_calls_its_attentions_to_no_effect():
    built = everywhere("foreign_nets:basic").eval()
    assert isinstance(built[-1], Attentions)
    with torch.no_grad():
        scores = built(images())
        assert torch.equal(built.attentions(scores), scores)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_step_of_training_goes_through_operators_in_place(kind):
    built = everywhere("foreign_nets:basic", kind).train()
    built(images(4, 3, 16, 16)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize("kind", ["se", "gate", "cbam"])
def test_a_program_exported_for_any_size_gives_the_same(kind):
    built = everywhere("foreign_nets:basic", kind).eval()
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.export.export(built, (images(2, 3, 16, 16),), dynamic_shapes=(free,)).module()
    with torch.no_grad():
        for shape in ((2, 3, 16, 16), (1, 3, 16, 16), (3, 3, 19, 24)):
            torch.testing.assert_close(program(images(*shape)), built(images(*shape)))


def test_a_compiled_network_gives_the_same():
    built = everywhere("foreign_nets:basic", "gate").eval()
    compiled = torch.compile(built, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images()), built(images()))
        assert copy.deepcopy(built)(images()).isfinite().all()


def test_the_price_of_attached_attention_is_that_of_its_layers():
    plain = count(on_meta("foreign_nets:basic", classes=10), (3, 16, 16))
    placed = count(on_meta("foreign_nets:basic", at_branches("se", reduction=4), classes=10), (3, 16, 16))
    # two layers between 8 channels and 2, two between 16 and 4
    assert placed.params - plain.params == placed.macs - plain.macs == 2 * 8 * 2 + 2 * 16 * 4


def test_a_name_that_the_network_has_already_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 3, 1))
    network.attentions = nn.Identity()
    with pytest.raises(ValueError, match="something named `attentions`"):
        attach(network, [(Point("stage1.block0.block", "0"), nn.Identity())])


@pytest.fixture(params=["timm:", "torchvision:"])
def source(request):
    return library(request.param)


def at_branches(kind, **options):
    return lambda site: attention_at(site, kind, **options) if site.position == "branch" else None


# Published parameters: 25.56 M (He et al.), 28.09 M for SE and CBAM as their authors count them
def test_the_totals_of_resnet_50_are_exact(source):
    def total(kind=None, **options):
        return params(on_meta(f"{source}resnet50", at_branches(kind, **options) if kind else lambda site: None))

    assert total() == 25_557_032
    assert total("se", reduction=16, bias=False) == 28_071_976
    assert total("se", reduction=16, bias=True) == 28_088_024
    assert total("cbam", reduction=16, kernel_size=7) == 28_089_624


# Hu et al., 2018, table 10, whose totals are those with the running statistics of normalisation: 53,120 numbers here
@pytest.mark.parametrize(("reduction", "millions"), [(2, 45.7), (4, 35.7), (8, 30.7), (16, 28.1), (32, 26.9)])
def test_the_totals_of_squeeze_and_excitation_are_those_of_its_table(source, reduction, millions):
    built = on_meta(f"{source}resnet50", at_branches("se", reduction=reduction))
    statistics = sum(buffer.numel() for name, buffer in built.named_buffers() if "running" in name)
    assert statistics == 53_120
    assert (params(built) + statistics) / 1e6 == pytest.approx(millions, abs=0.1)


# Hou et al., 2021: 3.95 M for MobileNetV2 with coordinate attention in each block that expands
def test_the_total_of_mobilenet_v2_with_coordinate_attention_is_exact(source):
    member = {"timm:": "mobilenetv2_100", "torchvision:": "mobilenet_v2"}[source]

    def inner(site):
        expanded = site.position == "inner" and site.channels == 6 * site.signal_channels
        return attention_at(site, "coordinate", reduction=32) if expanded else None

    built = on_meta(source + member, inner)
    assert (len(built.attentions), params(built)) == (16, 3_950_648)


def test_own_attention_is_named_and_stripped():
    pytest.importorskip("timm", exc_type=ImportError)
    kept = plan(Backbone(name="timm:seresnet18"), in_channels=3, classes=10)
    assert kept.own_attention == tuple(f"layer{stage}.{block}.se" for stage in (1, 2, 3, 4) for block in (0, 1))
    stripped = Backbone(name="timm:seresnet18", attention="strip")
    plain = build(stripped)
    assert all(type(plain.get_submodule(path)) is nn.Identity for path in kept.own_attention)
    assert params(plain) == params(build("timm:resnet18"))
    sites = [place.site for place in plan(stripped, in_channels=3, classes=10).places]
    assert [site.module for site in sites if site.position == "branch"] == [
        f"layer{stage}.{block}.bn2" for stage in (1, 2, 3, 4) for block in (0, 1)
    ]
