"""Run of all steps of a chain: the best networks of each go on to the next."""

from itertools import pairwise

from nas_attn.search import promoted

from .steps import Chain


def run_chain(chain: Chain, trials: int | None = None) -> str:
    """Run every step of a chain in turn, and return a sentence on why the last one stopped.

    `trials` stands for the number of networks of the first step. Raises as `Search.run` does.
    """
    file = chain.folder.file
    first = file.steps[0]
    reason = chain.run_step(first.model_copy(update={"networks": trials or first.networks}))
    for before, step in pairwise(file.steps):
        rows = chain.folder.seed_rows(before.name)
        reason = chain.run_step(step, promoted(rows, file, step.networks or 1, before.score))
    return reason
