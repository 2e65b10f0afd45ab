"""Attentions: modules that weigh a feature map, (B, C, H, W) -> (B, C, H, W), and the table that names them."""

from torch import nn

from .cbam import CBAM
from .coordinate import CoordinateAttention
from .gate import AttentionGate
from .non_local import NonLocal
from .se import SqueezeExcitation
from .spatial import SpatialAttention

ATTENTIONS: dict[str, type[nn.Module]] = {
    "se": SqueezeExcitation,
    "cbam": CBAM,
    "coordinate": CoordinateAttention,
    "non_local": NonLocal,
    "gate": AttentionGate,
    "spatial": SpatialAttention,
}
"""Every kind of attention by name; called with `channels` and, by keyword, the options of the kind."""

__all__ = [
    "ATTENTIONS",
    "AttentionGate",
    "CBAM",
    "CoordinateAttention",
    "NonLocal",
    "SpatialAttention",
    "SqueezeExcitation",
]
