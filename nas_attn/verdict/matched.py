"""Width-matched baselines: the plain backbone at another width, at the price of a network with attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Evaluation
from nas_attn.statistics import Numbers


@dataclass(frozen=True, eq=False, slots=True)
class Matched:
    """The plain backbone at a price, interpolated between two widths that were trained."""

    price: str
    """What is matched: `flops`."""
    weights: Numbers
    """The share of each network in it, shape (networks,); they sum to 1."""
    cheaper: bool
    """Whether it costs less than what it is matched to, as no width that was trained costs as much."""

    def names(self, networks: Sequence[Evaluation]) -> list[str]:
        """The networks that it is interpolated between."""
        return [networks[number].key for number in np.flatnonzero(self.weights).tolist()]


def matched(networks: Sequence[Evaluation], plain: Sequence[int], price: str, number: int) -> Matched | None:
    """The baseline of a network at its price; None where one of these prices is not known.

    `plain` are the places of networks without attention. Between two of them what is learnt is taken to follow the
    price in a straight line; below the cheapest and above the most expensive one, it is that one itself.
    """
    prices = np.array([float(network[price]) for network in networks])
    order = sorted(plain, key=lambda place: float(prices[place]))
    known, wanted = prices[order], float(prices[number])
    if not np.isfinite([*known, wanted]).all():
        return None
    weights = np.zeros(len(networks))
    above = int(np.searchsorted(known, wanted))
    if above in (0, len(order)):
        weights[order[min(above, len(order) - 1)]] = 1.0
        return Matched(price, weights, bool(above and wanted > known[-1]))
    share = (wanted - known[above - 1]) / (known[above] - known[above - 1])
    weights[order[above - 1]], weights[order[above]] = 1 - share, share
    return Matched(price, weights, False)
