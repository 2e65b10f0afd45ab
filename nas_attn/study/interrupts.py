"""A polite request to stop, from the keyboard or from a scheduler, ends a search in one way."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 0.1
"""How soon an interrupt is raised again that Python has ignored."""


@contextmanager
def terminable() -> Iterator[None]:
    """Within this, SIGTERM raises `KeyboardInterrupt`, as Ctrl-C does, and neither is lost.

    Python ignores an interrupt that comes while it clears up an object: that one is raised again a moment later.
    Signals reach the main thread only; in another thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def ignored(what: "sys.UnraisableHookArgs") -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            again = threading.Timer(_AGAIN_S, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            hook(what)

    before, hook = signal.signal(signal.SIGTERM, interrupt), sys.unraisablehook
    sys.unraisablehook = ignored
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        sys.unraisablehook = hook
