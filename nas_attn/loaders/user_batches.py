"""Loaders and batches of a user's own module, in the forms in which they are usually written."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from pytorch_lightning.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader

from nas_attn.settings import VOID, BuiltIn

_IMAGES = ("image", "images", "img", "imgs", "pixel_values", "x", "input", "inputs", "data")
_LABELS = ("label", "labels", "target", "targets", "y", "class", "classes")
_MASKS = ("mask", "masks", "segmentation", "segmentation_mask", "seg")
_VALUES = ("value", "values")
_VOID_OF_OTHERS = -100  # torch's own ignore_index
_COLOURS = (1, 3, 4)
_MOST = 1_000_000  # images of a loader without a length


def one_loader(given: Any) -> Iterable[Any]:
    """The loader that a module gives, alone or as the only one of a list or table.

    Raises `ValueError` for several, and for none.
    """
    several = _listed(given)
    if several is not None and len(several) != 1:
        count = f"{len(several)} loaders" if several else "no loader"
        raise ValueError(f"gives {count}; allowed: one, alone or in a list")
    found: Iterable[Any] = given if several is None else several[0]
    return found


def _listed(given: Any) -> list[Any] | None:
    """The loaders in what a module gives; None where that is a loader itself."""
    if given is None:
        return []
    if isinstance(given, CombinedLoader):
        return list(given.flattened)
    inner = list(given.values()) if isinstance(given, Mapping) else given
    if isinstance(inner, list | tuple) and not any(isinstance(one, list | tuple | Mapping | Tensor) for one in inner):
        return list(inner)
    return None


def no_batch(loader: Any) -> str:
    """Why a loader may give no batch, in words."""
    if isinstance(loader, DataLoader) and loader.drop_last and loader.batch_size is not None:
        return f"gives no batch: drop_last = True, and too few images for one of {loader.batch_size}"
    return "gives no batch"


def pair(batch: Any, task: BuiltIn = "classification") -> tuple[Tensor, Tensor]:
    """Images and labels of a batch: the first two of several things, or by their usual names in a table.

    Labels become, by task: int64 (B,), of whole numbers also from (B, 1), or float (B, classes), where each image has a
    share of several classes; uint8 (B, labels) of 0 and 1; int64 (B, H, W) with 255 for no class, also from -100, and
    from (B, 1, H, W); float32 (B, values), also from (B,). Raises `ValueError` that says what was found.
    """
    found = _by_name(batch, task) if isinstance(batch, Mapping) else batch
    if not isinstance(found, list | tuple) or len(found) < 2 or not all(isinstance(one, Tensor) for one in found[:2]):
        what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, list | tuple) else type(batch).__name__
        raise ValueError(
            f"found a batch of type {what}; each batch must begin with two tensors, images and labels, "
            f"or have them by name: {', '.join(_IMAGES[:5])} and {', '.join(_names(task)[:4])}"
        )
    images, labels = found[0], found[1]
    if images.ndim != 4 or not (images.is_floating_point() or images.dtype == torch.uint8):
        raise ValueError(f"images are {shape_of(images)}; they must be (B, C, H, W), floating or uint8")
    if images.shape[3] in _COLOURS and images.shape[1] not in _COLOURS and images.shape[1] > images.shape[3]:
        raise ValueError(f"images are {shape_of(images)}, as if (B, H, W, C); they must be (B, C, H, W)")
    return images, _READERS[task](labels, images)


def unread(batch: Any, task: BuiltIn = "classification") -> str:
    """What of a batch is left alone, in words; nothing where that is nothing."""
    if isinstance(batch, Mapping):
        used = {next((name for name in names if name in batch), "") for names in (_IMAGES, _names(task))}
        names = [str(name) for name in batch if name not in used]
        return ", ".join(names)
    return f"{len(batch) - 2} more beside images and labels" if len(batch) > 2 else ""


def counted(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[int, int]:
    """Images and batches of one pass; raises `ValueError` where it does not end."""
    images = number = 0
    for one, _ in batches:
        images, number = images + len(one), number + 1
        if images > _MOST:
            raise ValueError(f"has no length, and gives more than {_MOST:,} images; give it a length")
    return images, number


def hard(labels: Tensor) -> Tensor:
    """The likeliest class where labels are shares of several."""
    return labels.argmax(1) if labels.ndim == 2 else labels


def shape_of(tensor: Tensor) -> str:
    """Number type and shape, in words."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _names(task: BuiltIn) -> tuple[str, ...]:
    """The usual names of labels in a table."""
    return {"segmentation": (*_MASKS, *_LABELS), "regression": (*_LABELS, *_VALUES)}.get(task, _LABELS)


