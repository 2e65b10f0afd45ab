"""Attention in a network that does not ask for it: called by hooks, and kept in one place of the network.

The classes, the control flow and the state dict of the network stay as they are; the attentions are added as
`attentions.*`. This file needs torch alone, so that it can be copied.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Point(NamedTuple):
    """Where an attention is attached to a network."""

    name: str
    """Of the site, such as `stage1.block0.branch`."""
    module: str
    """Path of the module whose output it weighs; with a `<` before it, whose first input."""
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

    def __init__(self) -> None:
        self.features: Tensor | None = None

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.features = inputs[0]


class _Release:
    """Forgets a gating signal when its module has run, or failed."""

    def __init__(self, signal: _Signal) -> None:
        self.signal = signal

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.signal.features = None


class _Attend:
    """Calls an attention on what a module gives."""

    def __init__(self, attention: nn.Module, signal: _Signal | None) -> None:
        self.attention, self.signal = attention, signal

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self.attend(output)

    def attend(self, features: Tensor) -> Tensor:
        """The features, weighed; a gated attention gets the gating signal too.

        While it learns a copy of them, for the network may write in place on what the way back has to read.
        """
        signal = features if self.signal is None else self.signal.features
        gated = getattr(self.attention, "gated", False)
        weighed: Tensor = self.attention(features, signal) if gated else self.attention(features)
        return weighed.clone() if weighed.requires_grad and not torch.compiler.is_exporting() else weighed


class _AttendBefore(_Attend):
    """Calls an attention on what a module takes first."""

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # type: ignore[override]
        return (self.attend(inputs[0]), *inputs[1:])


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
        signal = None
        if point.signal and getattr(attention, "gated", False):
            signal = signals.setdefault(point.signal, _Signal())
        if point.module.startswith("<"):
            modules[point.module[1:]].register_forward_pre_hook(_AttendBefore(attention, signal))
        else:
            modules[point.module].register_forward_hook(_Attend(attention, signal))
    for path, signal in signals.items():
        modules[path].register_forward_pre_hook(signal)
        modules[path].register_forward_hook(_Release(signal), always_call=True)
    network.add_module("attentions", holder)
    return network
