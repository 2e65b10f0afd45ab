"""Batches of a part of the data, in the memory of the device that trains."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from nas_attn.loaders import LoaderBatches, LoaderPart, mixed_seed
from nas_attn.settings import Recipe

from .augmentation import Augmentation, augment, augment_masks, draw_augmentation
from .images import Part
from .transforms import EpochTransforms

Batch = tuple[Tensor, Tensor]
"""Images, (B, C, H, W), uint8, or floating where a user's loader makes them so; and their labels, as a `Part` has them:
int64 (B,), uint8 (B, K) or (B, H, W), or float32 (B, K); or shares of the classes, (B, classes)."""

A = TypeVar("A")
B = TypeVar("B")

_AHEAD = 4
_STREAM = 2


@dataclass(frozen=True, slots=True, eq=False)
class PartBatches:
    """One pass over a part that lies in memory."""

    part: Part
    rows: tuple[Tensor, ...]
    """The rows of each batch, where the images lie."""
    augmentation: Augmentation | None = None
    """In the memory of the device on which batches come out."""
    transforms: EpochTransforms | None = None
    """What is done to each image after it."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        if self.transforms is None:
            yield from self._augmented()
            return
        change = self.transforms.begun()
        for images, labels in self._augmented():
            if labels.ndim == 3:
                yield change.with_masks(images, labels)
            else:
                yield change(images), labels

    def _augmented(self) -> Iterator[Batch]:
        for rows, images, labels in self._gathered():
            if self.augmentation is None:
                yield images, labels
            else:
                moved = augment_masks(labels, self.augmentation, rows) if labels.ndim == 3 else labels
                yield augment(images, self.augmentation, rows), moved

    def _gathered(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        if self.part.streams_to is None:
            yield from map(self._gather, self.rows)
            return
        with closing(prefetched(self._gather, self.rows)) as gathered:
            for batch in gathered:
                rows, images, labels = (tensor.to(self.part.device, non_blocking=True) for tensor in batch)
                yield rows, images, labels

    def _gather(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, images and labels of a batch; to a GPU from memory that is pinned, so that nobody waits for them."""
        batch = rows, self.part.images[rows], self.part.labels[rows]
        if self.part.streams_to is not None and self.part.streams_to.type == "cuda":
            with torch.cuda.device(self.part.streams_to):  # a thread has a current device of its own
                return batch[0].pin_memory(), batch[1].pin_memory(), batch[2].pin_memory()
        return batch


Batches = PartBatches | LoaderBatches
"""One pass, batch by batch; its length is the number of batches."""


def training_batches(part: Part | LoaderPart, recipe: Recipe, seed: int, epoch: int) -> Batches:
    """The part in an order, and with an augmentation, that derive from seed and epoch: the same on every device.

    A last batch of one image is left out, for batch normalisation cannot learn from it. A user's loader is taken as it
    is, whatever the recipe says of images and batches; its random states derive from seed and epoch.
    """
    if isinstance(part, LoaderPart):
        return LoaderBatches(part, mixed_seed(seed, epoch), "training")
    generator = torch.Generator().manual_seed(mixed_seed(seed, epoch))
    order = torch.randperm(len(part), generator=generator)
    augmentation = draw_augmentation(part, recipe, generator)
    rows = torch.split(order.to(part.images.device), recipe.batch_size)
    rows = rows[:-1] if len(rows) > 1 and len(rows[-1]) == 1 else rows
    transforms = EpochTransforms(recipe.transforms, mixed_seed(seed, epoch, _STREAM)) if recipe.transforms else None
    return PartBatches(part, rows, augmentation and augmentation.to(part.device), transforms)


def batches_in_order(part: Part | LoaderPart, batch_size: int) -> Batches:
    """The whole part in its order, without augmentation; a user's loader as it is, with the same seed every time."""
    if isinstance(part, LoaderPart):
        return LoaderBatches(part, 0, part.stage)
    return PartBatches(part, torch.split(torch.arange(len(part), device=part.images.device), batch_size))


def prefetched(function: Callable[[A], B], arguments: Iterable[A]) -> Generator[B, None, None]:
    """The function's result for each argument, in order, computed by a thread that is a few ahead.

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
