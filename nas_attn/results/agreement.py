"""Agreement of predicted latencies with measured ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

CLOSE = 0.1
"""How far a prediction may be from what is measured, as a share of it, to be called close."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close predictions come to measurements."""

    networks: int
    """How many networks were both predicted and measured."""
    within: float
    """The share of them whose prediction is within 10 % of what was measured; NaN where there are none."""
    rank: float
    """Spearman's rank correlation of predicted and measured; NaN where it is not defined."""

    def __str__(self) -> str:
        if not self.networks:
            return "none"
        rank = "" if math.isnan(self.rank) else f", rank correlation {self.rank:.3f}"
        return f"{100 * self.within:.0f} % of {self.networks} within {100 * CLOSE:.0f} %{rank}"


def agreement(predicted: Sequence[float], measured: Sequence[float]) -> Agreement:
    """The agreement of predictions with measurements of the same networks, in the same order.

    >>> print(agreement([1.0, 2.0, 3.5], [1.05, 2.0, 3.0]))
    67 % of 3 within 10 %, rank correlation 1.000
    """
    pairs = pd.DataFrame({"predicted": predicted, "measured": measured}, dtype="float64")
    close = (pairs["predicted"] - pairs["measured"]).abs() <= CLOSE * pairs["measured"]
    ranks = pairs.rank()
    with np.errstate(invalid="ignore"):  # pandas before 3 says so of measures that are all alike
        rank = float(ranks["predicted"].corr(ranks["measured"]))
    return Agreement(len(pairs), float(close.mean()), rank)


def measured_later(table: pd.DataFrame) -> Agreement:
    """The agreement of the rows of a table that were predicted first and measured afterwards."""
    rows = table[(table["latency_source"] == "measured") & table["latency_predicted_ms"].notna()]
    return agreement(rows["latency_predicted_ms"].tolist(), rows["latency_ms"].tolist())
