"""ResNet-20, which is built in, and torchvision's ResNet-18 with the stem that is usual for small images."""

from torch import nn
from torchvision.models import resnet18 as for_photographs  # type: ignore[import-untyped]

from nas_attn.settings import Backbone


def resnet18(in_channels: int, classes: int) -> nn.Module:
    """Its first convolution passes every pixel on, and nothing is pooled after it."""
    network: nn.Module = for_photographs(num_classes=classes)
    network.conv1, network.maxpool = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False), nn.Identity()
    return network


RESNET18 = Backbone(name=f"{__name__}:resnet18")
NETWORKS = {"ResNet-20": Backbone(name="resnet20"), "ResNet-18": RESNET18}
