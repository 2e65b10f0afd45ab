"""Failures of a training as one-line errors: of a network, or of the machine, the images and the settings."""

import errno
import gc
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from nas_attn.space import InputError, first_line, in_a_line

_NO_MEMORY = (
    *("out of memory", "out_of_device_memory", "out_of_host_memory"),  # CUDA, HIP and MPS; Level Zero
    *("can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc"),  # of the host
    *("alloc_failed", "allocation_failed"),  # cuBLAS, cuSOLVER, cuFFT and cuDNN 8; cuDNN 9
)
"""How a lack of memory is spelt, in small letters, where it is no exception of its own."""
_OF_CALLER = "_raised_by_the_caller"
_OF_MACHINE = {
    getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "ESTALE")
}
_LAST_LINES = 60


class TrainingFailed(Exception):
    """Failure of one network's training; another network may train well."""

    trace = ""
    """The last lines of the traceback of what was raised, if anything was."""
    learning_curve = ""
    """Of the epochs before it, as a row has it."""


class OutOfMemory(TrainingFailed):
    """Lack of memory, on any device."""


class Diverged(TrainingFailed):
    """Loss that became no number: what a recipe makes of a network, and no fault in either."""


class Raised(TrainingFailed):
    """Any other exception; the message begins with its type."""


@contextmanager
def faults_reported() -> Iterator[None]:
    """Context in which an exception becomes a `TrainingFailed`, or an `InputError` where it is no network's fault.

    The latter are faults of the machine, such as a full disk, a lost file or connection. Both have what was raised as
    their cause. `KeyboardInterrupt`, and what a caller's own function or handler of a signal raises, go through.
    """
    try:
        with memory_faults_reported():
            yield
    except (InputError, TrainingFailed, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a network, an attention, a callback may fail in any way, and may exit
        if hasattr(error, _OF_CALLER) or _signalled(error):
            raise
        if isinstance(error, OSError):
            raise InputError(f"stopped by a fault of this machine, not of a network: {in_a_line(error)}") from error
        raise _raised(error) from error


@contextmanager
def networks_own() -> Iterator[None]:
    """Context of a network's own code, in which what would be taken for somebody else's fault is `Raised` too.

    That is an `InputError`, `StopIteration`, and a file that is not there; but not a full disk or another fault of the
    machine.
    """
    try:
        yield
    except (InputError, OSError, StopIteration) as error:
        if (isinstance(error, OSError) and error.errno in (*_OF_MACHINE, errno.ENOMEM)) or _signalled(error):
            raise
        raise _raised(error) from error


def last_lines(error: BaseException) -> str:
    """The end of an exception's traceback."""
    return "\n".join("".join(traceback.format_exception(error)).splitlines()[-_LAST_LINES:])


def _raised(error: BaseException) -> Raised:
    failure = Raised(str(error) if isinstance(error, InputError) else in_a_line(error))
    failure.trace = last_lines(error)
    return failure


def _signalled(error: BaseException) -> bool:
    """Whether the handler of a signal raised it."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {
        getattr(one, "__code__", getattr(type(one).__call__, "__code__", None)) for one in handlers if callable(one)
    }
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


@contextmanager
def callers_own() -> Iterator[None]:
    """Context of a function of the caller's, whose exceptions are no fault of a network."""
    try:
        yield
    except BaseException as error:
        setattr(error, _OF_CALLER, True)
        raise


@dataclass(frozen=True, slots=True)
class Read:
    """Batches whose reading fails as an `InputError`, for no network is to blame; a lack of memory goes through."""

    batches: Any

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self.batches
        except (InputError, TrainingFailed):
            raise
        except Exception as error:  # a user's data may fail in any way
            if _out_of_memory(error) or _signalled(error):
                raise
            raise InputError(f"the images cannot be read: {in_a_line(error)}") from error


@contextmanager
def memory_faults_reported() -> Iterator[None]:
    """Context in which a lack of memory, on any device, is an `OutOfMemory`; what filled the memory is let go."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not _out_of_memory(error):
            raise
        failure = OutOfMemory(f"out of memory: {first_line(error)}")
        failure.trace = last_lines(error)
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        torch.cuda.empty_cache()
        raise failure from None


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):  # of a process that cannot be begun, for instance
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _NO_MEMORY)


@contextmanager
def interrupts_reported() -> Iterator[None]:
    """Context in which Ctrl-C and SIGTERM are a `KeyboardInterrupt`, which Lightning would make a `SystemExit`.

    A SIGTERM handler of the caller's that exits still does. After it the handlers of both signals are as they were.
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
