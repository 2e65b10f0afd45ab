"""Stratified split of a gallery into three parts, by a seed."""

from zlib import crc32

import numpy as np

from nas_attn.space import InputError

from .gallery import Gallery, Rows

PARTS = ("train", "validation", "test")


def split(
    gallery: Gallery, validation: float, test: float, seed: int, limit: int | None = None
) -> tuple[Rows, Rows, Rows]:
    """The rows for training, validation and test, disjoint, and counting up.

    A class is divided by the seed and its own name alone; a limit leaves images out, but moves none to another part.
    A share of 0 means no such part.

    Raises `InputError` where the shares leave nothing to train on, or a class cannot be in every part.
    """
    if validation + test >= 1:
        raise InputError(
            f"{gallery.where}: validation {validation:g} and test {test:g} leave nothing to train on;"
            " their sum must be less than 1"
        )
    counts = np.bincount(gallery.labels, minlength=len(gallery.class_names))
    quotas = counts if limit is None else _apportion(counts, limit)
    taken: list[list[Rows]] = [[], [], []]
    for label, name in enumerate(gallery.class_names):
        order = np.random.default_rng((seed, crc32(name.encode()))).permutation(np.flatnonzero(gallery.labels == label))
        full = _sizes(len(order), validation, test)
        kept = _keep(full, int(quotas[label]))
        _check(gallery.where, name, full, kept, (1, validation, test))
        starts = np.cumsum(full) - full
        for part, start, size in zip(taken, starts, kept, strict=True):
            part.append(order[start : start + size])
    train, validation_rows, test_rows = (np.sort(np.concatenate(part)) for part in taken)
    return train, validation_rows, test_rows


def _sizes(images: int, validation: float, test: float) -> Rows:
    """Sizes of train, validation and test part of a class; one image at least where the share is not 0."""
    others = [max(1, round(share * images)) if share else 0 for share in (validation, test)]
    return np.array([images - sum(others), *others], dtype=np.int64)


def _keep(full: Rows, quota: int) -> Rows:
    """Sizes of the parts of a class under a limit; where it can, one image at least.

    >>> _keep(np.array([6, 2, 2]), 3).tolist()
    [1, 1, 1]
    """
    kept = _apportion(full, quota)
    emptied = (kept == 0) & (full > 0)
    if quota >= np.count_nonzero(full):
        kept = kept + emptied
        kept[kept.argmax()] -= emptied.sum()
    return kept


def _apportion(counts: Rows, limit: int) -> Rows:
    """Counts scaled down to a sum of `limit` by the largest-remainder method.

    >>> _apportion(np.array([60, 20, 20]), 8).tolist()
    [5, 2, 1]
    """
    total = int(counts.sum())
    if limit >= total:
        return counts
    whole, rest = np.divmod(counts * limit, total)
    whole[np.argsort(-rest, kind="stable")[: limit - whole.sum()]] += 1
    return np.asarray(whole, dtype=np.int64)


def _check(where: str, name: str, full: Rows, kept: Rows, shares: tuple[float, ...]) -> None:
    parts = [(part, f, k) for part, f, k, share in zip(PARTS, full, kept, shares, strict=True) if share]
    if any(size < 1 for _, size, _ in parts):
        raise InputError(
            f"{where}: class {name!r} has {full.sum()} images, too few to be in every part"
            f" ({', '.join(part for part, _, _ in parts)}); add images, remove the class or change the shares"
        )
    if missing := [part for part, _, size in parts if size < 1]:
        raise InputError(f"{where}: the limit leaves no image of class {name!r} for {missing[0]}; raise limit")
