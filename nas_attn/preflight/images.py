"""Checks of a study's images: labels, copies in several parts, batches of a user's own loader."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import combinations

import torch
from torch import Tensor

from nas_attn.data import ImageData, LoaderPart, Part, batches_in_order, parts_of, spelt_labels, training_batches
from nas_attn.settings import VOID, Recipe
from nas_attn.space import InputError

from .findings import Finding

_PASS_S = 10.0
"""Seconds that are spent on the batches of one of a user's loaders."""
_AT_ONCE = 1024


@dataclass
class _Pass:
    """Facts about the batches of a loader."""

    images: int = 0
    low: int = 0
    high: int = 0
    finite: bool = True
    ended: bool = True

    def add(self, pixels: Tensor, labels: Tensor) -> None:
        """Take in a batch."""
        self.images += len(labels)
        whole = labels[labels != VOID] if labels.ndim == 3 else labels
        if labels.ndim == 2 or not len(whole):
            whole = torch.tensor([0, labels.shape[1] - 1 if labels.ndim == 2 else 0])
        self.low, self.high = min(self.low, int(whole.min())), max(self.high, int(whole.max()))
        self.finite &= not pixels.is_floating_point() or bool(pixels.isfinite().all())


@dataclass
class Labels:
    """Check of every label, and how large the batches of a user's train loader are."""

    data: ImageData
    recipe: Recipe
    single: bool = False
    """Whether a batch of the train loader has one image; known after the check."""
    faulty: bool = False
    """Whether a loader has labels beyond the classes; known after the check."""
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Digests of the images of loaders, by part, as they come."""

    def check(self) -> Iterator[Finding]:
        """One finding for all parts in memory, or for each loader; a fault for labels beyond the classes."""
        for name, part in _parts(self.data).items():
            if isinstance(part, LoaderPart):
                yield from self._passed(name, part)
        counts = [f"{len(part):,} {name}" for name, part in _parts(self.data).items() if isinstance(part, Part)]
        if counts:  # labels beyond the classes are refused where such parts are made
            size = " x ".join(map(str, self.data.image))
            yield Finding("labels", "ok", f"{', '.join(counts)} images of {size}, {self._allowed}")
            yield from self._absent()

    def _passed(self, name: str, part: LoaderPart) -> Iterator[Finding]:
        """What a pass over a loader shows: labels beyond the classes, and numbers that are not finite."""
        began, where, trains, pass_ = time.monotonic(), f"labels of the {name} loader", name == "train", _Pass()
        free = replace(part, classes=None)
        batches = (
            training_batches(free, self.recipe, 0, 0) if trains else batches_in_order(free, self.recipe.batch_size)
        )
        try:
            for pixels, labels in batches:
                pass_.add(pixels, labels)
                self.single |= trains and len(labels) == 1
                self.seen[name].update(_digests(pixels))
                if time.monotonic() - began > _PASS_S:
                    self.single |= trains and part.batches > len(part) // len(labels) and len(part) % len(labels) == 1
                    pass_.ended = False
                    break
        except InputError as error:
            yield Finding(where, "fault", str(error))
            return
        if not pass_.finite:
            cure = "make them finite where they are read"
            yield Finding(where, "fault", "found images with numbers that are not finite", cure)
        highest = self.data.classes - 1
        if pass_.low < 0 or pass_.high > highest:
            self.faulty = True
            module = type(part.host.module).__name__
            text = f"{module}: found labels from {pass_.low} to {pass_.high}; allowed: from 0 to {highest}"
            cure = f"give each label a class, num_classes = {self.data.classes} or more, or mend the labels"
            yield Finding(where, "fault", text, cure)
        elif pass_.finite:
            read = f"{pass_.images:,} images" if pass_.ended else f"the first {pass_.images:,} of {len(part):,} images"
            yield Finding(where, "ok", f"{read}, {self._allowed}")

    @property
    def _allowed(self) -> str:
        """What labels are, in words."""
        classes = self.data.classes
        return {
            "multilabel": f"each with any of {classes} labels",
            "regression": f"each with {classes} value{'s' if classes > 1 else ''}",
            "segmentation": f"every pixel from 0 to {classes - 1}, or void",
        }.get(self.data.task, f"every label from 0 to {classes - 1}")

    def _absent(self) -> Iterator[Finding]:
        for name, part in _parts(self.data).items():
            if isinstance(part, Part) and len(part) and self.data.task != "regression":
                labels, classes = part.labels.cpu(), self.data.classes
                several = self.data.task == "multilabel"
                counts = labels.sum(0) if several else torch.bincount(labels.flatten(), minlength=classes)[:classes]
                absent = [self.data.class_names[number] for number in torch.nonzero(counts == 0).flatten().tolist()]
                if absent:
                    text = f"the {name} part has no image of {', '.join(absent[:5])}{', ...' * (len(absent) > 5)}"
                    yield Finding("labels", "warning", text, "add images of it, or take the class away")


def copies(data: ImageData, of_loaders: Mapping[str, set[str]]) -> Iterator[Finding]:
    """Images whose pixels are those of another: in several parts, or with several labels.

    Of images that come from a loader the digests are given.
    """
    parts = {name: part for name, part in _parts(data).items() if isinstance(part, Part)}
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for name, part in parts.items():
        for image, label in zip(_digests(part.images), spelt_labels(data, part.labels), strict=True):
            seen[image].add((name, label))
    across = [found for found in seen.values() if len({name for name, _ in found}) > 1]
    ambiguous = [found for found in seen.values() if len({label for _, label in found}) > 1]
    names = {name for found in across for name, _ in found}
    shared = len(across)
    for first, other in combinations(of_loaders, 2):
        if both := of_loaders[first] & of_loaders[other]:
            names, shared = {*names, first, other}, shared + len(both)
    if shared:
        named = " and ".join(name for name in _parts(data) if name in names)
        text = f"{_images(shared)} in more than one part: {named}"
        yield Finding("copies", "warning", text, "remove the copies, for what is trained on says nothing of new images")
    if ambiguous:
        text = f"{_images(len(ambiguous))} there with more than one label"
        yield Finding("copies", "warning", text, "remove the wrong one")
    if parts and not (shared or ambiguous):
        yield Finding("copies", "ok", "no image is in more than one part")


def in_turn(folds: int, seeds: int) -> Iterator[Finding]:
    """Whether all folds validate, with so many seeds of a network that is trained as the winner will be."""
    if seeds >= folds:
        yield Finding("folds", "ok", f"each of {folds} validates with a seed of its own, so that all images judge")
    else:
        text = (
            f"{seeds} of {folds} validate in the search, as its last step trains with {seeds} seed{'s' * (seeds > 1)}"
        )
        yield Finding("folds", "warning", text, f"give that step seeds = {folds}; a verdict trains as many")


def last_batch(images: set[int], batch_sizes: set[int]) -> Iterator[Finding]:
    """Whether batches of these sizes leave one image for the last of an epoch of so many."""
    if alone := [size for size in sorted(batch_sizes) if any(size < many and many % size == 1 for many in images)]:
        text = f"with batch_size = {alone[0]} the last batch of an epoch has one image; it is left out each time"
        yield Finding("batches", "coped with", text)


def _parts(data: ImageData) -> dict[str, Part | LoaderPart]:
    parts = parts_of(data)
    return parts if data.test is not data.validation else {name: parts[name] for name in parts if name != "test"}


def _digests(images: Tensor) -> Iterator[str]:
    for chunk in torch.split(images, _AT_ONCE):
        yield from (blake2b(image.tobytes(), digest_size=16).hexdigest() for image in chunk.cpu().numpy())


def _images(number: int) -> str:
    return "1 image is" if number == 1 else f"{number:,} images are"
