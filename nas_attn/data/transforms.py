"""Transforms of training images, and of their masks with them, by torchvision, albumentations or a user's own code."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_attn.settings import VOID, Transform, chosen, is_named_object, library, named_object
from nas_attn.space import InputError, reported

from .loader import RngState, mixed_seed
from .user_batches import shape_of

_WHERE = "recipe.transforms"
_V2 = "torchvision.transforms.v2"
_TENSORS = "torchvision.tv_tensors"
_LEFT_ALONE = r".* is currently passing through inputs of type"  # as RandomErasing does with masks

Pair = tuple[Any, ...]
"""An image, uint8 (C, H, W), alone or with its mask, uint8 (H, W)."""


@dataclass(frozen=True, slots=True)
class EpochTransforms:
    """The transforms of a recipe in one epoch, whose random numbers derive from a seed."""

    said: tuple[Transform, ...]
    seed: int

    def begun(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """A function of one batch after the other: images, uint8 (B, C, H, W), and labels, to the same shapes.

        Labels (B, H, W) are masks, and are moved with their images; what comes from beyond an image is void. All other
        labels stay. Raises `InputError` where there is no such transform, it refuses its arguments or masks, or changes
        a shape.
        """
        return _Running(self.said, self.seed)


class _Running:
    """Transforms that draw for each image: they are called with one, for torchvision's draw once a call."""

    def __init__(self, said: Sequence[Transform], seed: int) -> None:
        self._said, self._seed, self._batches = said, seed, 0
        self._state, self._on_host = RngState(seed), list[_OfAlbumentations]()
        self._steps: list[tuple[str, Callable[..., Any]]] = []

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        masked = labels.ndim == 3
        self._batches += 1
        with self._state.active():
            if not self._steps:
                self._begin(masked)
            home = torch.device("cpu") if self._on_host else images.device
            pairs = zip(images.to(home), *([labels.to(home)] if masked else []), strict=True)
            with _drawn_on(home, mixed_seed(self._seed, self._batches)), warnings.catch_warnings():
                warnings.filterwarnings("ignore", _LEFT_ALONE)
                found = [torch.stack(one) for one in zip(*map(self._changed, pairs), strict=True)]
        return found[0].to(images.device), found[1].to(images.device) if masked else labels

    def _begin(self, masked: bool) -> None:
        self._steps = [self._made(one, masked) for one in self._said]
        for one in self._on_host:
            one.reseed(int(torch.randint(2**31, ())))

    def _changed(self, before: Pair) -> Pair:
        found: Pair = before
        for name, step in self._steps:
            with reported(f"{_WHERE}: {name}"):
                given = step(*found)
                found = given if isinstance(given, tuple) else (given,)
        if len(found) != len(before):
            raise InputError(f"{_WHERE}: they give {len(found)} of image and mask; allowed: both")
        for one, was in zip(found, before, strict=True):
            if not isinstance(one, Tensor) or (one.shape, one.dtype) != (was.shape, was.dtype):
                what = shape_of(one) if isinstance(one, Tensor) else type(one).__name__
                raise InputError(f"{_WHERE}: they give {what}; allowed: {shape_of(was)}, as the image was")
        return found

    def _made(self, said: Transform, masked: bool, within: Any = None) -> tuple[str, Callable[..., Any]]:
        """A transform that is called with an image, and its mask; or one that is within another of some class."""
        kind, arguments = _kind(said.name), dict[str, Any](said.arguments)
        with reported(f"{_WHERE}: {said.name}"):
            if isinstance(inner := arguments.get("transforms"), list):
                parts = [Transform.model_validate(one) for one in inner]
                arguments["transforms"] = [self._made(one, masked, kind)[1] for one in parts]
            made = kind(**_enumerated(kind, {**arguments, **(_void_beyond(kind, arguments) if masked else {})}))
        if _is_of("albumentations", kind) and not _is_of("albumentations", within):
            made = _OfAlbumentations(made)
            self._on_host.append(made)
        return said.name, _of_torchvision(made) if masked and within is None and _is_of("torchvision", kind) else made


def _of_torchvision(transform: Any) -> Callable[..., Any]:
    """A transform as a function of an image and a mask, which torchvision tells apart by their types."""
    image, mask = named_object(f"{_TENSORS}:Image"), named_object(f"{_TENSORS}:Mask")
    return lambda one, other: tuple(found.as_subclass(Tensor) for found in transform(image(one), mask(other)))


def _void_beyond(kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments by which what comes from beyond an image is void in its mask, where a transform has such."""
    taken = signature(kind).parameters
    if _is_of("albumentations", kind):
        return {"fill_mask": arguments.get("fill_mask", VOID)} if "fill_mask" in taken else {}
    if not _is_of("torchvision", kind) or "fill" not in taken:
        return {}
    return {"fill": {named_object(f"{_TENSORS}:Mask"): VOID, "others": arguments.get("fill", 0)}}


def _is_of(package: str, kind: Any) -> bool:
    return any(base.__module__.startswith(package) for base in getattr(kind, "__mro__", ()))


def _kind(name: str) -> Any:
    """The class of this name; in torchvision it is a transform."""
    if is_named_object(name):
        return chosen(_WHERE, name)
    library("torchvision")
    return chosen(_WHERE, name, _V2, named_object(f"{_V2}:Transform"))


def _enumerated(kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, texts as members of an enumeration where a class takes one, as `AutoAugment` takes a policy."""
    taken = {name: one.annotation for name, one in signature(kind).parameters.items()}
    enums = {name: one for name, one in taken.items() if isinstance(one, type) and issubclass(one, Enum)}
    return {name: enums[name](one) if name in enums else one for name, one in arguments.items()}


class _OfAlbumentations:
    """A transform of albumentations, which takes arrays (H, W, C), as a function of image and mask on the CPU."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def reseed(self, seed: int) -> None:
        """Derive its own generators from a seed, where it has any; else it draws from Python's and NumPy's."""
        if hasattr(self._transform, "set_random_seed"):
            self._transform.set_random_seed(seed)

    def __call__(self, image: Tensor, *mask: Tensor) -> Pair:
        arrays = (np.ascontiguousarray(image.permute(1, 2, 0).numpy()), *(one.numpy() for one in mask))
        given = dict(zip(("image", "mask"), arrays, strict=False))
        found = self._transform(**given)
        changed = found["image"]
        if not isinstance(changed, Tensor):
            array = changed if changed.ndim == 3 else changed[:, :, None]
            changed = torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)
        return (changed, *(torch.as_tensor(found["mask"]) for _ in mask))


@contextmanager
def _drawn_on(device: torch.device, seed: int) -> Iterator[None]:
    """Context in which a CUDA device draws from a state of its own, apart from what a network draws."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        before = torch.cuda.get_rng_state(device)
        torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            torch.cuda.set_rng_state(before, device)
