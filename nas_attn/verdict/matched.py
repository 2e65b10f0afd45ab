"""Width-matched baselines: the plain backbone at another width, at the price of a network with attention."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas_attn.results import Evaluation


@dataclass(frozen=True, eq=False, slots=True)
class Matched:
    """The plain backbone at a price, interpolated between two widths that were trained."""

    price: str
    """What is matched: `flops`."""
    shares: Mapping[int, float]
    """The share of each network in it, by its place; they sum to 1."""
    cheaper: bool
    """Whether it costs less than what it is matched to, as no width that was trained costs as much."""

    def names(self, networks: Sequence[Evaluation]) -> list[str]:
        """The networks that it is interpolated between."""
        return [networks[number].key for number in sorted(self.shares)]


def matched(networks: Sequence[Evaluation], plain: Sequence[int], price: str, number: int) -> Matched | None:
    """The baseline of a network at its price; None where one of these prices is not known.

    `plain` are the places of networks without attention. Between two of them what is learnt is taken to follow the
    price in a straight line; below the cheapest and above the most expensive one, it is that one itself.
    """
    order = sorted(plain, key=lambda place: float(networks[place][price]))
    known, wanted = [float(networks[place][price]) for place in order], float(networks[number][price])
    if not np.isfinite([*known, wanted]).all():
        return None
    above = bisect_left(known, wanted)
    if above in (0, len(order)):
        return Matched(price, {order[min(above, len(order) - 1)]: 1.0}, bool(above and wanted > known[-1]))
    share = (wanted - known[above - 1]) / (known[above] - known[above - 1])
    shares = {order[above - 1]: 1 - share, order[above]: share}
    return Matched(price, {place: part for place, part in shares.items() if part}, False)
