"""Fewer and smaller images, for cheaper training; and more, for the last one."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_attn.space import InputError

from .images import Fold, ImageData, Part, channel_stats

_AT_ONCE = 1024


def reduced(data: ImageData, share: float, resolution: float) -> ImageData:
    """A share of the train images of each class, or of all, and all images with a share of their height and width.

    A smaller share is part of a larger one, and has one image of each class at least; where images have no class each,
    the share is of all. Images are resized by antialiased bilinear interpolation, masks to the nearest pixel, to
    rounded sizes; mean and std are of the reduced train part, of folds that of the first; those of the values of a
    regression stay.

    Raises `InputError` for the data of a user's module, which makes its images itself.
    """
    if share == resolution == 1:
        return data
    if not (isinstance(data.train, Part) and isinstance(data.validation, Part) and isinstance(data.test, Part)):
        found = f"data_share = {share:g}" if share != 1 else f"resolution = {resolution:g}"
        raise InputError(f"found {found} for a data module, which makes its images itself; leave it out")
    classes = data.classes if data.task == "classification" else None

    def fewer(part: Part) -> Part:
        return _resized(part if share == 1 else _share(part, classes, share), resolution)

    folds = tuple(Fold(fewer(one.train), _resized(one.validation, resolution)) for one in data.folds)
    first = folds[0] if folds else Fold(fewer(data.train), _resized(data.validation, resolution))
    mean, std = channel_stats(first.train.images)
    test = _resized(data.test, resolution)
    return replace(data, train=first.train, validation=first.validation, test=test, mean=mean, std=std, folds=folds)


def joined(data: ImageData, hold_out: float) -> ImageData:
    """The train part with all of the validation part but a share of each class, or of all, which stays to judge by.

    Of folds, the share is of the first; nothing takes turns any more. Mean and std stay those of the train part. Raises
    `InputError` for the data of a user's module, which divides its images itself.
    """
    if not (isinstance(data.train, Part) and isinstance(data.validation, Part)):
        raise InputError("a data module divides its images itself: its validation part cannot be joined to what trains")
    rows = _rows_of_share(data.validation, data.classes if data.task == "classification" else None, hold_out)
    others = torch.ones(len(data.validation), dtype=torch.bool)
    others[rows] = False
    more = _taken(data.validation, others.nonzero().flatten())
    images, labels = (torch.cat([getattr(one, name) for one in (data.train, more)]) for name in ("images", "labels"))
    return replace(data, train=Part(images, labels), validation=_taken(data.validation, rows), folds=())


def _share(part: Part, classes: int | None, share: float) -> Part:
    """A share of the images of each class; without classes, of all."""
    return _taken(part, _rows_of_share(part, classes, share))


def _taken(part: Part, rows: Tensor) -> Part:
    return replace(part, images=part.images[rows], labels=part.labels[rows])


def _rows_of_share(part: Part, classes: int | None, share: float) -> Tensor:
    labels = torch.zeros(len(part), dtype=torch.int64) if classes is None else part.labels.cpu()
    chosen = []
    for label in range(classes or 1):
        rows = torch.nonzero(labels == label).flatten()
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(label))
        chosen.append(rows[order[: max(1, round(share * len(rows)))]])
    return torch.cat(chosen).sort().values.to(part.images.device)


def _resized(part: Part, resolution: float) -> Part:
    size = [max(1, round(resolution * side)) for side in part.image[1:]]
    if size == list(part.image[1:]) or not len(part):
        return part
    resized = []
    for images in torch.split(part.images, _AT_ONCE):
        pixels = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        resized.append(pixels.round().clamp(0, 255).to(torch.uint8))
    labels = part.labels
    if labels.ndim == 3:
        labels = F.interpolate(labels[:, None], size, mode="nearest-exact")[:, 0]
    return replace(part, images=torch.cat(resized), labels=labels)
