"""An architecture becomes a network: the right modules at the right sites, with weights that can be compared."""

import random
from pathlib import Path

import pytest
import torch
from thoroughness import THOROUGH

from nas_attn.assembly import build, load_space
from nas_attn.attention import ATTENTIONS, IdentityStart
from nas_attn.backbones import BACKBONES, sites
from nas_attn.space import Architecture, Attention, InputError, Placement, parse

FILES = sorted(Path(__file__).parents[2].joinpath("search_spaces").glob("*.toml"))
BARE = Architecture()
WITH_WEIGHTS = [kind for kind, attention in ATTENTIONS.items() if attention(64).state_dict()]
POSITIONS = ("pre", "inner", "branch", "identity", "block")
DRAWN = 20 if THOROUGH else 5


def network(text, *, seed=0, backbone="resnet8", in_channels=3, classes=10):
    return build(parse(text), backbone, in_channels=in_channels, classes=classes, seed=seed)


def everywhere(kind, position, stages=(1, 2, 3)):
    return " ".join(f"stage{stage}.block0.{position}={kind}" for stage in stages)


def is_attention(name):
    return "_attention." in name


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("position", POSITIONS)
def test_the_weights_of_the_backbone_are_those_of_the_plain_backbone(kind, position):
    plain = network("none", seed=5).state_dict()
    attended = network(everywhere(kind, position), seed=5).state_dict()
    assert any(is_attention(name) for name in attended) == (kind in WITH_WEIGHTS)
    assert_same_weights({name: value for name, value in attended.items() if not is_attention(name)}, plain)


def test_other_seeds_give_other_weights():
    one, other = (network(everywhere("se", "branch"), seed=seed).state_dict() for seed in (0, 1))
    differing = {name for name in one if not torch.equal(one[name], other[name])}
    # normalisations begin with ones and zeros, whatever the seed
    assert differing == {name for name, value in one.items() if value.ndim >= 2} | {"head.bias"}


@pytest.mark.parametrize("kind", WITH_WEIGHTS)
def test_the_weights_of_an_attention_depend_on_the_seed_and_its_site_alone(kind):
    alone = f"stage2.block0.branch={kind}"
    crowd = f"stage1.block0.branch=cbam {alone} stage2.block0.block=gate stage3.block0.branch={kind}"

    def weights(text, seed=0, at="stage2.0.branch_attention."):
        state = network(text, seed=seed).state_dict()
        return {name: value for name, value in state.items() if name.startswith(at)}

    assert weights(alone)
    assert_same_weights(weights(alone), weights(crowd))
    drawn = {name for name, value in weights(alone).items() if value.ndim >= 2 and len(value.unique()) > 1}
    other_seed = weights(alone, seed=1)
    assert all(not torch.equal(weights(alone)[name], other_seed[name]) for name in drawn)
    block = weights(f"stage2.block0.block={kind}", at="stage2.0.block_attention.")
    assert all(
        not torch.equal(weights(alone)[name], block[name.replace("branch_attention", "block_attention")])
        for name in drawn
    )


def test_two_calls_build_the_same_network():
    text = "stage1.block0.branch=cbam(kernel_size=3,reduction=4) stage3.block0.block=non_local(subsample=true)"
    assert_same_weights(network(text).state_dict(), network(text).state_dict())


