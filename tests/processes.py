"""Processes for tests, forked from one that has imported the package: each begins at once, not after seconds.

What is tested may signal them, kill them and read what they print, as with `subprocess.Popen`. That a new interpreter
does the same is tested where that is the point.
"""

import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import suppress
from multiprocessing import get_context
from threading import Thread

import pytest
from sqlalchemy import Engine, event
from versions import ONNX

from nas_attn import cli

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("nas_attn.cli", "nas_attn.launch", "nas_attn.report.page", "sklearn.datasets"),
        *("alembic.config", "alembic.script", "optuna.storages._rdb.models", "sqlalchemy.dialects.postgresql.psycopg"),
        "psycopg",
    ]
)


_ONNX_NEEDS = "nas_attn.export.program._ONNX_NEEDS"


def make_haste(patch):
    """Do without what only steadies latencies, which counts in tests/cost alone, and what only outlasts a power cut.

    Exports are as where `onnx` is not installed, but in tests of what `model.onnx` does.
    """
    patch.setattr("nas_attn.cost.latency.WARM_UP_MS", 0.0)
    patch.setattr(_ONNX_NEEDS, ("onnx-in-a-hurry",))
    event.listen(Engine, "connect", _wait_for_no_disk)


def fork_workers(patch):
    """Fork the processes that train networks."""
    patch.setattr("nas_attn.evaluation.jobs.get_context", lambda _: FORKS)


def export_to_onnx(patch):
    """Export `model.onnx` too, where it can be had."""
    patch.setattr(_ONNX_NEEDS, ONNX)


def _wait_for_no_disk(connection, _):
    if isinstance(connection, sqlite3.Connection):
        with suppress(sqlite3.Error):  # whatever is wrong with the file is found by who reads it
            connection.execute("PRAGMA synchronous = OFF")


class Forked:
    """A call of a function of a module, in a process of its own."""

    def __init__(self, function, *arguments, cwd=None):
        pipes = [FORKS.Pipe(duplex=False) for _ in range(2)]
        ends = [end for _, end in pipes]
        self._process = FORKS.Process(target=_call, args=(*ends, cwd, function, arguments))
        self._process.start()
        self.stdout, self.stderr = (os.fdopen(os.dup(begin.fileno())) for begin, _ in pipes)
        for end in sum(pipes, ()):
            end.close()

    @property
    def returncode(self):
        """How it ended, as `subprocess.Popen` says it; None while it runs."""
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def communicate(self, timeout=300):
        """What else it prints, and what it says on the error stream, until it has ended."""
        with self.stdout, self.stderr:
            said = []
            reader = Thread(target=lambda: said.append(self.stderr.read()))
            reader.start()
            printed = self.stdout.read()
            reader.join(timeout)
        self._process.join(timeout)
        assert self.returncode is not None, "it does not end"
        return printed, *said


def start(*arguments, cwd=None, before=None):
    """Begin a command of `nas-attn`, after a call of something that concerns its process alone."""
    return Forked(_command, before, *map(str, arguments), cwd=cwd)


def command(*arguments, cwd=None):
    """What a command of `nas-attn` prints that ends well and complains of nothing."""
    process = start(*arguments, cwd=cwd)
    printed, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    return printed


def start_program(code, *arguments, cwd=None):
    """Begin what `python -c CODE ...` begins."""
    return Forked(_program, textwrap.dedent(code), *map(str, arguments), cwd=cwd)


def program(code, *arguments, cwd=None):
    """As `subprocess.run` of `python -c CODE ...`, with all output captured."""
    process = start_program(code, *arguments, cwd=cwd)
    printed, said = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, printed, said)


def _program(code, *arguments):
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})


def _command(before, *arguments):
    make_haste(pytest.MonkeyPatch())
    if before is not None:
        before()
    sys.argv = ["nas-attn", *arguments]
    cli.main()


def _call(out, err, cwd, function, arguments):
    for number, end in ((1, out), (2, err)):
        os.dup2(end.fileno(), number)
        end.close()
    os.chdir(cwd or os.curdir)
    function(*arguments)
