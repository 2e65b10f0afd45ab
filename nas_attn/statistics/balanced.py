"""What full training says of networks: a block of architectures by seeds, without a gap."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from nas_attn.results import Evaluation, across_seeds
from nas_attn.settings import learnt, measure
from nas_attn.space import NONE, InputError

from .rank_correlation import Numbers


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """How networks do when they are trained in full."""

    networks: tuple[Evaluation, ...]
    """A row an architecture: means over the seeds, in the order in which architectures come."""
    seeds: tuple[int, ...]
    """The seeds with which every one of them was trained."""
    values: Mapping[str, Numbers]
    """Each learnt measure that all of them have, shape (networks, seeds)."""

    @property
    def keys(self) -> list[str]:
        """The architectures' keys."""
        return [network.key for network in self.networks]

    @property
    def plain(self) -> int | None:
        """Where the plain backbone stands among them; None where it is lacking."""
        spellings = [network.architecture for network in self.networks]
        return spellings.index(NONE) if NONE in spellings else None

    def means(self, name: str) -> Numbers:
        """The mean of a measure over the seeds, with the sign that makes more better; shape (networks,)."""
        means: Numbers = measure(name).sign * self.values[name].sum(axis=1) / len(self.seeds)
        return means


def truth(rows: Iterable[Evaluation]) -> Truth:
    """The largest block of architectures by seeds that is complete; what would leave a gap is left out.

    Rows count that are complete, with finite values of the learnt measures that any of them has; the last of one
    architecture and seed. A block has several seeds where at least 3 architectures do. Raises `InputError` where rows
    come from several steps.
    """
    complete = [row for row in rows if row.state == "complete"]
    names = [one.name for one in learnt() if not complete or np.isfinite([row[one.name] for row in complete]).any()]
    trained = [row for row in complete if np.isfinite([row[name] for name in names]).all()]
    if len(steps := {row.step for row in trained}) > 1:
        raise InputError(f"truth: found rows of the steps {', '.join(sorted(steps))}; one step can be the truth")
    known = {(row.key, row.seed): row for row in trained}
    keys, seeds = _block(known)
    kept = [[known[key, seed] for seed in seeds] for key in keys]
    values = {
        name: np.array([[row[name] for row in group] for group in kept], dtype=np.float64).reshape(
            len(keys), len(seeds)
        )
        for name in names
    }
    return Truth(tuple(across_seeds(row for group in kept for row in group)), tuple(seeds), values)


def _block(known: Mapping[tuple[str, int], Evaluation]) -> tuple[Sequence[str], Sequence[int]]:
    """Keys and seeds, all of which go together: the commonest seeds, as many as give the most rows."""
    having: dict[int, dict[str, None]] = {}
    for key, seed in known:
        having.setdefault(seed, {})[key] = None
    seeds = sorted(having, key=lambda seed: (-len(having[seed]), seed))
    shared = accumulate((having[seed] for seed in seeds), lambda keys, more: {key: None for key in keys if key in more})
    blocks = [(list(keys), sorted(seeds[: number + 1])) for number, keys in enumerate(shared)]
    several = [block for block in blocks[1:] if len(block[0]) >= 3]
    return max(several or blocks[:1], key=lambda block: len(block[0]) * len(block[1]), default=([], []))
