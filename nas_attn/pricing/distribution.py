"""Distribution of a known cost over the networks of a space."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """Number of networks for which something holds."""

    holds: int
    of: int
    sampled: bool = False
    """Whether these are a random sample of the space, or the whole of it."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.holds / self.of

    @property
    def error(self) -> float:
        """The standard error of a sampled share; 0 for an exact one."""
        return math.sqrt(self.share * (1 - self.share) / self.of) if self.sampled else 0.0


@dataclass(frozen=True, eq=False)
class Distribution:
    """Values of a cost, one for each network of a space or of a random sample of it."""

    values: Integers
    lowest: int
    highest: int
    """Exact, whatever is sampled."""
    sampled: bool = False

    def quantile(self, share: float) -> int:
        """The smallest value that at least this share of the networks does not exceed."""
        return int(np.quantile(self.values, share, method="inverted_cdf"))

    def histogram(self, bins: int) -> list[tuple[int, int, float]]:
        """At most so many parts of one width, as first value, first value after it and share of the networks."""
        width = (self.highest - self.lowest) // bins + 1
        edges = np.arange(self.lowest, self.highest + width + 1, width)
        counts, _ = np.histogram(self.values, edges)
        return [
            (start, start + width, count / len(self.values))
            for start, count in zip(edges.tolist(), counts.tolist(), strict=False)
        ]
