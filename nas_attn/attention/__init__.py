"""Attentions: modules that weigh a feature map, (B, C, H, W) -> (B, C, H, W), and the table that names them."""

from torch import nn

from .bam import BAM
from .catalogue import Description, describe
from .cbam import CBAM
from .coordinate import CoordinateAttention
from .eca import EfficientChannelAttention
from .efficient import EfficientAttention
from .gate import AttentionGate
from .global_context import GlobalContext
from .non_local import NonLocal
from .own import allowed_positions, attention_class, check_attention
from .scse import ConcurrentSqueezeExcitation
from .se import SqueezeExcitation
from .simam import SimAM
from .spatial import SpatialAttention
from .start import STARTS, IdentityStart

ATTENTIONS: dict[str, type[nn.Module]] = {
    "se": SqueezeExcitation,
    "cbam": CBAM,
    "coordinate": CoordinateAttention,
    "non_local": NonLocal,
    "efficient": EfficientAttention,
    "gate": AttentionGate,
    "spatial": SpatialAttention,
    "eca": EfficientChannelAttention,
    "global_context": GlobalContext,
    "simam": SimAM,
    "scse": ConcurrentSqueezeExcitation,
    "bam": BAM,
}
"""Every kind of attention by name; called with `channels` and, by keyword, the options of the kind."""

__all__ = [
    "ATTENTIONS",
    "allowed_positions",
    "attention_class",
    "check_attention",
    "describe",
    "Description",
    "STARTS",
    "IdentityStart",
    "AttentionGate",
    "BAM",
    "CBAM",
    "ConcurrentSqueezeExcitation",
    "CoordinateAttention",
    "EfficientAttention",
    "EfficientChannelAttention",
    "GlobalContext",
    "NonLocal",
    "SimAM",
    "SpatialAttention",
    "SqueezeExcitation",
]
