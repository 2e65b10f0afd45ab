"""A part of the data, a batch at a time, in the memory of the device that trains."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from nas_attn.settings import Recipe

from .augmentation import Augmentation, augment, draw_augmentation
from .images import Part
from .loader import LoaderBatches, LoaderPart

Batch = tuple[Tensor, Tensor]
"""Images, (B, C, H, W): uint8, or floating where a user's loader makes them so; and their labels, int64 (B,)."""

A = TypeVar("A")
B = TypeVar("B")

_AHEAD = 4


@dataclass(frozen=True, slots=True, eq=False)
class PartBatches:
    """One pass over a part that lies in memory."""

    part: Part
    rows: tuple[Tensor, ...]
    """The rows of each batch, where the images lie."""
    augmentation: Augmentation | None = None
    """In the memory of the device on which batches come out."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        if self.part.streams_to is None:
            for rows in self.rows:
                yield self._augmented(rows, *self._gather(rows))
            return
        with closing(prefetched(self._gather, self.rows)) as gathered:
            for rows, batch in zip(self.rows, gathered, strict=True):
                here = (tensor.to(self.part.device, non_blocking=True) for tensor in (rows, *batch))
                yield self._augmented(*here)

    def _gather(self, rows: Tensor) -> Batch:
        images, labels = self.part.images[rows], self.part.labels[rows]
        if self.part.streams_to is not None and self.part.streams_to.type == "cuda":
            return images.pin_memory(), labels.pin_memory()
        return images, labels

    def _augmented(self, rows: Tensor, images: Tensor, labels: Tensor) -> Batch:
        if self.augmentation is not None:
            images = augment(images, self.augmentation, rows)
        return images, labels


Batches = PartBatches | LoaderBatches
"""One pass, batch by batch; it knows how many they are."""


def training_batches(part: Part | LoaderPart, recipe: Recipe, seed: int, epoch: int) -> Batches:
    """The part in an order, and with an augmentation, that seed and epoch fix: the same on every device.

    A last batch of one image is left out, for batch normalisation cannot learn from it. A user's loader is taken as it
    is, and its own chance starts from seed and epoch; what the recipe says of images and batches is not asked.
    """
    if isinstance(part, LoaderPart):
        return LoaderBatches(part, _mix(seed, epoch), "training")
    generator = torch.Generator().manual_seed(_mix(seed, epoch))
    order = torch.randperm(len(part), generator=generator)
    augmentation = draw_augmentation(part, recipe, generator)
    rows = torch.split(order.to(part.images.device), recipe.batch_size)
    rows = rows[:-1] if len(rows) > 1 and len(rows[-1]) == 1 else rows
    return PartBatches(part, rows, augmentation and augmentation.to(part.device))


def steps(images: int, batch_size: int) -> int:
    """How many batches `training_batches` makes of so many images.

    >>> steps(128, 64), steps(129, 64), steps(130, 64), steps(1, 64)
    (2, 2, 3, 1)
    """
    whole, rest = divmod(images, batch_size)
    return max(1, whole + (rest > 1))


def batches_in_order(part: Part | LoaderPart, batch_size: int) -> Batches:
    """The whole part as it lies, without augmentation; a user's loader as it is, with the same chance every time."""
    if isinstance(part, LoaderPart):
        return LoaderBatches(part, 0, part.judges)
    return PartBatches(part, torch.split(torch.arange(len(part), device=part.images.device), batch_size))


def prefetched(function: Callable[[A], B], arguments: Iterable[A]) -> Generator[B, None, None]:
    """What a function makes of each argument, in order, made by a thread that is a few ahead of what is asked for.

    What the function raises is raised here. The thread ends with the iterator, also where that is closed early.
    """
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        try:
            for argument in arguments:
                waiting.append(thread.submit(function, argument))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            thread.shutdown(wait=False, cancel_futures=True)


def _mix(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
