"""Attention in a network that does not ask for it: called by hooks, and kept in one place of the network.

The classes, the control flow and the state dict of the network stay as they are; the attentions are added as
`attentions.*`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .insertion import attend


class Point(NamedTuple):
    """Where an attention is attached to a network."""

    name: str  # of the site, such as `stage1.block0.branch`
    module: str  # path of the module whose output it weighs; with a `<` before it, whose first input
    signal: str = ""
    """Path of the module around it whose first input is the gating signal; without one, the features are."""


class Attentions(nn.ModuleDict):
    """The attentions of a network, by the names of their sites; as a layer it changes nothing.

    A network that calls all its children in turn, such as `nn.Sequential`, calls this one too.
    """

    def forward(self, features: Tensor) -> Tensor:
        """The features as they are."""
        return features


class _Signal:
    """The gating signal of a module, known while the module runs."""

    features: Tensor | None = None

    def keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.features = inputs[0]

    def forget(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.features = None


class _Attached:
    """An attention as the hooks of a module."""

    def __init__(self, attention: nn.Module, signal: _Signal | None) -> None:
        self.attention, self.signal = attention, signal

    def before(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.weighed(inputs[0]), *inputs[1:])

    def after(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self.weighed(output)

    def weighed(self, features: Tensor) -> Tensor:
        """The features, weighed; while it learns a copy, for the network may write in place what the way back reads."""
        signal = features if self.signal is None or self.signal.features is None else self.signal.features
        weighed = attend(self.attention, features, signal)
        exporting = getattr(
            torch.compiler, "is_exporting", torch.compiler.is_compiling
        )  # torch 2.6 has only the latter
        return weighed.clone() if weighed.requires_grad and not exporting() else weighed


def attach(network: nn.Module, attached: Iterable[tuple[Point, nn.Module]]) -> nn.Module:
    """Attach attentions to a network, which is changed and returned; without any it stays as it is.

    The network can be trained, copied, pickled, compiled and exported like any other, and holds no feature map after
    a pass. Raises `ValueError` where it has something named `attentions` already.
    """
    attached = list(attached)
    if not attached:
        return network
    if hasattr(network, "attentions"):
        raise ValueError("the network has something named `attentions`, where its attentions are to be kept")
    modules = dict(network.named_modules())
    signals: dict[str, _Signal] = {}
    holder = Attentions()
    for point, attention in attached:
        holder[point.name.replace(".", "_")] = attention
        gated = point.signal and getattr(attention, "gated", False)
        hooks = _Attached(attention, signals.setdefault(point.signal, _Signal()) if gated else None)
        if point.module.startswith("<"):
            modules[point.module[1:]].register_forward_pre_hook(hooks.before)
        else:
            modules[point.module].register_forward_hook(hooks.after)
    for path, signal in signals.items():
        modules[path].register_forward_pre_hook(signal.keep)
        modules[path].register_forward_hook(signal.forget, always_call=True)
    network.add_module("attentions", holder)
    return network
