"""Networks that ask what should stand at each of their sites: what holds for every one that is built in."""

import pytest
import torch
from placing import Recorder
from torch import nn

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import BACKBONES, attend, sites
from nas_attn.space import POSITIONS, Architecture, Attention, Placement

ONE_OF_EACH = ("resnet20", "mobilenetv2", "mobilenetv2_small_images", "vgg11")


def network(name, *, insert=lambda site: None, seed=0):
    torch.manual_seed(seed)
    return BACKBONES[name](in_channels=3, classes=10, insert=insert)


def sites_of(name):
    return sites(lambda insert: BACKBONES[name](in_channels=3, classes=10, insert=insert))


@pytest.mark.parametrize("name", BACKBONES)
def test_the_sites_are_those_that_a_real_build_asks_for(name):
    asked = []
    with torch.device("meta"):
        network(name, insert=asked.append)
    assert sites_of(name) == tuple(asked)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_site_is_named_by_its_block_and_position(name):
    noted = sites_of(name)
    assert len({site.name for site in noted}) == len(noted)
    for site in noted:
        assert site.name == f"{site.block}.{site.position}"
        assert site.block.split(".")[0] == site.stage
        assert site.position in POSITIONS


@pytest.mark.parametrize("name", BACKBONES)
def test_each_stage_ends_with_the_one_site_after_it(name):
    noted = sites_of(name)
    stages = list(dict.fromkeys(site.stage for site in noted))
    assert stages == [f"stage{number}" for number in range(1, len(stages) + 1)]
    for stage in stages:
        positions = [site.position for site in noted if site.stage == stage]
        assert positions.count("stage") == 1
        assert positions[-1] == "stage"
        of_stage = [site.block for site in noted if site.stage == stage]
        assert list(dict.fromkeys(of_stage)) == [f"{stage}.block{n}" for n in range(len(set(of_stage)))]


@pytest.mark.parametrize("name", BACKBONES)
def test_noting_the_sites_draws_no_random_number(name):
    before = torch.get_rng_state()
    sites_of(name)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("size", [(32, 32), (45, 70)])
def test_a_site_sees_the_channels_that_it_names_once_and_its_signal_those_of_the_signal(name, size):
    recorders = {}
    network(name, insert=lambda site: recorders.setdefault(site, Recorder())).eval()(torch.randn(2, 3, *size))
    assert tuple(recorders) == sites_of(name)
    for site, recorder in recorders.items():
        [(features, signal)] = recorder.shapes
        assert features[:2] == (2, site.channels)
        assert signal[:2] == (2, site.signal_channels or site.channels)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_what_changes_nothing_leaves_the_scores_as_they_are(name):
    images = torch.randn(2, 3, 41, 36)
    plain = network(name).eval()
    for insert in (lambda site: nn.Identity(), lambda site: Recorder() if site.position == "stage" else None):
        assert torch.equal(network(name, insert=insert).eval()(images), plain(images))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_initial_weights_do_not_depend_on_what_stands_where(name):
    placed = tuple(Placement(site.name, Attention("se")) for site in sites_of(name))
    plain = build(Architecture(), name, in_channels=3, classes=10)
    attended = build(Architecture(placed), name, in_channels=3, classes=10)
    weights = attended.state_dict()
    assert all(torch.equal(weights[key], tensor) for key, tensor in plain.state_dict().items())
    missing, unexpected = attended.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    names = {key.split("_attention.")[0] for key in missing}
    assert names == {placement.site.replace(".block", ".", 1) for placement in placed}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_images_of_any_number_of_channels_become_scores(name):
    for in_channels in (1, 4):
        model = BACKBONES[name](in_channels=in_channels, classes=7, insert=lambda site: None).eval()
        scores = model(torch.randn(3, in_channels, 33, 64))
        assert scores.shape == (3, 7)
        assert scores.isfinite().all()


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_scores_of_an_image_do_not_depend_on_its_batch(name):
    model, images = network(name).eval(), torch.randn(3, 3, 39, 36)
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_gate_learns_from_the_signal_wherever_it_may_stand(name):
    gate = ATTENTIONS["gate"]
    placed = [site for site in sites_of(name) if site.position in gate.positions]
    architecture = Architecture(tuple(Placement(site.name, Attention("gate")) for site in placed))
    model = build(architecture, name, in_channels=3, classes=10)
    model(torch.randn(4, 3, 40, 33)).square().sum().backward()
    gates = [module for module in model.modules() if isinstance(module, gate)]
    assert len(gates) == len(placed)
    assert all(parameter.grad.abs().sum() > 0 for module in gates for parameter in module.psi[1].parameters())
    assert all(module.from_signal[0].weight.grad.abs().sum() > 0 for module in gates)


def test_only_a_gated_attention_is_given_the_signal():
    features, signal = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    assert attend(None, features, signal) is features
    assert attend(nn.Identity(), features, signal) is features
    recorder = Recorder()
    attend(recorder, features, signal)
    assert recorder.shapes == [((2, 4, 3, 3), (2, 4, 3, 3))]
