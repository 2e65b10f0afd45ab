"""Full trainings that nobody did, with variances that are known."""

import numpy as np
from made_up import evaluation

from nas_attn.audit.ranking import Ranking


def simulated(networks=24, seeds=3, between=0.05, noise=0.02, alike=0.0, seed=0):
    """Rows and the true worth of each key: loss 0.5 - worth + noise, and what a seed adds to all networks alike."""
    rng = np.random.default_rng(seed)
    worth, shared = between * rng.normal(size=networks), alike * rng.normal(size=seeds)
    params = rng.permutation(networks)
    rows = []
    for number in range(networks):
        for index in range(seeds):
            loss = 0.5 - worth[number] + shared[index] + noise * rng.normal()
            rows.append(
                evaluation(
                    f"stage{number}=se" if number else "none",
                    loss=loss,
                    accuracy=1 - loss,
                    seed=index,
                    state="complete",
                    params=int(1000 + params[number]),
                    flops=int(10_000 + (7 * params[number]) % networks),
                    train_seconds=200.0,
                )
            )
    return rows, dict(zip(dict.fromkeys(row.key for row in rows), worth.tolist(), strict=True))


def ranking(worth, noise, name="supernet", seed=1, **known):
    """A proxy that sees the worth through noise."""
    rng = np.random.default_rng(seed)
    return Ranking(name, {key: value + noise * rng.normal() for key, value in worth.items()}, **known)