def test_the_global_random_state_is_left_as_it_was():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    network(everywhere("cbam", "branch"))
    with pytest.raises(InputError):
        network("stage1.block0.branch=see")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_random_state_changes_nothing():
    torch.manual_seed(1)
    one = network(everywhere("cbam", "branch")).state_dict()
    torch.manual_seed(2)
    assert_same_weights(one, network(everywhere("cbam", "branch")).state_dict())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stage4.block0.branch=se", "stage4.block0.branch: resnet8 has no such site; did you mean"),
        ("stage1.block1.branch=se", "stage1.block1.branch: resnet8 has no such site"),
        ("stage1=se", "stage1: resnet8 has no such site"),
        ("stage1.block0.branch=see", "stage1.block0.branch: unknown kind 'see'; did you mean 'se'? allowed: se, cbam"),
        (
            "stage1.block0.branch=se(reductoin=4)",
            "stage1.block0.branch: se(reductoin=4): unknown option 'reductoin'; did you mean 'reduction'?"
            " allowed: reduction, bias",
        ),
        ("stage1.block0.branch=se(channels=4)", "unknown option 'channels'; allowed: reduction, bias"),
        (
            "stage1.block0.branch=se(reduction=0)",
            "se(reduction=0): reduction: found 0; allowed: an integer of at least",
        ),
        ("stage1.block0.branch=se(reduction=4.0)", "reduction: found 4.0; allowed: an integer"),
        ("stage1.block0.branch=se(bias=1)", "bias: found 1; allowed: true or false"),
        (
            "stage3.block0.block=spatial(kernel_size=4)",
            "stage3.block0.block: spatial(kernel_size=4): kernel_size: found 4",
        ),
    ],
)
def test_what_cannot_be_built_is_told(text, told):
    with pytest.raises(InputError) as refused:
        network(text)
    assert told in str(refused.value)
    assert str(refused.value).startswith(text.split("=")[0])


