"""Trainings of networks whose gains are known, and claims that are printed of them."""

import numpy as np
from made_up import evaluation

from nas_attn.settings import Claim

POINT = 0.01


def even(rng, shape):
    """Noise that all networks have alike."""
    return rng.standard_normal(shape)


def uneven(rng, shape):
    """Noise of which some networks have more than others."""
    return np.exp(0.4 * rng.standard_normal((shape[0], 1))) * rng.standard_normal(shape)


def skewed(rng, shape):
    """Noise with a long end below, with the same mean and standard deviation."""
    return 1 - rng.exponential(size=shape)


def rows_of(gains, seeds=8, noise=0.4, seed=1, drawn=even):
    """Rows of networks that gain so many points over the plain one, by their spelling."""
    rng = np.random.default_rng(seed)
    shared, own = rng.standard_normal(seeds), noise * drawn(rng, (len(gains), seeds))
    return [
        evaluation(spelling, state="complete", step="final", seed=number, loss=1.0, accuracy=0.5 + POINT * (gain + one))
        for (spelling, gain), line in zip(gains.items(), own, strict=True)
        for number, one in enumerate(shared + line)
    ]


def claimed(seed, truth, claims=1, networks=8, seeds=5, size=1.0, error=0.0, drawn=even):
    """Rows, and claims on so many of their networks, where noise has a standard deviation of one point.

    Every claim is printed of a source where the gain is `size` points, with this standard error; here it is `truth`
    times as large. The other networks gain nothing.
    """
    rng = np.random.default_rng([seed, 1])
    spelt = [f"stage{number + 1}.block0.branch=se" for number in range(networks - 1)]
    worth = {name: truth * size if number < claims else 0.0 for number, name in enumerate(spelt)}
    rows = rows_of({"none": 0.0, **worth}, seeds, 1.0, seed, drawn)
    printed = size + error * rng.standard_normal(claims)
    said = zip(spelt, printed, strict=False)
    return rows, [Claim(where=name, gain=gain, error=error, source="a simulation") for name, gain in said]
