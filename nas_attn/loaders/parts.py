"""Parts of the data that a user's own loader makes, batch by batch."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.random import mtrand
from torch import Tensor

from nas_attn.settings import VOID, BuiltIn
from nas_attn.space import InputError

from .host import Host, Stage
from .user_batches import hard, one_loader, pair

_States = tuple[Any, np.random.BitGenerator, Tensor]
"""Of Python, NumPy and torch."""


@dataclass(frozen=True, slots=True, eq=False)
class LoaderPart:
    """Labelled images of a user's loader, whose order, batch size, augmentation and workers are its own."""

    host: Host
    """The data module to which the loader belongs."""
    stage: Stage
    """The stage of a trainer in which these images are scored."""
    make: Callable[[], Iterable[Any]]
    """Makes the loader; after the module's hooks images are (B, C, H, W), uint8 or floating, labels as `pair` says."""
    count: int
    """Images of its data set, or, where that has no length, in one pass."""
    batches: int
    """Batches in one pass."""
    image: tuple[int, int, int]
    """Channels, height and width of every image."""
    digest: str
    """The SHA-256 of what makes the images."""
    device: torch.device
    """Where batches come out."""
    classes: int | None = None
    """Number of classes, labels or values, once it is known; then what lies beyond them is refused."""
    lenient: bool = False
    """Whether a label beyond the classes is that of the nearest class instead, as a check of all else needs it."""
    task: BuiltIn = "classification"
    """What the images are labelled with."""

    def __len__(self) -> int:
        return self.count

    def to(self, device: torch.device) -> "LoaderPart":
        """The same part, with batches that come out on a device."""
        return replace(self, device=device)


@dataclass(frozen=True, slots=True, eq=False)
class LoaderBatches:
    """One pass over a new loader, through the module's hooks, with random states of its own that derive from a seed."""

    part: LoaderPart
    seed: int
    stage: Stage

    def __len__(self) -> int:
        return self.part.batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._read() if self.part.classes is None else self._within(self.part.classes)

    def _within(self, classes: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches; raises `InputError` for a label that no class has, which on CUDA would end the process.

        A device other than the CPU says so with the last batch, for the host has to wait for it; until then such labels
        are those of the nearest class.
        """
        unread: list[Tensor] = []
        name, task = type(self.part.host.module).__name__, self.part.task
        highest = 1 if task == "multilabel" else classes - 1
        for number, (images, labels) in enumerate(self._read(), start=1):
            if labels.ndim == 2:
                if labels.shape[1] != classes:
                    of = {"classification": "shares of {} classes"}.get(task, "{} an image").format(labels.shape[1])
                    rule = f"of {classes}" if task == "classification" else f"{classes}"
                    raise InputError(f"{name}: labels are {of}; allowed: {rule}")
                yield images, labels
                continue
            void = labels == VOID if task == "segmentation" else None
            unread.append(torch.stack((labels if void is None else labels.masked_fill(void, 0)).aminmax()))
            if labels.device.type == "cpu" or number == len(self):
                low, high = torch.cat(unread).aminmax()
                unread.clear()
                if (low < 0 or high > highest) and not self.part.lenient:
                    rule = f"from 0 to {highest}" + (f", or {VOID} for none" if void is not None else "")
                    raise InputError(f"{name}: found labels from {int(low)} to {int(high)}; allowed: {rule}")
            known = labels.clamp(0, highest)
            yield images, known if void is None else known.masked_fill(void, VOID).to(torch.uint8)

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        state, host, device = RngState(self.seed), self.part.host, self.part.device
        with state.active(), host.at(self.stage, device):
            loader = one_loader(self.part.make())
            seed_generators(loader, self.seed)
            batches = iter(loader)
        while True:
            with state.active(), host.at(self.stage, device):
                batch = next(batches, None)
                if batch is None:
                    return
                images, labels = (one.to(device, non_blocking=True) for one in self._pair(host.moved(batch, device)))
            soft = self.stage == "training" or self.part.task != "classification"
            yield images, labels if soft else hard(labels)

    def _pair(self, batch: Any) -> tuple[Tensor, Tensor]:
        try:
            return pair(batch, self.part.task)
        except ValueError as error:
            raise InputError(f"{type(self.part.host.module).__name__}: {error}") from None


class RngState:
    """Random state of the CPU (torch's, NumPy's and Python's), apart from the process's own.

    NumPy's generator is exchanged, as copying its state takes 0.1 ms; a second normal number that it had drawn along
    with the first is dropped, on either side.
    """

    def __init__(self, seed: int) -> None:
        numpy: Any = np.random.MT19937()
        numpy.state = np.random.RandomState(seed % 2**32).get_state(legacy=False)
        torchs = torch.Generator().manual_seed(seed).get_state()
        self._inside: _States = random.Random(seed).getstate(), numpy, torchs

    @contextmanager
    def active(self) -> Iterator[None]:
        """Context in which the process draws from this state; after it, from its own again."""
        outside = _states()
        _restore(*self._inside)
        try:
            yield
        finally:
            self._inside = _states()
            _restore(*outside)


def mixed_seed(seed: int, epoch: int, stream: int | None = None) -> int:
    """A seed of 64 bits for an epoch, and for one of several independent streams in it."""
    key = () if stream is None else (stream,)
    return int(np.random.SeedSequence((seed, epoch), spawn_key=key).generate_state(1, np.uint64)[0])


def _states() -> _States:
    return random.getstate(), mtrand.get_bit_generator(), torch.get_rng_state()


def _restore(python: Any, numpy: Any, torchs: Tensor) -> None:
    random.setstate(python)
    mtrand.set_bit_generator(numpy)
    torch.set_rng_state(torchs)


def seed_generators(loader: object, seed: int) -> None:
    """Seed the generators that a loader and its samplers draw from, where they have any."""
    for owner in (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
        if isinstance(generator := getattr(owner, "generator", None), torch.Generator):
            generator.manual_seed(seed)
