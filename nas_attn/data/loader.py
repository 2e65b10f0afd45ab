"""A part of the data that a loader of the user's own makes, batch by batch."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .host import Host, Stage


@dataclass(frozen=True, slots=True, eq=False)
class LoaderPart:
    """Labelled images of a user's loader, whose order, batch size, augmentation and workers are its own."""

    host: Host
    """The data module to which the loader belongs."""
    judges: Stage
    """What a trainer does that looks at these images without training on them."""
    make: Callable[[], Iterable[Any]]
    """Makes the loader; after the module's hooks images are (B, C, H, W), uint8 or floating, labels (B,) of a whole
    type."""
    count: int
    """Images of its data set, or, where that does not tell, in one pass."""
    batches: int
    """Batches in one pass."""
    image: tuple[int, int, int]
    """Channels, height and width of every image."""
    digest: str
    """The SHA-256 of what makes the images."""
    device: torch.device
    """Where batches come out."""

    def __len__(self) -> int:
        return self.count

    def to(self, device: torch.device) -> "LoaderPart":
        """The same part, with batches that come out on a device."""
        return replace(self, device=device)


@dataclass(frozen=True, slots=True, eq=False)
class LoaderBatches:
    """One pass over a loader that is made for it, under chance of its own that a seed fixes.

    Every batch goes through the module's hooks, which know whether it is trained on by their trainer.
    """

    part: LoaderPart
    seed: int
    stage: Stage

    def __len__(self) -> int:
        return self.part.batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        chance, host, device = Chance(self.seed), self.part.host, self.part.device
        with chance.taken(), host.at(self.stage, device):
            loader = self.part.make()
            _seed_generators(loader, self.seed)
            batches = iter(loader)
        while True:
            with chance.taken(), host.at(self.stage, device):
                batch = next(batches, None)
                if batch is None:
                    return
                images, labels = (tensor.to(device, non_blocking=True) for tensor in host.moved(batch, device))
            yield images, labels.long()


class Chance:
    """Chance of the CPU (torch's, NumPy's and Python's) that goes on by itself, whatever others draw in between."""

    def __init__(self, seed: int) -> None:
        outside = _state()
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        self._inside = _state()
        _restore(outside)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within it the program's chance is this one; after it, as it was before."""
        outside = _state()
        _restore(self._inside)
        try:
            yield
        finally:
            self._inside = _state()
            _restore(outside)


def _state() -> tuple[Any, Any, Tensor]:
    return random.getstate(), np.random.get_state(), torch.random.get_rng_state()


def _restore(state: tuple[Any, Any, Tensor]) -> None:
    python, numpy, torchs = state
    random.setstate(python)
    np.random.set_state(numpy)
    torch.random.set_rng_state(torchs)


def _seed_generators(loader: object, seed: int) -> None:
    """Seed what a loader draws from where that is not the program's chance."""
    for owner in (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
        if isinstance(generator := getattr(owner, "generator", None), torch.Generator):
            generator.manual_seed(seed)
