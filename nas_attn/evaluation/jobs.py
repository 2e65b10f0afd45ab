"""Joint of treatment and processes: several networks trained at once, each in a process and on a device of its own."""

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Protocol

import torch

from nas_attn.results import Evaluation
from nas_attn.space import InputError

_LIVES = 2  # processes that a network may cost before it counts as failed
_READY = "ready"  # what a process says first


class Trains(Protocol):
    """What trains networks: a `Treatment`, which a process that begins need not know of before it is sent one."""

    def train(self, row: Evaluation) -> Evaluation:
        """The row with what training finds, or with the reason why it finds nothing."""


class Workers:
    """Processes that train networks; a process that dies costs no row, and one that cannot begin ends the search.

    Each has its share of this process's threads, and one of its CUDA devices. Use it as a context; its end is theirs.
    """

    def __init__(self, treatment: Trains, jobs: int) -> None:
        self.jobs = jobs
        threads = max(1, torch.get_num_threads() // jobs)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all = [_Worker(treatment, device, threads) for device in _devices(jobs)]
        for worker in self._all:
            self._idle.put(worker)
        self._drivers = ThreadPoolExecutor(jobs, thread_name_prefix="trains")
        self._ended = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for worker in self._all:
            worker.end()
        self._drivers.shutdown(cancel_futures=True)

    def train(self, row: Evaluation) -> Future[Evaluation]:
        """The row, once it is trained as `Treatment.train` says.

        It has failed where two processes have died while they trained it. The future raises `InputError` where a
        process ends before it is ready to train anything.
        """
        return self._drivers.submit(self._drive, row)

    def _drive(self, row: Evaluation) -> Evaluation:
        worker = self._idle.get()
        try:
            for _ in range(_LIVES):
                try:
                    return worker.train(row)
                except (EOFError, OSError):
                    if self._ended:
                        raise
                died = worker.revive()
        finally:
            self._idle.put(worker)
        reason = f"{_LIVES} processes died while they trained it, the last by {died}; perhaps memory does not suffice"
        return replace(row, state="failed", reason=reason)


@dataclass
class _Worker:
    """A process that trains one network at a time."""

    treatment: Trains
    device: str | None
    """The CUDA device that is all that it sees."""
    threads: int

    def __post_init__(self) -> None:
        self._line: Connection
        self._process: SpawnProcess
        self._ready: bool
        self._start()

    def _start(self) -> None:
        processes = get_context("spawn")
        self._line, far_end = processes.Pipe()
        # No daemon, for a user's data may have worker processes of its own.
        self._process = processes.Process(target=_serve, args=(far_end, self.treatment, self.device, self.threads))
        self._process.start()
        self._ready = False
        far_end.close()

    def train(self, row: Evaluation) -> Evaluation:
        """The trained row; raises what went wrong there, and `EOFError` or `OSError` where the process died.

        Raises `InputError` where it died before it was ready.
        """
        if not self._ready:
            self._await_start()
        self._line.send(row)
        told = self._line.recv()
        if isinstance(told, BaseException):
            raise told
        return told  # type: ignore[no-any-return]

    def _await_start(self) -> None:
        """Wait until the process says that it is ready: a fault of what it imports is none of the network's."""
        try:
            self._line.recv()
        except (EOFError, OSError):
            raise InputError(
                f"a process that was to train ended before it was ready, by {self._death()}; see above what it said. "
                "Each such process imports the script that began it: in a script, `run` with several jobs must stand "
                'under `if __name__ == "__main__":`'
            ) from None
        self._ready = True

    def revive(self) -> str:
        """Put another process in the place of a dead one, and say what that died of."""
        died = self._death()
        self._start()
        return died

    def _death(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()


def _serve(line: Connection, treatment: Trains, device: str | None, threads: int) -> None:
    """Train what comes down the line, until the process at its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the search alone answers it
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    torch.set_num_threads(threads)
    line.send(_READY)
    while True:
        try:
            row = line.recv()
        except EOFError:
            return
        try:
            told: Evaluation | BaseException = treatment.train(row)
        except BaseException as error:  # whatever it is, the search has to hear of it
            told = error
        line.send(told)


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _devices(jobs: int) -> list[str | None]:
    """For each job the CUDA device that it may see, in turn; nothing where there is none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    return [names[job % len(names)] if names and torch.cuda.is_available() else None for job in range(jobs)]
