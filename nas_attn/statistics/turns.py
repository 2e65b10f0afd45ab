"""Trainings judged by folds in turn: how much each fold counts, and what of images the noise of seeds contains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .rank_correlation import Numbers


@dataclass(frozen=True, eq=False, slots=True)
class Turns:
    """Networks and seeds fitted by least squares, as `adjusted_means` does, where each seed is judged by one fold."""

    met: Numbers
    """How many trainings a network has with a seed in a fold, 0 or 1, shape (folds, networks, seeds)."""
    images: Sequence[int]
    """Of each fold."""

    @property
    def counts(self) -> Numbers:
        """Trainings of each network, at least 1 where there is none, shape (networks,)."""
        counts: Numbers = np.maximum(self.met.sum(axis=(0, 2)), 1)
        return counts

    @property
    def seeds(self) -> Numbers:
        """The covariance of seed effects, in units of the noise's variance, shape (seeds, seeds)."""
        met = self.met.sum(axis=0)
        covariance: Numbers = np.linalg.pinv(np.diag(met.sum(axis=0)) - met.T @ (met / self.counts[:, None]))
        return covariance

    def parts(self, weights: Numbers) -> list[Numbers]:
        """What each network counts in contrasts of these weights by its trainings in each fold; their sum is they."""
        own, by_seed = self._counted(weights)
        return [own * met.sum(axis=1) - by_seed @ met.T for met in self.met]

    def contained(self, weights: Numbers, shared: Numbers) -> Numbers:
        """How much of contrasts' variance by seeds is that of images with this covariance, shape (contrasts,).

        The noise of seeds is what residuals show, pooled over all networks. `shared` is (networks, networks).
        """
        met = self.met.sum(axis=0)
        (own, by_seed), seeds = self._counted(weights), self.seeds
        squares = (own**2) @ met.sum(axis=1) - 2 * (own * (by_seed @ met.T)).sum(axis=1)
        squares += (by_seed**2) @ met.sum(axis=0)
        trainings, networks = int(met.sum()), int((met.sum(axis=1) > 0).sum())
        freedom = trainings - networks - np.linalg.matrix_rank(seeds)
        left = 0.0
        for fold, images in zip(self.met, self.images, strict=True):
            counts = fold.sum(axis=1)
            within = fold - counts[:, None] * met / self.counts[:, None]
            residual = np.diag(counts - counts**2 / self.counts) - within @ seeds @ within.T
            left += float((residual * shared).sum()) / images
        found: Numbers = squares * (max(left, 0.0) / freedom if freedom > 0 else 0.0)
        return found

    def _counted(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        """What a training of a network counts, (contrasts, networks), less what its seed does, (contrasts, seeds)."""
        met = self.met.sum(axis=0)
        own = met / self.counts[:, None]
        by_seed = (weights @ own) @ self.seeds
        return weights / self.counts + by_seed @ own.T, by_seed
