"""Task of a user's own training function, which is called with a network and gives what judges it."""

import inspect
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from nas_attn.assembly import build
from nas_attn.data import RngState, mixed_seed
from nas_attn.settings import Backbone, ImageFacts, OwnFunction, Settings, named_object
from nas_attn.space import Architecture, InputError
from nas_attn.training import (
    Score,
    guest,
    interrupts_reported,
    memory_faults_reported,
    networks_own,
    training_device,
)

from .logged import monitored
from .own import OwnTask
from .task import Training

_GIVEN = ("epochs", "device")


@dataclass(frozen=True)
class FunctionTask(OwnTask):
    """Training by a function `train(network, seed, *, epochs, device)`, which changes the network in place."""

    said: OwnFunction
    image: tuple[int, int, int]
    """Channels, height and width for which the space prices networks."""
    classes: int
    """Classes for which the space builds them."""

    def __post_init__(self) -> None:
        function = named_object(self.said.function)
        try:
            inspect.signature(function).bind(None, 0, **dict.fromkeys(_GIVEN), **self.said.arguments)
        except (TypeError, ValueError) as error:
            wanted = ", ".join(("network, seed, *", *_GIVEN, *self.said.arguments))
            raise InputError(f"task.function: {self.said.function} has to take ({wanted}): {error}") from None

    @property
    def facts(self) -> ImageFacts:
        """The size for which the space prices networks; classes and colours are the function's own affair."""
        return ImageFacts(*self.image, class_names=tuple(map(str, range(self.classes))), mean=(), std=())

    def made_by(self) -> dict[str, Settings]:
        """The function."""
        return {self.said.function: self.said}

    def build(self, architecture: Architecture, backbone: Backbone, seed: int) -> nn.Module:
        """The backbone with attention."""
        return build(architecture, backbone, in_channels=self.image[0], classes=self.classes, seed=seed)

    def whole(self, seed: int) -> None:
        """None: a backbone is all there is."""

    def network(self, trained: nn.Module) -> nn.Module:
        """The same."""
        return trained

    def recalibration(self, network: nn.Module, how: Training, images: int, batch_size: int) -> NoReturn:
        """Raise `InputError`: a function cannot be watched."""
        raise InputError(f"{self.said.function}: a training function shares no supernet; say 'scratch' or 'inherit'")

    def train(self, network: nn.Module, how: Training) -> Score:
        """Call the function; random states of the CPU derive from the seed, and are afterwards as they were."""
        began = time.perf_counter()
        found = self._called(network, how)
        values = monitored(found, self.said.monitor, self.said.function)
        return Score(values, math.nan, time.perf_counter() - began)

    def try_iteration(self, network: nn.Module, how: Training, images: int | None = None) -> None:
        """Two images of noise through the network, forth and back, for the function cannot be stopped after a batch."""
        with interrupts_reported(), memory_faults_reported(), guest(network, torch.device("cpu")), networks_own():
            given = tree_leaves(network.train()(torch.randn(images or 2, *self.image)))
            means = [one.float().mean() for one in given if isinstance(one, torch.Tensor)]
            torch.stack(means).sum().backward()  # type: ignore[no-untyped-call]

    def _called(self, network: nn.Module, how: Training) -> Mapping[str, Any]:
        function, device = named_object(self.said.function), training_device(how.trainer)
        draws = RngState(mixed_seed(how.seed, 0)).active()
        with interrupts_reported(), memory_faults_reported(), guest(network, device), draws, networks_own():
            network.to(device).train()
            found = function(network, how.seed, epochs=how.recipe.epochs, device=device, **self.said.arguments)
        if not isinstance(found, Mapping):
            raise InputError(
                f"{self.said.function}: gives {type(found).__name__}; allowed: a mapping such as {{'map_50': 0.31}}"
            )
        return found
