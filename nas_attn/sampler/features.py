"""Networks as the numbers that a surrogate compares: what each place holds, how often, and for what price."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Labels = Sequence[Sequence[str]]
"""For each place, the label of each filling; fillings of one label are alike."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a surrogate sees of each network."""

    held: Floats
    """(networks, columns): over the columns of a place, the product of two rows says how alike they are there."""
    counts: Floats
    """(networks, labels): how often each label stands anywhere; no columns where places share no label."""
    costs: Floats
    """(networks, costs): standardised over the candidates."""

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> "Features":
        return Features(self.held[rows], self.counts[rows], self.costs[rows])

    def __len__(self) -> int:
        return len(self.held)


class Encoding:
    """Turns filling numbers, (networks, places), and known costs, (networks, costs), into `Features`.

    Costs are standardised by those that are given first; where all are positive, their logarithms are.
    """

    def __init__(self, labels: Labels, costs: Floats) -> None:
        """Learn the places' columns from the labels of their fillings, and the scale of costs from some of them."""
        tables = [_columns(place) for place in labels]
        self.places: Integers = np.repeat(np.arange(len(tables)), [table.shape[1] for table in tables])
        """Which place each column of `Features.held` belongs to."""
        self._tables = tables
        names = [*dict.fromkeys(label for place in labels for label in place)]
        shared = len(names) < sum(len(set(place)) for place in labels)
        self._counted = [_one_hot([names.index(label) for label in place], len(names)) for place in labels]
        self._counted = self._counted if shared else [table[:, :0] for table in self._counted]
        self._logarithm = (costs > 0).all(axis=0)
        scaled = self._scaled(costs)
        self._centre, spread = scaled.mean(axis=0), scaled.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def __call__(self, codes: Integers, costs: Floats) -> Features:
        """The features of these networks."""
        held = np.concatenate([table[codes[:, place]] for place, table in enumerate(self._tables)], axis=1)
        counts = sum(table[codes[:, place]] for place, table in enumerate(self._counted))
        scale = 2.0 / np.sqrt(len(self._tables))
        return Features(held, np.asarray(counts) * scale, (self._scaled(costs) - self._centre) / self._spread)

    def _scaled(self, costs: Floats) -> Floats:
        return np.where(self._logarithm, np.log(np.where(costs > 0, costs, 1.0)), costs)


def _columns(labels: Sequence[str]) -> Floats:
    """One column a filling, and where fillings share labels, one a label, of half the weight each."""
    own = np.eye(len(labels))
    names = [*dict.fromkeys(labels)]
    if len(names) == len(labels):
        return own
    shared = _one_hot([names.index(label) for label in labels], len(names))
    both: Floats = np.concatenate([own, shared], axis=1) / np.sqrt(2)
    return both


def _one_hot(numbers: Sequence[int], size: int) -> Floats:
    table: Floats = np.eye(size)[list(numbers)]
    return table
