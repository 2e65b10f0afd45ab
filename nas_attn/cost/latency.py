"""How long one forward pass takes on a device, told with everything that the number depends on."""

import copy
import platform
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns

import torch
from torch import nn

from nas_attn.settings import Latency

Pass = Callable[[], object]
"""One forward pass."""

Stopwatch = Callable[[Pass], float]
"""Does one pass, and gives the milliseconds that it took."""

WARM_UP_CALLS = 10
WARM_UP_MS = 200.0
STEADY = 0.1
"""Interquartile range over median up to which a measurement is not repeated."""
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class LatencyReading:
    """The time of one forward pass, and how it was measured."""

    median_ms: float
    """The median of the passes, which were timed one by one."""
    iqr_ms: float
    """Their interquartile range."""
    calls: int
    """How many passes were timed."""
    device: str
    """The device's model: `NVIDIA H200`, `AMD EPYC 7763 64-Core Processor`."""
    threads: int
    """Threads that a pass may use on a CPU."""
    batch: int
    """Images in one pass."""
    dtype: str
    """The number format of weights and images."""


def measure_latency(
    network: nn.Module, image: tuple[int, int, int], settings: Latency, device: torch.device
) -> LatencyReading:
    """Time forward passes of a network, in evaluation mode and float32, on images of (channels, height, width).

    A copy of the network runs, so the network keeps its mode, device and weights; the number of threads is as before
    afterwards. At least 10 passes and 0.2 seconds go by before the first that is timed. Where the interquartile range
    is more than a tenth of the median, the measurement is repeated, at most twice, and the steadiest is kept.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((settings.batch, *image), generator=generator).to(device)
    timed = copy.deepcopy(network).to(device=device, dtype=torch.float32).eval()
    with _threads(settings.threads), torch.inference_mode():
        median_ms, iqr_ms = _steadiest(partial(timed, images), _stopwatch(device), settings.calls)
    return LatencyReading(
        median_ms=median_ms,
        iqr_ms=iqr_ms,
        calls=settings.calls,
        device=device_name(device),
        threads=settings.threads,
        batch=settings.batch,
        dtype=str(images.dtype).removeprefix("torch."),
    )


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


def _steadiest(one_pass: Pass, stopwatch: Stopwatch, calls: int) -> tuple[float, float]:
    """Median and interquartile range, in milliseconds, of the steadiest attempt."""
    _warm_up(one_pass, stopwatch)
    attempts: list[tuple[float, float]] = []
    while len(attempts) < ATTEMPTS and not any(iqr_ms <= STEADY * median_ms for median_ms, iqr_ms in attempts):
        lower, median_ms, upper = statistics.quantiles(
            [stopwatch(one_pass) for _ in range(calls)], n=4, method="inclusive"
        )
        attempts.append((median_ms, upper - lower))
    return min(attempts, key=lambda attempt: attempt[1] / attempt[0])


def _warm_up(one_pass: Pass, stopwatch: Stopwatch) -> None:
    calls, passed_ms = 0, 0.0
    while calls < WARM_UP_CALLS or passed_ms < WARM_UP_MS:
        passed_ms += stopwatch(one_pass)
        calls += 1


def _stopwatch(device: torch.device) -> Stopwatch:
    if device.type == "cuda":
        return partial(_by_events, device)
    if device.type == "cpu":
        return _by_clock
    return lambda one_pass: _by_clock(partial(_to_the_end, one_pass, device))


def _by_clock(one_pass: Pass) -> float:
    start_ns = perf_counter_ns()
    one_pass()
    return (perf_counter_ns() - start_ns) / 1e6


def _to_the_end(one_pass: Pass, device: torch.device) -> None:
    """Do a pass on a device that works on its own, and wait until it is done."""
    one_pass()
    torch.accelerator.synchronize(device)


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


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
