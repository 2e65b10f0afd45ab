"""Transforms of training images by torchvision, albumentations or a user's own code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from inspect import signature
from types import NoneType
from typing import Any, get_args
from warnings import catch_warnings, filterwarnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_attn.loaders import RngState, mixed_seed, shape_of
from nas_attn.settings import Transform, chosen, is_named_object, library, named_object
from nas_attn.space import InputError, reported

_WHERE = "recipe.transforms"
_V2 = "torchvision.transforms.v2"


@dataclass(frozen=True, slots=True)
class EpochTransforms:
    """The transforms of a recipe in one epoch, whose random numbers derive from a seed."""

    said: tuple[Transform, ...]
    seed: int

    def begun(self) -> "RunningTransforms":
        """A function of one batch after the other: uint8 (B, C, H, W) to the same shape.

        Raises `InputError` where there is no such transform, it refuses its arguments, or changes the shape.
        """
        return RunningTransforms(self.said, self.seed)


class RunningTransforms:
    """Transforms that draw for each image: they are called with one, for torchvision's draw once a call."""

    def __init__(self, said: Sequence[Transform], seed: int) -> None:
        self._seed, self._batches = seed, 0
        self._state, self._on_host = RngState(seed), list[_OfAlbumentations]()
        with self._state.active():
            self._steps = [self._made(one) for one in said]
            for one in self._on_host:
                one.reseed(int(torch.randint(2**31, ())))

    def __call__(self, images: Tensor) -> Tensor:
        """The next batch of images."""
        shown = images.cpu() if self._on_host else images
        with self._drawing(shown.device):
            changed = torch.stack([self._changed(image) for image in shown])
        return changed.to(images.device)

    def with_masks(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The same of images and their masks, uint8 (B, H, W), which move alike; what comes in from outside is void.

        Raises `InputError` for a transform that leaves masks where they are while it moves images.
        """
        shown, numbers = (one.cpu() if self._on_host else one for one in (images, masks))
        with self._drawing(shown.device), catch_warnings():
            filterwarnings("ignore", message=r"RandomErasing\(\) is currently passing through")  # no pixel moves
            pairs = [self._moved(image, mask) for image, mask in zip(shown, numbers, strict=True)]
        changed, moved = zip(*pairs, strict=True)
        return torch.stack(changed).to(images.device), torch.stack(moved).to(masks.device)

    @contextmanager
    def _drawing(self, device: torch.device) -> Iterator[None]:
        self._batches += 1
        with self._state.active(), _drawn_on(device, mixed_seed(self._seed, self._batches)):
            yield

    def _moved(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """An image and its mask, with numbers one higher meanwhile, so that 255 becomes the 0 of what is empty."""
        found: Any = image
        numbers = mask + 1
        for name, step in self._steps:
            with reported(f"{_WHERE}: {name}"):
                if isinstance(step, _OfAlbumentations):
                    found, numbers = step.with_mask(found, numbers)
                elif isinstance(step, named_object(f"{_V2}:Transform")):
                    found, numbers = step(found, library("torchvision").tv_tensors.Mask(numbers))
                    numbers = numbers.as_subclass(Tensor)
                else:
                    rule = "allowed: those of torchvision.transforms.v2 and albumentations, which move both"
                    raise InputError(
                        f"{_WHERE}: {name}: is called with an image alone, and its mask would stay; {rule}"
                    )
        if (numbers.shape, numbers.dtype) != (mask.shape, mask.dtype):
            raise InputError(f"{_WHERE}: they give masks {shape_of(numbers)}; allowed: {shape_of(mask)}, as they were")
        return self._of_same_shape(found, image), numbers - 1

    def _changed(self, image: Tensor) -> Tensor:
        found: Any = image
        for name, step in self._steps:
            with reported(f"{_WHERE}: {name}"):
                found = step(found)
        return self._of_same_shape(found, image)

    def _of_same_shape(self, found: Any, image: Tensor) -> Tensor:
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
            made = kind(**_filled(kind, _enumerated(kind, arguments)))
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
    """The arguments, texts as members of an enumeration where a class takes one, as `AutoAugment` takes a policy.

    So does torchvision 0.21 an interpolation, or a number in its place.
    """
    taken = {name: (one.annotation, *get_args(one.annotation)) for name, one in signature(kind).parameters.items()}
    enums = {
        name: enum
        for name, kinds in taken.items()
        for enum in kinds
        if isinstance(enum, type) and issubclass(enum, Enum) and str not in kinds
    }
    texts = {name for name, one in arguments.items() if isinstance(one, str) or len(taken.get(name, ())) == 1}
    return {name: enums[name](one) if name in enums and name in texts else one for name, one in arguments.items()}


def _filled(kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, with a colour that fills images, but not their masks."""
    of_torchvision = getattr(kind, "__module__", "").startswith(_V2)
    if not of_torchvision or isinstance(arguments.get("fill"), dict | NoneType):
        return arguments
    return {**arguments, "fill": {library("torchvision").tv_tensors.Mask: 0, "others": arguments["fill"]}}


class _OfAlbumentations:
    """A transform of albumentations, which takes an array (H, W, C), as a function of an image (C, H, W) on the CPU."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def reseed(self, seed: int) -> None:
        """Derive its own generators from a seed, where it has any; else it draws from Python's and NumPy's."""
        if hasattr(self._transform, "set_random_seed"):
            self._transform.set_random_seed(seed)

    def __call__(self, image: Tensor) -> Tensor:
        return self._image(self._transform(image=self._array(image))["image"])

    def with_mask(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """An image and its mask (H, W), moved alike."""
        found = self._transform(image=self._array(image), mask=mask.numpy())
        return self._image(found["image"]), torch.as_tensor(np.ascontiguousarray(found["mask"]))

    def _array(self, image: Tensor) -> NDArray[np.uint8]:
        return np.ascontiguousarray(image.permute(1, 2, 0).numpy())

    def _image(self, found: Any) -> Tensor:
        if isinstance(found, Tensor):
            return found
        array = found if found.ndim == 3 else found[:, :, None]
        return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)


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
