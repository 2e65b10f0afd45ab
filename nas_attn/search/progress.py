"""Rows of a step so far, seed by seed, and what is left to train of each network."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from nas_attn.results import Evaluation, across_seeds
from nas_attn.settings import Budget
from nas_attn.study import over_budget


@dataclass
class Known:
    """Rows of a step by key and seed, as today's budget and seeds have them."""

    budget: Budget
    seeds: range
    rows: dict[str, dict[int, Evaluation]] = field(default_factory=dict)

    def add(self, rows: Iterable[Evaluation]) -> None:
        """Take in rows; each takes the place of one of the same key and seed."""
        for row in rows:
            self.rows.setdefault(row.key, {})[row.seed] = row

    def missing(self, key: str) -> list[int]:
        """The seeds for which a network has to be trained; none where it costs more than the budget allows."""
        rows = self.rows.get(key, {})
        if any(over_budget(row, self.budget) for row in rows.values()):
            return []
        return [seed for seed in self.seeds if seed not in rows or not _trained(rows[seed])]

    def has(self, key: str, seed: int) -> bool:
        """Whether a network is trained with a seed, with or without success."""
        row = self.rows.get(key, {}).get(seed)
        return row is not None and _trained(row)

    def begun(self, key: str) -> bool:
        """Whether a network is trained for some seeds and not for others."""
        return any(map(_trained, self.rows[key].values())) and bool(self.missing(key))

    def in_progress(self) -> set[str]:
        """The keys of those that are begun and not trained for all seeds."""
        return {*filter(self.begun, self.rows)}

    def verdict(self, key: str) -> Evaluation:
        """One row for a network that misses nothing: what failed or is over budget for one seed is so for all."""
        rows = self.rows[key].values()
        exceptions = [row for state in ("failed", "over_budget") for row in rows if row.state == state]
        return exceptions[0] if exceptions else across_seeds(rows)[0]

    @property
    def complete(self) -> list[str]:
        """The keys of the networks that miss nothing."""
        return [key for key in self.rows if not self.missing(key)]

    @property
    def trained(self) -> list[str]:
        """The keys of those that are trained, with or without success."""
        return [key for key in self.complete if any(map(_trained, self.rows[key].values()))]


def _trained(row: Evaluation) -> bool:
    return row.state in ("complete", "failed")
