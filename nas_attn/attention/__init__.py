"""Attention modules, each (B, C, H, W) -> (B, C, H, W), and the table that names them."""

from functools import cache

from torch import nn

from nas_attn.settings import is_named_object
from nas_attn.space import InputError, allowed

from .bam import BAM as BAM
from .catalogue import allowed_positions as allowed_positions
from .catalogue import describe as describe
from .catalogue import details as details
from .catalogue import keyword_options as keyword_options
from .catalogue import listing as listing
from .cbam import CBAM as CBAM
from .coordinate import CoordinateAttention as CoordinateAttention
from .eca import EfficientChannelAttention as EfficientChannelAttention
from .efficient import EfficientAttention as EfficientAttention
from .ese import EffectiveSqueezeExcitation as EffectiveSqueezeExcitation
from .gate import AttentionGate as AttentionGate
from .global_context import GlobalContext as GlobalContext
from .non_local import NonLocal as NonLocal
from .own import check_own, own_class
from .scse import ConcurrentSqueezeExcitation as ConcurrentSqueezeExcitation
from .se import SqueezeExcitation as SqueezeExcitation
from .simam import SimAM as SimAM
from .spatial import SpatialAttention as SpatialAttention
from .start import STARTS as STARTS
from .start import IdentityStart as IdentityStart
from .triplet import TripletAttention as TripletAttention

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
    "triplet": TripletAttention,
    "ese": EffectiveSqueezeExcitation,
}
"""Every kind of attention by name; called with `channels` and, by keyword, the options of the kind."""


def attention_class(kind: str) -> type[nn.Module]:
    """The class of a kind: the table's, or a user's own, which is named as `my_package.blocks:MyAttention`.

    Raises `InputError` that names the kind where there is no such class.
    """
    if is_named_object(kind):
        return own_class(kind)
    if kind not in ATTENTIONS:
        own = "or a class of your own as my_package.blocks:MyAttention"
        raise InputError(f"unknown kind {kind!r}; {allowed(kind, ATTENTIONS)}, {own}")
    return ATTENTIONS[kind]


@cache
def check_attention(kind: str) -> None:
    """See that a kind can be used, once; a user's own is built, run and exported on small maps.

    Raises `InputError` that begins with the kind of a user's own and says what was found.
    """
    if attention_class(kind) is not ATTENTIONS.get(kind):
        check_own(kind)
