"""Trainings that need more memory than there is: once more, with each batch in parts whose gradients are added up."""

import logging
from collections.abc import Callable
from typing import TypeVar

from nas_attn.tasks import Task
from nas_attn.training import OutOfMemory

PARTS = 2
"""Of a batch that needs more memory than there is."""
_AGAIN = (
    "%s: %s; batches of %d images need more memory than there is, so it is trained once more with each batch in %d "
    "parts, whose gradients are added up: batch normalisation sees parts%s"
)
_LOG = logging.getLogger(__name__)

T = TypeVar("T")


def whole_or_halved(
    attempt: Callable[[int], T], task: Task, batch_size: int, *, named: str, noted: str = "", halved: bool = False
) -> T:
    """What an attempt gives with each batch in one part or, where that needs more memory than there is, in `PARTS`.

    The log says so of what is `named` so, and where that is `noted`. With `halved` it has gone in parts before.
    Raises `OutOfMemory` where parts need too much memory too, or code of the user's makes the batches.
    """
    if not halved:
        try:
            return attempt(1)
        except OutOfMemory as failure:
            if not task.divisible:
                raise _remarked(
                    failure, "code of your own makes the batches, so they stay whole"
                ) from failure.__cause__
            _LOG.warning(_AGAIN, named, str(failure), batch_size, PARTS, noted)
    try:
        return attempt(PARTS)
    except OutOfMemory as failure:
        raise _remarked(failure, f"with each batch in {PARTS} parts too") from failure.__cause__


def _remarked(failure: OutOfMemory, remark: str) -> OutOfMemory:
    failure.args = (f"{failure} ({remark})",)
    return failure
