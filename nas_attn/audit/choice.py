"""Which networks to train for an audit: few, over all prices, and over a proxy's own ranking."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from nas_attn.space import InputError, former_key
from nas_attn.statistics import Numbers


def spread_out(
    prices: Mapping[str, float], scores: Mapping[str, float] | None, networks: int, seed: int, plain: str
) -> list[str]:
    """So many keys, the plain backbone's always among them, in the order of their prices.

    Prices fall into as many quantiles as there are networks to choose, and each gives one of them; each quantile of the
    scores too gives one, as far as the networks that there are allow it (a Latin hypercube). Keys without a finite
    score are left out where there are scores, but for the plain backbone. Fewer keys are all chosen.

    Raises `InputError` where the plain backbone has no price, and for fewer than one network.
    """
    if plain not in prices:
        raise InputError(f"the plain backbone {plain} is not among the {len(prices)} networks to choose from")
    if networks < 1:
        raise InputError(f"networks: found {networks}; at least 1 is needed")
    known = dict.fromkeys(prices, 0.0) if scores is None else scores
    keys = [key for key in sorted(prices, key=former_key) if key == plain or np.isfinite(known.get(key, np.nan))]
    rng = np.random.default_rng(seed)
    rng.shuffle(keys)
    if len(keys) > networks:
        ranks = {key: float(place) for place, key in enumerate(keys)} if scores is None else scores
        rows, columns = (
            _quantiles(np.array([values.get(key, np.nan) for key in keys], dtype=np.float64), networks)
            for values in (prices, ranks)
        )
        keys = [keys[place] for place in _one_of_each(rows, columns, networks, keys.index(plain))]
    return sorted(keys, key=lambda key: (prices[key], former_key(key)))


def _quantiles(values: Numbers, number: int) -> Numbers:
    """The quantile that each value falls into, from 0; ties in the order in which they stand; NaN for NaN."""
    quantiles, order = np.full(len(values), np.nan), np.argsort(values, kind="stable")
    order = order[: np.isfinite(values).sum()]
    quantiles[order] = np.arange(len(order)) * number // len(order)
    return quantiles


def _one_of_each(rows: Numbers, columns: Numbers, number: int, plain: int) -> list[int]:
    """Where one of each row stands, which together come as near to one of each column as they can."""
    groups = [np.flatnonzero(rows == row) for row in range(number)]
    groups[int(rows[plain])] = np.array([plain])
    distances = [np.nan_to_num(np.abs(np.subtract.outer(columns[group], np.arange(number)))) for group in groups]
    _, taken = linear_sum_assignment([distance.min(axis=0) for distance in distances])
    return [
        int(group[distance[:, column].argmin()])
        for group, distance, column in zip(groups, distances, taken, strict=True)
    ]