def test_an_unknown_backbone_is_told():
    with pytest.raises(InputError, match=r"^unknown backbone 'resnet21'; did you mean 'resnet\d+'\? allowed: resnet8"):
        network("none", backbone="resnet21")


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("position", POSITIONS)
def test_every_kind_passes_features_at_both_positions(kind, position):
    model = network(everywhere(kind, position), in_channels=1, classes=4)
    placed = {name: type(module) for name, module in model.named_modules() if name.endswith("_attention")}
    assert placed == {f"stage{stage}.0.{position}_attention": ATTENTIONS[kind] for stage in (1, 2, 3)}
    scores = model(torch.randn(2, 1, 9, 6))
    assert scores.shape == (2, 4)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_an_option_reaches_the_module():
    model = network("stage3.block0.branch=cbam(kernel_size=3,reduction=8)")
    attention = model.stage3[0].branch_attention
    assert attention.conv.kernel_size == (3, 3)
    assert attention.mlp[0].weight.shape == (64 // 8, 64)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_gate_is_given_the_shortcut_as_its_gating_signal(position, stage):
    model = network(f"stage{stage}.block0.{position}=gate").eval()
    block = model.get_submodule(f"stage{stage}.0")
    seen = {}
    block.register_forward_pre_hook(lambda _, inputs: seen.update(block=inputs[0]))
    gate = block.get_submodule(f"{position}_attention")
    gate.register_forward_pre_hook(lambda _, inputs: seen.update(features=inputs[0], signal=inputs[1]))
    with torch.inference_mode():
        model(torch.randn(2, 3, 9, 6))
        inner = torch.relu(block.norm1(block.conv1(seen["block"])))
        branch = block.norm2(block.conv2(inner))
    stride, channels = block.conv1.stride[0], block.conv1.in_channels
    shortcut = torch.zeros_like(branch)
    shortcut[:, :channels] = seen["block"][:, :, ::stride, ::stride]
    features = {
        "pre": seen["block"],
        "inner": inner,
        "branch": branch,
        "identity": shortcut,
        "block": torch.relu(branch + shortcut),
    }
    # nothing but the block's input is there yet before its branch
    signal = seen["block"] if position == "pre" else shortcut
    torch.testing.assert_close(seen["signal"], signal, rtol=0, atol=0)
    torch.testing.assert_close(seen["features"], features[position])


def test_there_are_files():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_architecture_of_a_file_is_built_as_it_says(path):
    file, space = load_space(path)
    rng = random.Random(0)
    drawn = [*space.baselines(), *(space.sample(rng) for _ in range(DRAWN))]
    for architecture in drawn:
        with torch.device("meta"):
            model = build(architecture, file.backbone, in_channels=file.image[0], classes=file.classes)
        standing = {name: module for name, module in model.named_modules() if name.endswith("_attention")}
        placed = {
            name: type(module.attention if isinstance(module, IdentityStart) else module)
            for name, module in standing.items()
        }
        assert placed == {
            f"{p.site.replace('.block', '.', 1)}_attention": ATTENTIONS[p.attention.kind]
            for p in architecture.placements
        }
    model = build(drawn[-1], file.backbone, in_channels=file.image[0], classes=file.classes).eval()
    with torch.inference_mode():
        scores = model(torch.randn(2, *file.image))
    assert scores.shape == (2, file.classes)
    assert scores.isfinite().all()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_can_be_attended_at_its_first_and_last_site(backbone):
    asked = sites(lambda insert: BACKBONES[backbone](in_channels=3, classes=10, insert=insert))
    with torch.device("meta"):
        model = network(f"{asked[0].name}=se {asked[-1].name}=se", backbone=backbone)
    assert sum(isinstance(module, ATTENTIONS["se"]) for module in model.modules()) == 2


def test_a_site_of_a_placement_is_used_once():
    placement = Placement("stage1.block0.branch", Attention("se"))
    with torch.device("meta"):
        model = build(Architecture((placement,)), "resnet20", in_channels=3, classes=10)
    assert [name for name, module in model.named_modules() if isinstance(module, ATTENTIONS["se"])] == [
        "stage1.0.branch_attention"
    ]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_identity_start_leaves_the_output_of_the_plain_backbone_exactly_as_it_was(kind, position):
    plain = network("none").eval()
    attended = network(everywhere(f"{kind}(start=identity)", position)).eval()
    assert sum(name.endswith("gamma") for name, _ in attended.named_parameters()) == 3
    missing, unexpected = attended.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(is_attention(name) for name in missing)
    images = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(attended(images), plain(images))


def test_an_unknown_start_is_told():
    with pytest.raises(InputError, match=r"start: found 'zero'; .*allowed: paper, identity"):
        network("stage1.block0.branch=se(start=zero)")


def test_a_network_has_the_trained_weights_that_its_backbone_names(tmp_path, caplog):
    trained = network("none", seed=3)
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    backbone = {"name": "resnet8", "weights": str(tmp_path / "trained.pt")}
    attended = network(everywhere("se(start=identity)", "branch"), backbone=backbone, seed=0)
    own = {name: value for name, value in attended.state_dict().items() if not is_attention(name)}
    assert_same_weights(own, trained.state_dict())
    assert not caplog.records
    images = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        assert torch.equal(attended.eval()(images), trained.eval()(images))

    other = network("none", backbone=backbone, classes=4, seed=0).state_dict()
    assert_same_weights(
        {name: value for name, value in other.items() if not name.startswith("head")},
        {name: value for name, value in own.items() if not name.startswith("head")},
    )
    assert torch.equal(other["head.weight"], network("none", classes=4, seed=0).state_dict()["head.weight"])
    assert "resnet8: head.weight, head.bias keep their initial weights" in caplog.text


def test_weights_are_not_read_where_none_can_be_kept():
    with torch.device("meta"):
        network("none", backbone={"name": "resnet8", "weights": "nowhere.pt"})
    with pytest.raises(InputError, match=r"nowhere\.pt"):
        network("none", backbone={"name": "resnet8", "weights": "nowhere.pt"})


OWN_GATE = """
from torch import nn


class Gate(nn.Module):
    gated = True

    def __init__(self, channels, signal_channels, *, bias: bool = True):
        super().__init__()
        self.weigh = nn.Conv2d(signal_channels, channels, 1, bias=bias)

    def forward(self, features, gating_signal):
        return features * self.weigh(gating_signal).sigmoid().mean((2, 3), keepdim=True)
"""


@pytest.mark.parametrize(("backbone", "site"), [("resnet8", "stage2.block0.branch"), ("vgg11", "stage1.block0.block")])
def test_a_users_own_gate_is_told_how_many_channels_its_signal_has(tmp_path, monkeypatch, backbone, site):
    (tmp_path / "own_gates.py").write_text(OWN_GATE)
    monkeypatch.syspath_prepend(tmp_path)
    built = network(f"{site}=own_gates:Gate", backbone=backbone)
    assert built.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 10)
