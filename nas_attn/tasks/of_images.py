"""Tasks whose images are read, and whose networks are trained, by this package."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from nas_attn.assembly import build
from nas_attn.data import ImageData, fingerprint, reduced
from nas_attn.settings import Backbone, Fingerprint, ImageFacts
from nas_attn.space import Architecture
from nas_attn.training import Score, recalibration, score, train, training_device, try_iteration

from .task import Training


@dataclass(frozen=True, eq=False)
class ImageTask:
    """Images and their labels, as the recipe trains on them."""

    data: ImageData
    first: int = 0
    """The study's first seed, from which on folds validate in turn."""

    def of_seed(self, seed: int) -> ImageData:
        """The images of the trainings with this seed."""
        return self.data.of_fold((seed - self.first) % max(1, len(self.data.folds)))

    @property
    def facts(self) -> ImageFacts:
        """Image size, task, classes and channel statistics."""
        return self.data.facts

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.data.classes

    @property
    def digest(self) -> str:
        """The SHA-256 of train and validation part."""
        return self.data.digest

    def fingerprint(self) -> Fingerprint:
        """Of all parts."""
        return fingerprint(self.data)

    def reduced(self, share: float, resolution: float) -> "ImageTask":
        """The same task of fewer and smaller images; raises `InputError` for a user's data module."""
        return replace(self, data=reduced(self.data, share, resolution))

    def build(self, architecture: Architecture, backbone: Backbone, seed: int) -> nn.Module:
        """The backbone with attention."""
        return build(architecture, backbone, in_channels=self.data.image[0], classes=self.classes, seed=seed)

    def whole(self, seed: int) -> None:
        """None: a backbone is all there is."""

    def network(self, trained: nn.Module) -> nn.Module:
        """The same."""
        return trained

    def train(self, network: nn.Module, how: Training) -> Score:
        """Train a network in place."""
        return train(
            network,
            self.of_seed(how.seed),
            how.recipe,
            how.seed,
            how.on_epoch,
            variants=how.variants,
            auxiliary_weight=how.auxiliary_weight,
            checkpoint=how.checkpoint,
            trainer=how.trainer,
            parts=how.parts,
        )

    @property
    def divisible(self) -> bool:
        """True: its batches are made here."""
        return True

    def try_iteration(self, network: nn.Module, how: Training, images: int | None = None) -> float:
        """The loss of the first training batch, or of so many images of it."""
        weight, trainer = how.auxiliary_weight, how.trainer
        options = (network, self.of_seed(how.seed), how.recipe, how.seed)
        return try_iteration(*options, images=images, auxiliary_weight=weight, trainer=trainer)

    def recalibration(
        self, network: nn.Module, how: Training, images: int, batch_size: int
    ) -> AbstractContextManager[Callable[[], Score]]:
        """Context with a function that scores a network with renewed statistics."""
        device = training_device(how.trainer)
        return recalibration(network, self.of_seed(how.seed), images, batch_size, how.seed, device)

    def test(self, network: nn.Module, batch_size: int, trainer: Mapping[str, Any]) -> tuple[Mapping[str, float], int]:
        """The learnt measures on the test part, and its images."""
        part = self.data.test
        return score(network, part, self.data, batch_size, trainer=trainer), len(part)
