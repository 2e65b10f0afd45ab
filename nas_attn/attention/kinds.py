"""The table of kinds, and the class that each names."""

from functools import cache

from torch import nn

from nas_attn.settings import is_named_object
from nas_attn.space import InputError, allowed

from .bam import BAM
from .cbam import CBAM
from .coordinate import CoordinateAttention
from .eca import EfficientChannelAttention
from .efficient import EfficientAttention
from .efficient_local import EfficientLocalAttention
from .ese import EffectiveSqueezeExcitation
from .gate import AttentionGate
from .gather_excite import GatherExcite
from .global_context import GlobalContext
from .multi_scale import EfficientMultiScaleAttention
from .non_local import NonLocal
from .own import check_call, check_own, own_class
from .scse import ConcurrentSqueezeExcitation
from .se import SqueezeExcitation
from .selective_kernel import SelectiveKernel
from .shuffle import ShuffleAttention
from .simam import SimAM
from .spatial import SpatialAttention
from .strip import StripPooling
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
    "multi_scale": EfficientMultiScaleAttention,
    "shuffle": ShuffleAttention,
    "gather_excite": GatherExcite,
    "efficient_local": EfficientLocalAttention,
    "strip": StripPooling,
    "selective_kernel": SelectiveKernel,
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
def check_attention(kind: str) -> tuple[str, ...]:
    """See that a kind can be used, once; one that is no built-in is built, run and exported on small maps.

    Returns what was found of it, a line each: what its parameters are taken as, and what it cannot do. Raises
    `InputError` that begins with the kind and says what was found.
    """
    return check_own(kind) if is_own(kind) else ()


@cache
def usable_class(kind: str) -> type[nn.Module]:
    """The class of a kind, whose parameters and positions are what a space file can give; nothing is run.

    Raises `InputError` that begins with the kind and says what was found.
    """
    return check_call(kind) if is_own(kind) else attention_class(kind)


def is_own(kind: str) -> bool:
    """Whether a kind is none of the table; raises `InputError` where there is no such kind."""
    return attention_class(kind) is not ATTENTIONS.get(kind)
