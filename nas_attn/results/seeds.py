"""Rows of one architecture with several seeds, as one row."""

import statistics
from collections.abc import Iterable
from dataclasses import replace

from .rows import Evaluation


def across_seeds(rows: Iterable[Evaluation]) -> list[Evaluation]:
    """One row an architecture and step: means over its seeds, in the order in which the architectures come.

    Only complete rows count where there is one; the row of the first seed says everything else.
    """
    groups: dict[tuple[str, str], list[Evaluation]] = {}
    for row in rows:
        groups.setdefault((row.step, row.key), []).append(row)
    return [_mean(group) for group in groups.values()]


def _mean(group: list[Evaluation]) -> Evaluation:
    complete = sorted((row for row in group if row.state == "complete"), key=lambda row: row.seed)
    if len(complete) < 2:
        return complete[0] if complete else group[-1]
    accuracies, losses = [row.accuracy for row in complete], [row.loss for row in complete]
    return replace(
        complete[0],
        accuracy=statistics.fmean(accuracies),
        loss=statistics.fmean(losses),
        train_loss=statistics.fmean(row.train_loss for row in complete),
        train_seconds=statistics.fmean(row.train_seconds for row in complete),
        seeds=len(complete),
        accuracy_std=statistics.stdev(accuracies),
        loss_std=statistics.stdev(losses),
    )
