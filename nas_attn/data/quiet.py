"""Lightning without its announcements."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.profilers import PassThroughProfiler

_TALKERS = ("pytorch_lightning", "lightning_fabric")


@contextmanager
def quiet() -> Iterator[None]:
    """Within it Lightning tells errors only; after it, logging and warnings are as they were."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class Unheard(PassThroughProfiler):
    """A profiler that takes no notes, and no time: Lightning asks it some fifty times a step."""

    _nothing: AbstractContextManager[None] = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """The same context again and again, in which nothing happens."""
        return self._nothing
