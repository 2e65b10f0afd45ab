"""Every kind, in every position that it allows, on every built-in network: counted, trained for a step, exported.

A network holds as many kinds as it has sites for, so a few networks see every kind in every position. The networks of
one class differ in their depth alone; all of them are gone through, and exported, where NAS_ATTN_THOROUGH is set. An
export takes ten times as long as all else, so that otherwise none is here, but every kind in `tests/export`.
"""

from functools import cache

import pytest
import torch
from made_up import evaluation
from thoroughness import THOROUGH, thorough
from torch import nn

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS, allowed_positions
from nas_attn.backbones import BACKBONES, sites
from nas_attn.cost import count
from nas_attn.export import Winner, export
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import Architecture, Attention, Placement

NETWORKS = list(BACKBONES) if THOROUGH else ["resnet8", "mobilenetv2_small_images", "vgg11"]
IMAGE = (3, 35, 37)  # odd sides, so that no stride divides them


@cache
def asked(backbone):
    return sites(lambda insert: BACKBONES[backbone](in_channels=3, classes=3, insert=insert))


def wanted(backbone):
    """Every kind with every position that it allows and the network has."""
    here = {site.position for site in asked(backbone)}
    return {
        (kind, position)
        for kind, attention in ATTENTIONS.items()
        for position in allowed_positions(attention)
        if position in here
    }


@cache
def architectures(backbone):
    """A few architectures in which every kind stands in every position that it allows and the network has."""
    left, found = sorted(wanted(backbone)), []
    while left:
        placed = []
        for site in asked(backbone):
            pair = next((pair for pair in left if pair[1] == site.position), None)
            if pair is not None:
                left.remove(pair)
                placed.append(Placement(site.name, Attention(pair[0])))
        found.append(Architecture(tuple(placed)))
    return found


CASES = [(backbone, number) for backbone in NETWORKS for number, _ in enumerate(architectures(backbone))]


@pytest.mark.parametrize("backbone", NETWORKS)
def test_every_kind_stands_in_every_position_that_it_allows(backbone):
    position = {site.name: site.position for site in asked(backbone)}
    standing = {
        (placement.attention.kind, position[placement.site])
        for architecture in architectures(backbone)
        for placement in architecture.placements
    }
    assert standing == wanted(backbone)
    assert {kind for kind, _ in standing} == set(ATTENTIONS)


@pytest.mark.parametrize(("backbone", "number"), CASES)
def test_a_network_with_them_is_counted_and_trained(backbone, number):
    network = build(architectures(backbone)[number], backbone, in_channels=3, classes=3, seed=number)
    assert count(network, IMAGE).params == sum(parameter.numel() for parameter in network.parameters())

    images = torch.randn(4, *IMAGE, generator=torch.Generator().manual_seed(number))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    loss = nn.functional.cross_entropy(network.train()(images), torch.tensor([0, 1, 2, 0]))
    loss.backward()
    assert loss.isfinite()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    optimizer.step()


@thorough
@pytest.mark.parametrize(("backbone", "number"), CASES)
def test_a_network_with_them_is_exported(backbone, number, tmp_path, forked_proofs):
    architecture = architectures(backbone)[number]
    network = build(architecture, backbone, in_channels=3, classes=3, seed=number)
    winner = Winner(
        network=network,
        backbone=Backbone(name=backbone),
        row=evaluation(str(architecture), accuracy=0.5, loss=1.0, state="complete"),
        facts=ImageFacts(*IMAGE, ("cat", "dog", "owl"), (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)),
        study={},
        tested={"accuracy": 0.5},
        test_images=3,
    )
    # the proof loads the module and the program without this package, and compares their outputs
    assert export(winner, tmp_path / "out") == []
    assert (tmp_path / "out" / "model.pt2").is_file()
