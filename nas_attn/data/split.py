"""Stratified split of a gallery into three parts, by a seed."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from zlib import crc32

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from nas_attn.space import InputError

from .gallery import Gallery, Rows
from .strata import PARTS, Strata, strata_of

_LOG = logging.getLogger(__name__)


def split(
    gallery: Gallery, validation: float, test: float, seed: int, limit: int | None = None
) -> tuple[Rows, Rows, Rows]:
    """The rows for training, validation and test, disjoint.

    A class is divided by the seed and its own images alone; where their files are known, by those, whatever their
    order, and copies of an image, and images of a group, stay in one part. A limit leaves images out, but moves none
    to another part. A share of 0 means no such part. Where images have no class each, `strata_of` says what is divided.

    Raises `InputError` where the shares leave nothing to train on, or a class cannot be in every part, or no image.
    """
    if validation + test >= 1:
        raise InputError(
            f"{gallery.where}: validation {validation:g} and test {test:g} leave nothing to train on;"
            " their sum must be less than 1"
        )
    strata = strata_of(gallery, max(len(PARTS), *(math.ceil(1 / share) for share in (validation, test) if share), 0))
    counts = np.bincount(strata.of, minlength=len(strata.names))
    quotas = counts if limit is None else _apportion(counts, limit)
    contents = gallery.contents
    divide = _division(gallery, strata, contents, seed, len(PARTS))
    taken: list[list[Rows]] = [[], [], []]
    for label, name in enumerate(strata.names):
        full = _sizes(int(counts[label]), validation, test)
        parts = divide(label, full)
        sizes = np.array([*map(len, parts)], dtype=np.int64)
        kept = _keep(sizes, int(quotas[label]))
        tied = divide.tied(label) if gallery.groups is not None and isinstance(divide, _Together) else ""
        if strata.needed:
            _check(gallery.where, f"class {name!r} has", sizes, kept, (1, validation, test), tied)
        for part, rows, size in zip(taken, parts, kept, strict=True):
            part.append(rows[:size])
    if not strata.needed:
        sizes = np.array([sum(map(len, part)) for part in taken], dtype=np.int64)
        groups = "" if gallery.groups is None else f" in {len({*gallery.groups})} groups"
        _check(gallery.where, "there are", sizes, sizes, (1, validation, test), groups)
    train, validation_rows, test_rows = _in_ranks(taken, len(gallery.labels), contents)
    return train, validation_rows, test_rows


def split_in_folds(
    gallery: Gallery, folds: int, shares: tuple[float, float], seed: int, limit: int | None = None
) -> tuple[list[Rows], Rows]:
    """The rows of each fold, disjoint, and those for test, which are the ones that `split` finds with these shares.

    What is not for test is divided as `split` divides, into folds whose sizes, and whose images of each class, differ
    by one at most where no copies or groups keep images together. Raises `InputError` as `split` does, and where a
    class cannot be in every fold.
    """
    *others, test = split(gallery, *shares, seed, limit)
    rows = np.sort(np.concatenate(others))
    contents = None if gallery.contents is None else [gallery.contents[row] for row in rows]
    groups = None if gallery.groups is None else [gallery.groups[row] for row in rows]
    left = replace(gallery, labels=gallery.labels[rows], encoded=None, groups=groups)
    strata, given = strata_of(left, folds), 0
    divide, taken = _division(left, strata, contents, seed, folds), [list[Rows]() for _ in range(folds)]
    for label in range(len(strata.names)):
        images = int((strata.of == label).sum())
        extra = (np.arange(folds) - given) % folds < images % folds
        given += images % folds
        for fold, part in zip(taken, divide(label, images // folds + extra), strict=True):
            fold.append(part)
        if strata.needed and not all(len(fold[-1]) for fold in taken):
            _refuse_few(gallery, f"class {strata.names[label]!r} has {images} images", folds)
    if not all(sum(map(len, fold)) for fold in taken):
        _refuse_few(gallery, f"there are {len(rows)} images", folds)
    return [rows[fold] for fold in _in_ranks(taken, len(rows), contents)], test


def _refuse_few(gallery: Gallery, found: str, folds: int) -> None:
    tied = "" if gallery.groups is None else ", which groups keep together,"
    raise InputError(
        f"{gallery.where}: {found} that are not for test{tied}, too few to be in each of {folds} folds; "
        "add images, or take fewer folds"
    )


def _division(
    gallery: Gallery, strata: Strata, contents: Sequence[bytes] | None, seed: int, parts: int
) -> "Callable[[int, Rows], list[Rows]] | _Together":
    """What divides the images of a class, by its number, into so many parts of given sizes."""
    if contents is None:
        return partial(_in_order, strata, seed)
    return _Together(gallery, strata, contents, seed, parts)


def _in_ranks(taken: Sequence[Sequence[Rows]], images: int, contents: Sequence[bytes] | None) -> list[Rows]:
    """The rows of parts, each in the order of contents, where they are known."""
    by = np.arange(images) if contents is None else _ranks(contents)
    return [_sorted(np.concatenate(part), by) for part in taken]


def _in_order(strata: Strata, seed: int, label: int, full: Rows) -> list[Rows]:
    """The rows of a class, shuffled, in parts of these sizes."""
    name = strata.names[label]
    order = np.random.default_rng((seed, crc32(name.encode()))).permutation(np.flatnonzero(strata.of == label))
    return np.split(order, np.cumsum(full)[:-1])


class _Together:
    """Division by content that keeps copies of an image, and images of a group, in one part, also across classes."""

    def __init__(self, gallery: Gallery, strata: Strata, contents: Sequence[bytes], seed: int, parts: int) -> None:
        self._labels, self._unit = strata.of, _units(contents, gallery.groups or ())
        tokens = contents if gallery.groups is None else [group.encode() for group in gallery.groups]
        keys = [sha256(f"{seed} ".encode() + token).digest() for token in tokens]
        self._order = np.array(sorted(range(len(keys)), key=lambda row: (keys[row], contents[row])), dtype=np.int64)
        self._part_of: dict[int, int] = {}
        for label, name in enumerate(strata.names if gallery.groups is None and strata.needed else ()):
            rows = np.flatnonzero(self._labels == label)
            if (different := len(np.unique(self._unit[rows]))) < parts <= len(rows):
                self._unit[rows] = len(self._unit) + rows
                message = "%s: class %r has but %d different images, so that copies of them are in several parts"
                _LOG.warning(message, gallery.where, name, different)

    def __call__(self, label: int, full: Rows) -> list[Rows]:
        """The rows of a class, in parts of about these sizes."""
        rows = self._order[self._labels[self._order] == label]
        sizes = Counter(self._unit[rows].tolist())
        left = full.copy()
        for unit in sizes.keys() & self._part_of.keys():
            left[self._part_of[unit]] -= sizes[unit]
        ends, start = np.cumsum(np.maximum(left, 0)), 0
        new = [unit for unit in sizes if unit not in self._part_of]
        for unit in new:
            self._part_of[unit] = int(np.searchsorted(ends[:-1], start, side="right"))
            start += sizes[unit]
        self._fill(new, full)
        parts = np.array([self._part_of[unit] for unit in self._unit[rows].tolist()], dtype=np.int64)
        return [rows[parts == part] for part in range(len(full))]

    def tied(self, label: int) -> str:
        """In words, how many groups the images of a class are in, and how many of them hold another class too."""
        of_class = set(self._unit[self._labels == label].tolist())
        shared = len(of_class & set(self._unit[self._labels != label].tolist()))
        return f" in {len(of_class)} groups, {shared} of which hold other classes too"

    def _fill(self, units: list[int], full: Rows) -> None:
        """Give a part without a unit one of the part that has most, where it can."""
        for part in np.flatnonzero(full):
            counts = Counter(self._part_of[unit] for unit in units)
            most, several = max(counts.items(), key=lambda item: item[1], default=(0, 0))
            if not counts[int(part)] and several > 1:
                self._part_of[next(unit for unit in reversed(units) if self._part_of[unit] == most)] = int(part)


def _units(*columns: Sequence[object]) -> Rows:
    """Numbers of rows, equal for rows that have something in common in one of these columns, be it through others."""
    number = len(columns[0])
    known: dict[object, int] = {}
    edges = [(row, known.setdefault(one, number + len(known))) for column in columns for row, one in enumerate(column)]
    size = number + len(known)
    graph = coo_matrix((np.ones(len(edges), dtype=np.int8), tuple(np.transpose(edges))), (size, size))
    return np.asarray(connected_components(graph, directed=False)[1][:number], dtype=np.int64)


def _ranks(contents: Sequence[bytes]) -> Rows:
    """The place of each image in the order of contents."""
    ranks = np.empty(len(contents), dtype=np.int64)
    ranks[sorted(range(len(contents)), key=contents.__getitem__)] = np.arange(len(contents))
    return ranks


def _sorted(rows: Rows, ranks: Rows) -> Rows:
    return rows[np.argsort(ranks[rows], kind="stable")]


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


def _check(where: str, there: str, full: Rows, kept: Rows, shares: tuple[float, ...], tied: str) -> None:
    parts = [(part, f, k) for part, f, k, share in zip(PARTS, full, kept, shares, strict=True) if share]
    if any(size < 1 for _, size, _ in parts):
        remove = ", remove the class" * there.startswith("class")
        cure = f"add images{remove} or change the shares" + ", or try another split_seed" * bool(tied)
        raise InputError(
            f"{where}: {there} {full.sum()} images{tied}, too few to be in every part"
            f" ({', '.join(part for part, _, _ in parts)}); {cure}"
        )
    if missing := [part for part, _, size in parts if size < 1]:
        name = there.removesuffix(" has")
        raise InputError(f"{where}: the limit leaves no image of {name} for {missing[0]}; raise limit")
