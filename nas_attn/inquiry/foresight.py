"""When an answer is one, and how many more seeds would most likely give one."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nas_attn.statistics import Numbers

Finding = Literal["helps", "helps no more than width", "does not help", "not known yet"]
"""Whether an attention helps: `does not help` is a finding, `not known yet` is none."""

_DRAWS = 2000
_MOST = 64
"""How many times as many seeds are thought of at most."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the ends of intervals amount to: those of the gain over the plain backbone, then those over widths."""

    noise: float
    """What a gain has to reach to count for anything: by how much one seed differs from the next."""
    cheaper: tuple[bool, ...] = ()
    """Which width-matched baselines cost less than the network, so that beating them shows nothing."""

    def finding(self, low: Numbers, high: Numbers) -> Finding:
        """The finding from the ends, shape (1 + baselines,)."""
        helps, nothing, no_more = (bool(one[0]) for one in self._all(low[None], high[None]))
        if helps:
            return "helps"
        if nothing:
            return "does not help"
        return "helps no more than width" if no_more else "not known yet"

    def known(self, low: Numbers, high: Numbers) -> Any:
        """Whether there is a finding, shape (draws,), from ends of shape (draws, 1 + baselines)."""
        return np.any(self._all(low, high), axis=0)

    def stuck(self, low: Numbers, high: Numbers) -> bool:
        """Whether only baselines that cost as much could tell more, as all others are beaten."""
        return bool((low > 0).all() and any(self.cheaper) and high[0] >= self.noise)

    def _all(self, low: Numbers, high: Numbers) -> tuple[Any, Any, Any]:
        better, over = low[:, 0] > 0, (low[:, 1:] > 0) & ~np.array(self.cheaper, dtype=np.bool_)
        no_more = better & (high[:, 1:] < self.noise).any(axis=1)
        return better & over.all(axis=1), high[:, 0] < self.noise, no_more


def more_seeds(
    rule: Rule,
    values: Numbers,
    reach: Numbers,
    images: Numbers,
    covariance: Numbers,
    seeds: int,
    seed: int = 0,
    share: float = 1.0,
) -> float:
    """How many more seeds would, in at least half of the futures that the trainings leave open, give a finding.

    Values with how far their intervals reach because of seeds, which more seeds shorten, and of images, which they do
    not once all folds have validated, of which a share has; each of shape (1 + baselines,). The covariance of their
    errors over seeds is (1 + baselines, 1 + baselines).
    NaN where noise is not known, infinite where not even 64 times as many seeds would do.
    """
    if seeds < 1 or not np.isfinite([*values, *reach]).all():
        return math.nan
    spread, directions = np.linalg.eigh(covariance)
    root = directions * np.sqrt(np.maximum(spread, 0.0))
    drawn = np.random.default_rng(seed).standard_normal((_DRAWS, len(values))) @ root.T
    for more in _numbers(seeds):
        left = seeds / (seeds + more)
        future = values + math.sqrt(1 - left) * drawn
        then = np.hypot(reach * math.sqrt(left), images * math.sqrt(max(left, share)))
        if rule.known(future - then, future + then).mean() >= 0.5:
            return float(more)
    return math.inf


def _numbers(seeds: int) -> list[int]:
    """Numbers of seeds that grow by about a tenth."""
    found = [1]
    while found[-1] < (_MOST - 1) * seeds:
        found.append(max(found[-1] + 1, round(1.1 * found[-1])))
    return found
