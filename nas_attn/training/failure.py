"""How training goes wrong, told in a sentence: a network's fault, or one of all; and how it is broken off."""

import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from nas_attn.space import InputError

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
_OF_CALLER = "_raised_by_the_caller"


class TrainingFailed(Exception):
    """A network could not be trained, for the reason that the message gives; another network may well be."""


class Diverged(TrainingFailed):
    """The loss became no number: what a recipe makes of a network, and no fault in either."""


class Raised(TrainingFailed):
    """Something was raised that is neither; the message begins with its type."""


@contextmanager
def faults_told() -> Iterator[None]:
    """Within it all that goes wrong is told in a line: as `TrainingFailed` what a network may be to blame for.

    What the machine is to blame for, such as a full disk, a lost file or connection, is an `InputError`. Both have what
    was raised as their cause. `KeyboardInterrupt`, `SystemExit` and what a caller's own function raises go through.
    """
    try:
        with memory_faults_told():
            yield
    except (InputError, TrainingFailed):
        raise
    except Exception as error:  # a network, an attention, a callback may fail in any way
        if hasattr(error, _OF_CALLER):
            raise
        if isinstance(error, OSError):
            told = f"stopped by a fault of this machine, not of a network: {in_a_line(error)}"
            raise InputError(told) from error
        raise Raised(in_a_line(error)) from error


@contextmanager
def callers_own() -> Iterator[None]:
    """Within it a function of the caller's runs: what it raises is no fault of a network."""
    try:
        yield
    except Exception as error:
        setattr(error, _OF_CALLER, True)
        raise


def in_a_line(error: Exception) -> str:
    """The type of what was raised, and what it says; of a worker's traceback the end."""
    said = str(error).strip().splitlines() or [""]
    line = said[-1] if "Traceback" in str(error) else f"{type(error).__name__}: {said[0]}".removesuffix(": ")
    return "; ".join((line, *getattr(error, "__notes__", ())))


@dataclass(frozen=True, slots=True)
class Read:
    """Batches, of which it is told where they cannot be read: no network is to blame for that."""

    batches: Any

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        """Each batch; raises `InputError`, but for a lack of memory, which goes through."""
        try:
            yield from self.batches
        except (InputError, TrainingFailed):
            raise
        except Exception as error:  # a user's data may fail in any way
            if _out_of_memory(error):
                raise
            raise InputError(f"the images cannot be read: {in_a_line(error)}") from error


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
