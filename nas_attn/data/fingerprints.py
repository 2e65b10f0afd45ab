"""Fingerprint of a study's images and their labels, which tells them from others."""

from hashlib import blake2b, sha256
from heapq import nsmallest
from itertools import islice
from weakref import WeakKeyDictionary

import PIL
import torch
from torch import Tensor

from nas_attn.loaders import LoaderBatches, LoaderPart
from nas_attn.settings import Fingerprint
from nas_attn.space import reported

from .batches import batches_in_order
from .images import ImageData, Part

_AT_ONCE = 1024
_SAMPLE = 2000
_MADE: WeakKeyDictionary[ImageData, Fingerprint] = WeakKeyDictionary()


def fingerprint(data: ImageData) -> Fingerprint:
    """The fingerprint of all parts, of images in memory whatever their order; made once.

    A user's module may make other images from pass to pass, so only labels count, in the order in which they come: all
    of the validation and the test part, and those of the first batch that trains.

    Raises `InputError` where a module fails in that.
    """
    if data not in _MADE:
        _MADE[data] = _made(data)
    return _MADE[data]


def _made(data: ImageData) -> Fingerprint:
    parts = parts_of(data)
    digests, images = {}, list[str]()
    for name, part in parts.items():
        if isinstance(part, Part):
            known = list(zip(_images(part), spelt_labels(data, part.labels), strict=True))
            images += [f"{pixels[:12]} {name} {label}" for pixels, label in known]
            lines = sorted(
                f"{pixels} {data.class_names[int(label)] if label.isdigit() else label}" for pixels, label in known
            )
        else:
            lines = [str(label) for label in _labels(part, trains=name == "train")]
        digests[name] = sha256("\n".join(lines).encode()).hexdigest()
    sample = tuple(nsmallest(_SAMPLE, images))
    return Fingerprint(digests, sum(map(len, parts.values())), sample, f"Pillow {PIL.__version__}")


def parts_of(data: ImageData) -> dict[str, Part | LoaderPart]:
    """The disjoint parts of the data by their names: each of the folds, where images validate in turn."""
    folds = {f"fold{number}": one.validation for number, one in enumerate(data.folds, start=1)}
    return {**(folds or {"train": data.train, "validation": data.validation}), "test": data.test}


def _images(part: Part) -> list[str]:
    chunks = (chunk.cpu().numpy() for chunk in torch.split(part.images, _AT_ONCE))
    return [blake2b(image.tobytes(), digest_size=8).hexdigest() for chunk in chunks for image in chunk]


def spelt_labels(data: ImageData, labels: Tensor) -> list[str]:
    """The label of each image in one word: the index of a class; else, after `=`, labels, values or a mask's digest."""
    if data.task == "classification":
        return [str(label) for label in labels.tolist()]
    if data.task == "segmentation":
        return [f"=mask {_digest(mask)}" for mask in labels]
    if data.task == "regression":
        return ["=" + ", ".join(f"{value:.7g}" for value in values) for values in labels.tolist()]
    names = data.class_names
    named = (", ".join(name for name, has in zip(names, row, strict=True) if has) for row in labels.tolist())
    return [f"={text or 'no label'}" for text in named]


def _digest(labels: Tensor) -> str:
    return blake2b(labels.cpu().numpy().tobytes(), digest_size=8).hexdigest()


def _labels(part: LoaderPart, trains: bool) -> list[object]:
    batches = islice(LoaderBatches(part, 0, "training"), 1) if trains else batches_in_order(part, 1)
    which = "training" if trains else "validation or test"
    with reported(f"{type(part.host.module).__name__}: a pass over its {which} batches failed"):
        return [
            one
            for _, labels in batches
            for one in (map(_digest, labels) if part.task == "segmentation" else labels.tolist())
        ]
