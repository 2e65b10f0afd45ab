"""What a study's networks learn: how one is made, trained and judged, whatever the task."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from nas_attn.settings import Backbone, Fingerprint, ImageFacts, Recipe
from nas_attn.space import Architecture
from nas_attn.training import OnEpoch, Score, Variants


@dataclass(frozen=True)
class Training:
    """How a network is trained, as far as that is not the user's own code's to say."""

    recipe: Recipe
    seed: int
    trainer: Mapping[str, Any] = field(default_factory=dict)
    """The `[trainer]` of a study."""
    auxiliary_weight: float | None = None
    on_epoch: OnEpoch | None = None
    checkpoint: Path | None = None
    """A file from which an interrupted training goes on."""
    variants: Variants | None = None
    """Of a supernet, what it becomes in an iteration."""
    parts: int = 1
    """How many parts of a batch pass one after the other, where the batches are not the user's own code's to make."""


class Task(Protocol):
    """What networks learn; the same for all of a study, and sent to other processes."""

    @property
    def facts(self) -> ImageFacts:
        """The images that go into a network."""

    @property
    def classes(self) -> int:
        """Class scores that a network gives; 0 where it may give anything."""

    @property
    def digest(self) -> str:
        """The SHA-256 of all that a trained network depends on beside itself, its recipe and its seed."""

    def fingerprint(self) -> Fingerprint:
        """What is remembered of the images, so that a change is noticed."""

    def reduced(self, share: float, resolution: float) -> "Task":
        """The same task of fewer and smaller images; raises `InputError` where the images are not ours to change."""

    def build(self, architecture: Architecture, backbone: Backbone, seed: int) -> nn.Module:
        """What is trained: the backbone with attention, or the whole that it is a part of; raises as `build` does."""

    def whole(self, seed: int) -> tuple[nn.Module, nn.Module] | None:
        """What is trained, without attention of ours, and the network in it; None where a backbone is all there is."""

    def network(self, trained: nn.Module) -> nn.Module:
        """The network with attention, in what `build` gave."""

    def train(self, network: nn.Module, how: Training) -> Score:
        """Train what `build` gave, in place; raises as `nas_attn.training.train` does, and leaves its checkpoint."""

    @property
    def divisible(self) -> bool:
        """Whether its batches can pass in parts."""

    def try_iteration(self, network: nn.Module, how: Training, images: int | None = None) -> float | None:
        """The loss of the first training batch, passed forth and back; None where the user's own code keeps it."""

    def recalibration(
        self, network: nn.Module, how: Training, images: int, batch_size: int
    ) -> AbstractContextManager[Callable[[], Score]]:
        """Context with a function that scores what is trained as it is at each call.

        Each call renews the statistics of batch normalisation over so many training images. Raises `InputError` where
        training is a function's.
        """

    def test(self, network: nn.Module, batch_size: int, trainer: Mapping[str, Any]) -> tuple[Mapping[str, float], int]:
        """The learnt measures on the test part, and its images; nothing where there is none."""
