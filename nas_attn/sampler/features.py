"""Features of candidates for the surrogate: the answer at each place, counts of answers, and known costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_attn.pricing import Integers

Floats = NDArray[np.float64]
Labels = Sequence[Sequence[str]]
"""For each place, the label of each filling; fillings of one label are alike."""
Code = tuple[int, ...]
"""The filling number of each place of a candidate."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of some candidates."""

    one_hot: Floats
    """(candidates, columns): over the columns of a place, the product of two rows says how alike they are there."""
    counts: Floats
    """(candidates, labels): how often each label stands anywhere; no columns where places share no label."""
    costs: Floats
    """(candidates, costs): standardised over the pool."""

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> "Features":
        return Features(self.one_hot[rows], self.counts[rows], self.costs[rows])

    def __len__(self) -> int:
        return len(self.one_hot)

    def joined(self, others: "Features") -> "Features":
        """These candidates and others."""
        pairs = zip(vars(self).values(), vars(others).values(), strict=True)
        return Features(*map(np.concatenate, pairs))


class Encoding:
    """Function from filling numbers, (candidates, places), and costs, (candidates, costs), to `Features`.

    Costs are standardised by those that are given first; where all are positive, their logarithms are.
    """

    def __init__(self, labels: Labels, costs: Floats) -> None:
        """Learn the columns of each place from the labels of its fillings, and the scale of costs."""
        names = [*dict.fromkeys(label for place in labels for label in place)]
        shared = len(names) < sum(len(set(place)) for place in labels)
        self._columns = [_columns(place) for place in labels]
        self._counted = [_one_hot(place, names if shared else []) for place in labels]
        self._logarithm = (costs > 0).all(axis=0)
        scaled = self._scaled(costs)
        self._centre, deviation = scaled.mean(axis=0), scaled.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        widths = [columns.shape[1] for columns in self._columns]
        self.places: Integers = np.repeat(np.arange(len(widths)), widths)
        """The place of each column of `Features.one_hot`."""

    def __call__(self, codes: Integers, costs: Floats) -> Features:
        """The features of these candidates."""
        one_hot = np.concatenate([columns[codes[:, place]] for place, columns in enumerate(self._columns)], axis=1)
        counts = sum(counted[codes[:, place]] for place, counted in enumerate(self._counted))
        scale = 2.0 / np.sqrt(len(self._columns))
        return Features(one_hot, np.asarray(counts) * scale, (self._scaled(costs) - self._centre) / self._deviation)

    def _scaled(self, costs: Floats) -> Floats:
        return np.where(self._logarithm, np.log(np.where(costs > 0, costs, 1.0)), costs)


def _columns(labels: Sequence[str]) -> Floats:
    """One column a filling, and where fillings share labels, one a label, of half the weight each."""
    names = [*dict.fromkeys(labels)]
    if len(names) == len(labels):
        return np.eye(len(labels))
    both: Floats = np.concatenate([np.eye(len(labels)), _one_hot(labels, names)], axis=1) / np.sqrt(2)
    return both


def _one_hot(labels: Sequence[str], names: Sequence[str]) -> Floats:
    """(labels, names)."""
    return np.array([[float(label == name) for name in names] for label in labels]).reshape(len(labels), len(names))
