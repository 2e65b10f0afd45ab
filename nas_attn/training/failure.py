"""How training goes wrong, told in a sentence; and how it is broken off."""

import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


class TrainingFailed(Exception):
    """A network could not be trained, for the reason that the message gives; another network may well be."""


@contextmanager
def memory_faults_told() -> Iterator[None]:
    """Within it running out of memory, on any device, is a `TrainingFailed`; what filled the memory is let go."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        torch.cuda.empty_cache()
        first_line = str(error).partition("\n")[0]
        raise TrainingFailed(f"out of memory: {first_line or type(error).__name__}") from None


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error).lower() for sign in _NO_MEMORY)


@contextmanager
def interrupts_told() -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM are a `KeyboardInterrupt`, which Lightning would make a `SystemExit`.

    Who asks to exit by a SIGTERM handler of his own does exit. The handlers of both signals are as they were after it.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving, SIGTERMException) or isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt("training was broken off") from None
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None:
                    signal.signal(number, handler)
