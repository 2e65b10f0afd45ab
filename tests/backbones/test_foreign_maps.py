"""Networks of libraries that give maps of scores."""

import pytest
import torch

from nas_attn.assembly import build
from nas_attn.backbones import plan
from nas_attn.settings import Backbone
from nas_attn.space import InputError, parse

models = pytest.importorskip("torchvision.models")
NAMES = ["lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_mobilenet_v3_large"]


@pytest.mark.parametrize("name", NAMES)
def test_a_segmentation_network_of_torchvision_has_places_and_its_own_price(name):
    backbone = Backbone(name=f"torchvision:{name}")
    found = plan(backbone, in_channels=3, classes=5).places
    assert len({place.site.stage for place in found}) >= 4
    first = found[0].site
    with torch.device("meta"):
        alone = models.get_model(name, weights=None, weights_backbone=None, num_classes=5)
        plain = build(parse("none"), backbone, in_channels=3, classes=5)
        attended = build(parse(f"{first.name}=se(reduction=4)"), backbone, in_channels=3, classes=5)
    own = sum(one.numel() for one in alone.parameters())
    assert sum(one.numel() for one in plain.parameters()) == own
    assert sum(one.numel() for one in attended.parameters()) - own == 2 * first.channels * (first.channels // 4)


def test_auxiliary_maps_need_a_weight():
    said = {"name": "torchvision:fcn_resnet50", "arguments": {"aux_loss": True}}
    with pytest.raises(InputError, match=r"gives 2 class scores, main and auxiliary ones; .* auxiliary_weight = 0\.4"):
        plan(Backbone(**said), in_channels=3, classes=5)
    assert plan(Backbone(**said, auxiliary_weight=0.4), in_channels=3, classes=5).places
