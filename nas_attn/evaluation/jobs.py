"""Worker processes that train several networks at once, one process and one device each."""

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue

import torch

from nas_attn.data import share_devices
from nas_attn.results import Evaluation
from nas_attn.space import InputError, parse, reported

from .protocol import TrainingProtocol

_LIVES = 2  # processes that a network may cost before it counts as failed
_UNSENDABLE = (
    "no process can be begun for jobs, for it needs a copy of all that trains: search with one job, or define "
    "what cannot be copied at the top of a module"
)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """What a process says after an epoch."""

    done: int
    epochs: int


class _Late(Exception):
    """A training that took longer than it may; the message says how far it came."""


def workers(protocol: TrainingProtocol, jobs: int) -> "AbstractContextManager[Workers | None]":
    """Context with processes for several jobs, or for one that has a limit, since a process alone can be ended."""
    needed = jobs > 1 or protocol.limit_minutes is not None
    return Workers(protocol, jobs) if needed else nullcontext()


class Workers:
    """Pool of processes, each with a share of this process's threads and one of its CUDA devices; they end with it.

    A process that dies costs no row, and one that cannot begin ends the search.
    """

    def __init__(self, protocol: TrainingProtocol, jobs: int) -> None:
        self.jobs = jobs
        self._protocol = protocol
        threads = max(1, torch.get_num_threads() // jobs)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        devices = _devices(jobs)
        self._all = [_Worker(protocol, device, threads, devices.count(device)) for device in devices]
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
        """The row, trained as by `TrainingProtocol.train`; failed where two processes have died while they trained it.

        Where it takes longer than the protocol's limit, its process is ended and it has failed. The future raises
        `InputError` where a process ends before it is ready to train anything, or the plain backbone takes too long.
        """
        return self._drivers.submit(self._drive, row)

    def _drive(self, row: Evaluation) -> Evaluation:
        worker = self._idle.get()
        try:
            for _ in range(_LIVES):
                try:
                    return worker.train(row)
                except _Late as late:
                    worker.end()
                    worker.start()
                    return self._failed(row, str(late), whole=True)
                except (EOFError, OSError):
                    if self._ended:
                        raise
                death = worker.death()
                worker.start()
        finally:
            self._idle.put(worker)
        return self._failed(
            row, f"{_LIVES} processes died while they trained it, the last by {death}; memory may not suffice"
        )

    def _failed(self, row: Evaluation, reason: str, whole: bool = False) -> Evaluation:
        """The failed row; raises `InputError` where the `whole` study is at fault, because the plain backbone is."""
        self._protocol.forget(row)
        if whole and row.role != "width-matched" and not parse(row.architecture).placements:
            raise InputError(f"the plain backbone cannot be trained: {reason}")
        return replace(row, state="failed", reason=reason)


class _Worker:
    _line: Connection
    _process: SpawnProcess

    def __init__(self, protocol: TrainingProtocol, device: str | None, threads: int, sharing: int) -> None:
        self._given = protocol, device, threads, sharing
        self._limit_minutes = protocol.limit_minutes
        self.start()

    def start(self) -> None:
        """Start a process, in the place of a dead one if there was one."""
        processes = get_context("spawn")
        self._line, far_end = processes.Pipe()
        # No daemon, for a user's data may have worker processes of its own.
        self._process = processes.Process(target=_serve, args=(far_end, *self._given))
        with reported(_UNSENDABLE):
            self._process.start()
        self._ready = False
        far_end.close()

    def train(self, row: Evaluation) -> Evaluation:
        """The trained row; raises what was raised there, and `EOFError` or `OSError` where the process died.

        Raises `_Late` where it takes longer than it may, and `InputError` where its process died before it was ready: a
        fault of what it imports is none of the network's.
        """
        try:
            self._ready = self._ready or self._line.recv()
        except (EOFError, OSError):
            raise InputError(
                f"a process that was to train ended before it was ready, by {self.death()}; see above what it said. "
                "Each such process imports the script that began it: in a script, `run` with several jobs must stand "
                'under `if __name__ == "__main__":`'
            ) from None
        self._line.send(row)
        outcome = self._outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _outcome(self) -> Evaluation | BaseException:
        began, reached = time.monotonic(), "no epoch was done"
        while True:
            if self._limit_minutes is not None:
                left = began + 60 * self._limit_minutes - time.monotonic()
                if not self._line.poll(max(0.0, left)):
                    raise _Late(f"it took longer than search.limit_minutes = {self._limit_minutes:g}; {reached}")
            said: Evaluation | BaseException | _Epoch = self._line.recv()
            if not isinstance(said, _Epoch):
                return said
            reached = f"{said.done} of {said.epochs} epochs were done"

    def death(self) -> str:
        """The signal or the exit code by which the process ended."""
        self._process.join()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()


def _serve(line: Connection, protocol: TrainingProtocol, device: str | None, threads: int, sharing: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the search alone answers it
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    torch.set_num_threads(threads)
    share_devices(sharing)
    line.send(True)  # ready
    while True:
        try:
            row = line.recv()
        except EOFError:
            return
        try:
            outcome: Evaluation | BaseException = protocol.train(row, lambda done, all_: line.send(_Epoch(done, all_)))
        except BaseException as error:  # whatever it is, the search has to know
            outcome = error
        line.send(outcome)


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _devices(jobs: int) -> list[str | None]:
    """The visible CUDA device of each job, in turn; None where there is none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    return [names[job % len(names)] if names and torch.cuda.is_available() else None for job in range(jobs)]
