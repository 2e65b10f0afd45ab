"""Lightning without its announcements."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_fabric.utilities.warnings import PossibleUserWarning

_LOGGERS = tuple(map(logging.getLogger, ("pytorch_lightning", "lightning_fabric")))


@contextmanager
def quiet() -> Iterator[None]:
    """Context in which Lightning logs errors only; after it, logging and warnings are as they were."""
    levels = [logger.level for logger in _LOGGERS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
        warnings.filterwarnings(
            "ignore", message=r"Attribute '.*' (is an instance of `nn.Module`|removed from hparams)"
        )
        warnings.filterwarnings("ignore", message=r"Experiment logs directory .* exists and is not empty")
        warnings.filterwarnings("ignore", message=r"Checkpoint directory .* exists and is not empty")
        try:
            for logger in _LOGGERS:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(_LOGGERS, levels, strict=True):
                logger.setLevel(level)
