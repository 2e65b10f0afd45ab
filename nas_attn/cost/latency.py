"""The time of one forward pass, measured so that a busy machine does not decide it."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas_attn.settings import Latency

_WARM_UP_CALLS, _WARM_UP_SECONDS = 10, 0.2
_ATTEMPTS, _STEADY = 3, 0.1  # measure again while the spread is above a tenth of the median

Clock = Callable[[Callable[[], object]], float]
"""Runs something once and says how many milliseconds it took."""


@dataclass(frozen=True, slots=True)
class LatencyReading:
    """A latency with what it was measured on; readings compare only where all but the times is equal."""

    median_ms: float
    """Of the calls, each timed alone."""
    iqr_ms: float
    """Interquartile range of the calls."""
    calls: int
    device: str
    """The device by its model's name."""
    threads: int
    """Threads that a call could use on a CPU."""
    batch: int
    """Images in one call."""
    dtype: str
    """`float32`."""


def measure_latency(
    network: nn.Module, image: tuple[int, int, int], settings: Latency, device: torch.device
) -> LatencyReading:
    """Time single forward passes of a batch of images (channels, height, width), in evaluation mode and float32.

    At least 10 calls and 0.2 s of warm-up; then `settings.calls` calls, each timed alone, whose median is the reading:
    on a shared machine a mean follows whatever else is running. Where the spread is above a tenth of the median, the
    measurement is repeated, twice at most, and the steadiest is kept. The network's device and mode, and the number of
    threads, are left as they were.
    """
    clock = _cuda_clock(device) if device.type == "cuda" else _wall_clock
    images = torch.randn(settings.batch, *image, generator=torch.Generator().manual_seed(0)).to(device)
    with _ready(network, device, settings.threads), torch.inference_mode():
        times_ms = _steadiest(lambda: network(images), settings.calls, clock)
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return LatencyReading(
        median_ms=float(median),
        iqr_ms=float(high - low),
        calls=settings.calls,
        device=device_name(device),
        threads=settings.threads,
        batch=settings.batch,
        dtype=str(images.dtype).removeprefix("torch."),
    )


def device_name(device: torch.device) -> str:
    """The model's name of a device, such as `NVIDIA H200`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _steadiest(call: Callable[[], object], calls: int, clock: Clock) -> list[float]:
    """The times of the calls, in milliseconds, of the attempt with the smallest spread."""
    _warm_up(call, clock)
    attempts: list[list[float]] = []
    for _ in range(_ATTEMPTS):
        attempts.append([clock(call) for _ in range(calls)])
        if _spread(attempts[-1]) <= _STEADY:
            break
    return min(attempts, key=_spread)


def _warm_up(call: Callable[[], object], clock: Clock) -> None:
    spent_ms, calls = 0.0, 0
    while calls < _WARM_UP_CALLS or spent_ms < 1000 * _WARM_UP_SECONDS:
        spent_ms, calls = spent_ms + clock(call), calls + 1


def _spread(times_ms: list[float]) -> float:
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return float((high - low) / median)


def _wall_clock(call: Callable[[], object]) -> float:
    begin_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - begin_ns) / 1e6


def _cuda_clock(device: torch.device) -> Clock:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    stream = torch.cuda.current_stream(device)

    def clock(call: Callable[[], object]) -> float:
        begin.record(stream)
        call()
        end.record(stream)
        end.synchronize()
        return float(begin.elapsed_time(end))

    return clock


@contextmanager
def _ready(network: nn.Module, device: torch.device, threads: int) -> Iterator[None]:
    """The network on the device and in evaluation mode, with this many threads; all restored at the end."""
    home = next((tensor.device for tensor in (*network.parameters(), *network.buffers())), device)
    training = {module: module.training for module in network.modules()}
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    network.to(device).eval()
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        network.to(home)
        for module, mode in training.items():
            module.training = mode
