"""How long one forward pass takes on a device, beside a reference network, so that what slows both cancels."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import get_clock_info, perf_counter_ns, thread_time_ns
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import nn

from nas_attn.settings import LatencyTarget

from .targets import Pass, prepare

Stopwatch = Callable[[Pass], float]
"""Does one pass, and gives the milliseconds that it took."""

WARM_UP_CALLS = 10
WARM_UP_MS = 200.0
ROUND = 5
"""Passes in a row of one network, before it is the other's turn."""
STEADY = 0.03
"""Width of the interval over the latency up to which a measurement does not go on."""
LONGEST = 2
"""How many times the requested calls a measurement may take."""
UNDISTURBED = 0.02
"""The quantile of passes that stands for those which nothing else on the host has slowed."""
RESAMPLES = 500
FINE_S = 1e-6
"""How fine a clock must be to time a pass."""

_Times = NDArray[np.float64]


class _Sure(NamedTuple):
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LatencyReading:
    """The time of one forward pass, and how sure it is."""

    median_ms: float
    """The median of the passes, which were timed one by one; beside a reference what it would have been with it."""
    low_ms: float
    """The lower end of its 95 % interval."""
    high_ms: float
    """The upper end of its 95 % interval."""
    iqr_ms: float
    """The interquartile range of the passes."""
    calls: int
    """How many passes were timed."""
    device: str
    """The device's model: `NVIDIA H200`, `AMD EPYC 7763 64-Core Processor`."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A network that is timed in turn with others, and its latency, which is the unit of theirs."""

    one_pass: Pass
    median_ms: float


def measure_latency(
    network: nn.Module,
    image: tuple[int, int, int],
    target: LatencyTarget,
    device: torch.device,
    reference: Reference | None = None,
) -> LatencyReading:
    """Time of a forward pass of a network, in evaluation mode, on images of (channels, height, width).

    A copy of the network runs; the number of threads is as before afterwards. At least 10 passes and 0.2 seconds go by
    before the first that is timed. One measurement runs at a time on a host, in whatever process: others wait.

    Beside a reference, five passes of the network and five of the reference take turns. The latency is the ratio of
    the times of their fastest passes, which other work on the host slows least, times the reference's median. While the
    interval is wider than 3 % of the latency the measurement goes on, up to twice the requested calls. On one thread of
    a CPU only the time counts in which that thread ran.

    Raises `InputError` as `prepare` does.
    """
    return measure_pass(lambda: prepare(network, image, target, device), target, device, reference)


def measure_pass(
    made: Callable[[], Pass], target: LatencyTarget, device: torch.device, reference: Reference | None = None
) -> LatencyReading:
    """Time of the pass that a function makes, as `measure_latency` times that of a network; raises what that does."""
    with alone_on_this_host(), ExitStack() as after, torch.inference_mode():
        after.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(target.threads)
        one_pass = made()
        sure, times = _timed(one_pass, reference, _stopwatch(device, target.threads), target.calls)
    lower, upper = np.quantile(times, [0.25, 0.75])
    return LatencyReading(sure.value, sure.low, sure.high, float(upper - lower), len(times), device_name(device))


@contextmanager
def alone_on_this_host() -> Iterator[None]:
    """Within it no other process of this user times a network; before, wait until none does.

    A process that ends, however it ends, lets the others go on.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    with FileLock(Path(tempfile.gettempdir()) / f"nas-attn-timing-{user}.lock", is_singleton=True):
        yield


def device_name(device: torch.device) -> str:
    """The device's model as its maker calls it, or the type of a device that has no name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8", errors="replace").splitlines() if cpus.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _timed(one_pass: Pass, reference: Reference | None, stopwatch: Stopwatch, calls: int) -> tuple[_Sure, _Times]:
    """The latency with its interval, and the milliseconds of the network's passes."""
    passes = [one_pass] if reference is None else [one_pass, reference.one_pass]
    for each in passes:
        _warm_up(each, stopwatch)
    statistic = _median if reference is None else partial(_ratio, reference.median_ms)
    times = np.empty((len(passes), 0, ROUND))
    for _ in range(LONGEST):
        rounds = [[[stopwatch(each) for _ in range(ROUND)] for each in passes] for _ in range(-(-calls // ROUND))]
        times = np.concatenate([times, np.array(rounds).swapaxes(0, 1)], axis=1)
        sure = _bootstrap(statistic, times)
        if sure.high - sure.low <= STEADY * sure.value:
            break
    return sure, times[0].ravel()


def _median(times: _Times) -> _Times:
    return np.asarray(np.median(times[0], axis=-1))


def _ratio(reference_ms: float, times: _Times) -> _Times:
    """Of the fastest passes: other work on the host slows networks unlike, and only ever makes a pass longer."""
    network, reference = np.quantile(times, UNDISTURBED, axis=-1)
    return np.asarray(network / reference * reference_ms)


def _bootstrap(statistic: Callable[[_Times], _Times], times: _Times) -> _Sure:
    """A statistic of all passes, with its 95 % interval over rounds drawn anew, whole, because neighbours are alike.

    `times` has the shape (networks, rounds, passes of a round).
    """
    networks, rounds, _ = times.shape
    drawn = np.random.default_rng(0).integers(rounds, size=(RESAMPLES, rounds))
    low, high = np.quantile(statistic(times[:, drawn].reshape(networks, RESAMPLES, -1)), [0.025, 0.975])
    return _Sure(float(statistic(times.reshape(networks, -1))), float(low), float(high))


def _warm_up(one_pass: Pass, stopwatch: Stopwatch) -> None:
    calls, passed_ms = 0, 0.0
    while calls < WARM_UP_CALLS or passed_ms < WARM_UP_MS:
        passed_ms += stopwatch(one_pass)
        calls += 1


def _stopwatch(device: torch.device, threads: int) -> Stopwatch:
    """On one thread of a CPU the time that this thread ran, which other work on the host does not make longer."""
    if device.type == "cuda":
        return partial(_by_events, device)
    if device.type == "cpu":
        alone = threads == 1 and get_clock_info("thread_time").resolution <= FINE_S
        return partial(_by_clock, thread_time_ns if alone else perf_counter_ns)
    return partial(_by_clock, perf_counter_ns, wait=partial(torch.accelerator.synchronize, device))


def _by_clock(clock_ns: Callable[[], int], one_pass: Pass, wait: Callable[[], None] | None = None) -> float:
    """The time of a pass, and of the wait for a device that works on its own."""
    start_ns = clock_ns()
    one_pass()
    if wait is not None:
        wait()
    return (clock_ns() - start_ns) / 1e6


def _by_events(device: torch.device, one_pass: Pass) -> float:
    """The time between two events on the GPU's current stream; nothing else is waiting there at the first."""
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        start.record()
        one_pass()
        end.record()
        end.synchronize()
    return float(start.elapsed_time(end))
