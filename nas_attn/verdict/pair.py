"""Two networks compared seed by seed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from nas_attn.results import Evaluation
from nas_attn.statistics import Estimate


def by_seed(rows: Sequence[Evaluation], name: str) -> dict[int, float]:
    """A measure of each complete row that has it, by its seed."""
    return {row.seed: float(row[name]) for row in rows if row.state == "complete" and not math.isnan(row[name])}


def paired(ones: Mapping[int, float], others: Mapping[int, float]) -> Estimate | None:
    """The mean difference of two networks over the seeds that both have, with the 95 % interval of a paired t-test.

    Without a second seed in common the interval is unknown, NaN; without a first there is nothing.
    """
    differences = np.array([ones[seed] - others[seed] for seed in sorted(ones.keys() & others.keys())])
    if not len(differences):
        return None
    mean, seeds = float(differences.mean()), len(differences)
    if seeds < 2:
        return Estimate(mean, math.nan, math.nan)
    reach = float(stats.t.ppf(0.975, seeds - 1) * differences.std(ddof=1) / math.sqrt(seeds))
    return Estimate(mean, mean - reach, mean + reach)