def _by_name(batch: Mapping[Any, Any], task: BuiltIn) -> tuple[Any, ...]:
    masks = task == "segmentation" and any(name in batch for name in _MASKS)
    sought = (_IMAGES, _MASKS if masks else _names(task))
    found = [[batch[name] for name in names if name in batch] for names in sought]
    if any(len(one) != 1 for one in found):
        raise ValueError(
            f"found a batch with {', '.join(map(str, batch))}; allowed: one of {', '.join(_IMAGES)}, "
            f"and one of {', '.join(_names(task))}"
        )
    return found[0][0], found[1][0]


def _labels(labels: Tensor, of: Tensor) -> Tensor:
    images = len(of)
    real = labels.is_floating_point()
    if labels.ndim == 2 and labels.shape[1] == 1 and not real:
        labels = labels[:, 0]
    if labels.shape == (images,) and not real and not labels.is_complex():
        return labels.long()
    if labels.ndim == 2 and len(labels) == images and labels.shape[1] > 1 and not labels.is_complex():
        shares = labels.float()
        if labels.device.type != "cpu":  # the first batch was looked through on the CPU; here the host would wait
            return shares
        if bool((shares >= 0).all()) and torch.allclose(shares.sum(1), torch.ones(images), atol=1e-3):
            return shares
        raise ValueError(f"labels are {shape_of(labels)}, with rows that do not add up to 1; several classes an image")
    raise ValueError(
        f"labels are {shape_of(labels)}; they must be whole numbers (B,), or shares of the classes (B, classes)"
    )


def _many(labels: Tensor, images: Tensor) -> Tensor:
    """Labels of which an image has any number."""
    if labels.ndim != 2 or len(labels) != len(images) or labels.is_complex():
        raise ValueError(f"labels are {shape_of(labels)}; they must be 0 and 1 (B, labels)")
    if labels.device.type == "cpu" and not bool(((labels == 0) | (labels == 1)).all()):
        found = f"{labels.min():g} to {labels.max():g}"
        raise ValueError(f"labels are {shape_of(labels)} from {found}; they must be 0 and 1 (B, labels)")
    return labels.to(torch.uint8)


def _masks(labels: Tensor, images: Tensor) -> Tensor:
    """A class for each pixel; what lies beyond the classes is noticed where these are known."""
    rule = f"they must be whole numbers (B, H, W) of the size of the images, {VOID} or {_VOID_OF_OTHERS} for no class"
    masks = labels[:, 0] if labels.ndim == 4 and labels.shape[1] == 1 else labels
    if masks.shape != (len(images), *images.shape[2:]) or masks.is_complex():
        raise ValueError(f"masks are {shape_of(labels)} for images {tuple(images.shape)}; {rule}")
    if masks.is_floating_point() and masks.device.type == "cpu" and not torch.equal(masks, masks.round()):
        raise ValueError(
            f"masks are {shape_of(labels)} with fractions; {rule}; torchvision's PILToTensor leaves them so"
        )
    masks = masks.long()
    return masks.masked_fill(masks == _VOID_OF_OTHERS, VOID)


def _values(labels: Tensor, images: Tensor) -> Tensor:
    """Numbers of each image."""
    values = labels[:, None] if labels.ndim == 1 else labels
    if values.ndim != 2 or len(values) != len(images) or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"labels are {shape_of(labels)}; they must be numbers (B,) or (B, values)")
    values = values.float()
    if values.device.type == "cpu" and not bool(values.isfinite().all()):
        raise ValueError(f"labels are {shape_of(labels)} and not all finite; they must be finite numbers")
    return values


_READERS: Mapping[BuiltIn, Callable[[Tensor, Tensor], Tensor]] = {
    "classification": _labels,
    "multilabel": _many,
    "segmentation": _masks,
    "regression": _values,
}
