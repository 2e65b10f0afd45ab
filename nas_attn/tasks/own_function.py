"""Task of a user's own training function, which is called with a network and gives what judges it."""

import hashlib
import inspect
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from nas_attn.assembly import build
from nas_attn.data import RngState, mixed_seed
from nas_attn.settings import Backbone, Fingerprint, ImageFacts, OwnFunction, named_object
from nas_attn.space import Architecture, InputError
from nas_attn.training import (
    Score,
    guest,
    interrupts_reported,
    memory_faults_reported,
    networks_own,
    training_device,
)

from .code import code_digest
from .logged import monitored
from .task import Training

_GIVEN = ("epochs", "device")


@dataclass(frozen=True)
class FunctionTask:
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

    @property
    def digest(self) -> str:
        """Of the file of the function, and its arguments."""
        made_by = (self.said.model_dump(), code_digest(self.said.function))
        return hashlib.sha256(repr(made_by).encode()).hexdigest()

    def fingerprint(self) -> Fingerprint:
        """Nothing: the images are the function's own affair."""
        return Fingerprint({}, 0, (), "")

    def reduced(self, share: float, resolution: float) -> "FunctionTask":
        """The same task; raises `InputError` where it is to have fewer or smaller images."""
        if share == resolution == 1:
            return self
        raise InputError("data_share and resolution: found one of them with a task of the user's own; leave it out")

    def build(self, architecture: Architecture, backbone: Backbone, seed: int) -> nn.Module:
        """The backbone with attention."""
        return build(architecture, backbone, in_channels=self.image[0], classes=self.classes, seed=seed)

    def network(self, trained: nn.Module) -> nn.Module:
        """The same."""
        return trained

    def train(self, network: nn.Module, how: Training) -> Score:
        """Call the function; random states of the CPU derive from the seed, and are afterwards as they were."""
        began = time.perf_counter()
        found = self._called(network, how)
        values = monitored(found, self.said.monitor, self.said.function)
        return Score(values, math.nan, time.perf_counter() - began)

    def try_iteration(self, network: nn.Module, how: Training, images: int | None = None) -> float:
        """NaN: the function cannot be stopped after a batch."""
        return math.nan

    def test(self, network: nn.Module, batch_size: int, trainer: Mapping[str, Any]) -> tuple[Mapping[str, float], int]:
        """Nothing: the function says nothing of a test part."""
        return {}, 0

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
