"""Transforms of training images by torchvision, albumentations or a user's own code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_attn.loaders import RngState, shape_of
from nas_attn.settings import Transform, chosen, is_named_object, library, named_object
from nas_attn.space import InputError, reported

_WHERE = "recipe.transforms"
_V2 = "torchvision.transforms.v2"


@dataclass(frozen=True, slots=True)
class EpochTransforms:
    """The transforms of a recipe in one epoch, whose random numbers derive from a seed."""

    said: tuple[Transform, ...]
    seed: int

    def begun(self) -> Callable[[Tensor], Tensor]:
        """A function of one batch after the other: uint8 (B, C, H, W) to the same shape.

        Raises `InputError` where there is no such transform, it refuses its arguments, or changes the shape.
        """
        return _Running(self.said, self.seed)


class _Running:
    """Transforms that draw for each image: they are called with one, for torchvision's draw once a call."""

    def __init__(self, said: Sequence[Transform], seed: int) -> None:
        self._state, self._on_host = RngState(seed), list[_OfAlbumentations]()
        with self._state.active():
            self._steps = [self._made(one) for one in said]
            for one in self._on_host:
                one.reseed(int(torch.randint(2**31, ())))

    def __call__(self, images: Tensor) -> Tensor:
        shown = images.cpu() if self._on_host else images
        with self._state.active(), _drawn_on(shown.device):
            changed = torch.stack([self._changed(image) for image in shown])
        return changed.to(images.device)

    def _changed(self, image: Tensor) -> Tensor:
        found: Any = image
        for name, step in self._steps:
            with reported(f"{_WHERE}: {name}"):
                found = step(found)
        if not isinstance(found, Tensor) or (found.shape, found.dtype) != (image.shape, image.dtype):
            what = shape_of(found) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(f"{_WHERE}: they give {what}; allowed: {shape_of(image)}, as the image was")
        return found

    def _made(self, said: Transform, *, alone: bool = True) -> tuple[str, Callable[[Any], Any]]:
        """A transform that is called with an image; one that is not alone is part of one of albumentations."""
        kind, arguments = _kind(said.name), dict[str, Any](said.arguments)
        with reported(f"{_WHERE}: {said.name}"):
            if isinstance(inner := arguments.get("transforms"), list):
                parts = [Transform.model_validate(one) for one in inner]
                arguments["transforms"] = [self._made(one, alone=not _is_albumentations(kind))[1] for one in parts]
            made = kind(**_enumerated(kind, arguments))
        if alone and _is_albumentations(type(made)):
            made = _OfAlbumentations(made)
            self._on_host.append(made)
        return said.name, made


def _is_albumentations(kind: Any) -> bool:
    return any(base.__module__.startswith("albumentations") for base in getattr(kind, "__mro__", ()))


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
    """A transform of albumentations, which takes an array (H, W, C), as a function of an image (C, H, W) on the CPU."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def reseed(self, seed: int) -> None:
        """Derive its own generators from a seed, where it has any; else it draws from Python's and NumPy's."""
        if hasattr(self._transform, "set_random_seed"):
            self._transform.set_random_seed(seed)

    def __call__(self, image: Tensor) -> Tensor:
        found = self._transform(image=np.ascontiguousarray(image.permute(1, 2, 0).numpy()))["image"]
        if isinstance(found, Tensor):
            return found
        array = found if found.ndim == 3 else found[:, :, None]
        return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)


@contextmanager
def _drawn_on(device: torch.device) -> Iterator[None]:
    """Context in which a CUDA device draws from a state of its own too, which derives from that of the CPU."""
    if device.type != "cuda":
        yield
        return
    seed = int(torch.randint(2**31, ()))
    with torch.random.fork_rng([device]), torch.cuda.device(device):
        torch.cuda.manual_seed(seed)
        yield
