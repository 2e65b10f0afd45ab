"""Stub until merge."""

from torch import nn

from nas_attn.space import POSITIONS, InputError, allowed


def attention_class(kind: str) -> type[nn.Module]:
    from . import ATTENTIONS

    if kind not in ATTENTIONS:
        raise InputError(f"unknown kind {kind!r}; {allowed(kind, ATTENTIONS)}")
    return ATTENTIONS[kind]


def check_attention(kind: str) -> type[nn.Module]:
    return attention_class(kind)


def allowed_positions(attention: type[nn.Module]) -> tuple[str, ...]:
    stub = {"CoordinateAttention": ("inner", "branch", "pre", "identity", "block", "stage"), "AttentionGate": ("branch", "inner", "block"),
        "NonLocal": ("block", "stage", "branch"), "EfficientAttention": ("block", "stage", "branch"), "BAM": ("stage", "block")}
    return stub.get(attention.__name__, POSITIONS)
