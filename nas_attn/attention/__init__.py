"""Attention modules, each (B, C, H, W) -> (B, C, H, W), and the table that names them."""

from functools import cache

from torch import nn

from nas_attn.settings import is_named_object
from nas_attn.space import InputError, allowed

from .bam import BAM
from .catalogue import allowed_positions, describe, details, keyword_options, listing
from .cbam import CBAM
from .coordinate import CoordinateAttention
from .eca import EfficientChannelAttention
from .efficient import EfficientAttention
from .ese import EffectiveSqueezeExcitation
from .gate import AttentionGate
from .global_context import GlobalContext
from .non_local import NonLocal
from .own import check_own, own_class
from .scse import ConcurrentSqueezeExcitation
from .se import SqueezeExcitation
from .simam import SimAM
from .spatial import SpatialAttention
from .start import STARTS, IdentityStart
from .triplet import TripletAttention

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
