"""Run of all steps of a chain: the best networks of each go on to the next."""

import logging
from collections.abc import Sequence
from itertools import pairwise

from nas_attn.results import Evaluation, across_seeds
from nas_attn.search import promoted
from nas_attn.space import Architecture, parse
from nas_attn.study import StudyFolder

from .steps import Chain

_LOG = logging.getLogger(__name__)
_OTHER_STARTS = ("cbam", "global_context", "non_local", "triplet")
"""Kinds whose `start = "paper"` was torch's own in version 0.1.0, and is their authors' since."""


def run_chain(chain: Chain, trials: int | None = None) -> str:
    """Run every step of a chain in turn, and return a sentence on why the last one stopped.

    `trials` stands for the number of networks of the first step, the first of those that it lists. Raises as
    `Search.run` does.
    """
    file = chain.folder.file
    _warn_of_former_starts(chain.folder)
    first = file.steps[0]
    listed = [parse(text) for text in first.architectures[:trials]] or None
    reason = chain.run_step(first.model_copy(update={"networks": trials or first.networks}), listed)
    for before, step in pairwise(file.steps):
        rows = chain.folder.seed_rows(before.name)
        chosen = promoted(rows, file, step.networks or 1, before.score)
        chain.watch.on_promoted(before, step, chosen, _ties(rows, before.score, chosen))
        reason = chain.run_step(step, chosen)
    return reason


def _ties(rows: Sequence[Evaluation], score: str, chosen: Sequence[Architecture]) -> int:
    """How many networks stay behind whose score is exactly that of one that goes on, the plain backbone left out."""
    keys = {one.key for one in chosen}
    known = [row for row in across_seeds(rows) if row.state == "complete"]
    scores = {row[score] for row in known if row.key in keys - {Architecture().key}}
    return sum(row.key not in keys and row[score] in scores for row in known)


def _warn_of_former_starts(folder: StudyFolder) -> None:
    """Say in the log which kinds version 0.1.0 trained from other initial weights than networks begin with now."""
    rows = (row for row in folder.all_rows() if "nas-attn 0.1." in row.versions and row.state == "complete")
    placed = (placement.attention for row in rows for placement in parse(row.architecture).placements)
    found = {one.kind for one in placed if one.kind in _OTHER_STARTS and ("start", "identity") not in one.options}
    if found:
        message = "%s: rows of version 0.1.0 with %s began with torch's initial weights, new ones with their authors'"
        _LOG.warning(message, folder.path, ", ".join(sorted(found)))
