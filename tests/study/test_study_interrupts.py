"""A request to stop is heard wherever it comes."""

import os
import signal
import sys
import time

import pytest

from nas_attn.study import terminable


class Stopped:
    """An object in whose clean-up a signal comes, where Python ignores what is raised."""

    def __init__(self, number):
        self._number = number

    def __del__(self):
        os.kill(os.getpid(), self._number)
        for _ in range(1000):
            time.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_comes_in_a_clean_up_is_heard_a_moment_later(number, capfd):
    before = sys.unraisablehook

    def work():
        Stopped(number)
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt), terminable():
        work()
    assert sys.unraisablehook is before
    assert capfd.readouterr().err == ""


def test_whatever_else_fails_in_a_clean_up_is_still_said(monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: said.append(what.exc_type))

    class Faulty:
        def __del__(self):
            raise OSError

    with terminable():
        Faulty()
    assert said == [OSError]
