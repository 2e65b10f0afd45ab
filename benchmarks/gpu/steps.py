"""A step of training on the device: how much of it waits for the host, and how much memory it takes."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch
from torch.profiler import ProfilerActivity, profile

from nas_attn.data import ImageData
from nas_attn.settings import Backbone, Recipe
from nas_attn.training import train

from .bench import Bench
from .images import BATCH, plain, random_images
from .resnets import NETWORKS
from .rows import Row, compared
from .training import stock

GOAL = 0.05
_ON_THE_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")
_BEFORE, _STEPS, _SMALL_STEPS = 20, 60, 2


def waiting_and_memory(bench: Bench) -> Iterator[Row]:
    """Of each network: the share of its steps in which the device has nothing to do, and the most memory."""
    steps = _SMALL_STEPS if bench.small else _STEPS
    data = random_images(bench, BATCH * (_BEFORE + steps + 1) if not bench.small else BATCH * (steps + 2))
    for number, (name, backbone) in enumerate(NETWORKS.items()):
        yield _waiting(bench.within(0.3 + 0.1 * number), name, backbone, data, steps)
    for name, backbone in NETWORKS.items():
        yield from _memory(bench, name, backbone, random_images(bench, BATCH * _BEFORE))


def union_length(intervals: Iterable[tuple[float, float]]) -> float:
    """How much the intervals cover together, each a begin and an end."""
    covered, until = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


class Window(pl.Callback):
    """Times some steps of a training as a whole, and profiles them if it is to."""

    def __init__(self, device: str, first: int, steps: int, trace: Path | None = None) -> None:
        self._device, self._first, self._last, self._trace = torch.device(device), first, first + steps - 1, trace
        kinds = [ProfilerActivity.CPU if self._device.type == "cpu" else ProfilerActivity.CUDA]
        self._profiler = None if trace is None else profile(activities=kinds)
        self.step_ms = 0.0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self._first:
            self._wait()
            if self._profiler is not None:
                self._profiler.start()
            self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self._last:
            self._wait()
            self.step_ms = 1e3 * (time.perf_counter() - self._began) / (self._last - self._first + 1)
            if self._profiler is not None:
                self._profiler.stop()
                self._profiler.export_chrome_trace(str(self._trace))

    @property
    def busy_ms(self) -> float:
        """Milliseconds of a step in which the device works."""
        events = json.loads(self._trace.read_text())["traceEvents"] if self._trace else []
        works = ((one["ts"], one["ts"] + one["dur"]) for one in events if one.get("cat") in _ON_THE_DEVICE)
        return union_length(works) / 1e3 / (self._last - self._first + 1)

    def _wait(self) -> None:
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)


def _waiting(bench: Bench, name: str, backbone: Backbone, data: ImageData, steps: int) -> Row:
    """Kernels are timed by the profiler, and steps without it, for it makes the host slower."""
    recipe, trace = (
        Recipe(epochs=1, batch_size=BATCH, horizontal_flip=True, crop_padding=4),
        bench.folder / "trace.json",
    )

    def watched(profiled: bool) -> float:
        window = Window(bench.device, 1 if bench.small else _BEFORE, steps, trace if profiled else None)
        train(plain(backbone), data, recipe, seed=0, trainer={"callbacks": [window]})
        return window.busy_ms if profiled else window.step_ms

    found = bench.in_turn({"step": lambda: watched(False), "busy": lambda: watched(True)}, most=5)
    what = f"{name}, batch {BATCH}: share of a step in which the device waits for the host"
    if bench.small:
        return Row(what, skipped=f"not on a CPU, where nothing waits (a step took {median(found['step']):.0f} ms)")
    if not all(found["busy"]):
        return Row(what, skipped="the profiler saw nothing of what the device did")
    shares = [1 - busy / step for busy, step in zip(found["busy"], found["step"], strict=True)]
    figures = {"step_ms": median(found["step"]), "busy_ms": median(found["busy"])}
    figures |= {"waiting_share": median(shares), "least_share": min(shares), "most_share": max(shares)}
    goal, met = (f"< {100 * GOAL:.0f} %", median(shares) < GOAL) if name == "ResNet-18" else ("", None)
    return Row(what, figures, goal=goal, met=met)


def _memory(bench: Bench, name: str, backbone: Backbone, data: ImageData) -> Iterator[Row]:
    """The most that torch has allocated at a time; ours holds the images too."""
    what = f"{name}, batch {BATCH}: most device memory"
    if bench.small:
        yield Row(what, skipped="not on a CPU, whose memory torch does not count")
        return
    recipe = Recipe(epochs=1, batch_size=BATCH, horizontal_flip=True, crop_padding=4)

    def peak_mib(precision: str | None) -> float:
        before = torch.cuda.memory_allocated(bench.device)
        torch.cuda.reset_peak_memory_stats(bench.device)
        if precision is None:
            train(plain(backbone), replace(data), recipe, seed=0)  # a copy, whose images are not there yet
        else:
            stock(backbone, {}, data, recipe, precision=precision)
        return (torch.cuda.max_memory_allocated(bench.device) - before) / 2**20

    found = {"stock": [peak_mib("32-true")], "stock_bf16": [peak_mib("bf16-mixed")], "ours": [peak_mib(None)]}
    for other in ("stock", "stock_bf16"):
        yield compared(what, found, over=other, under="ours", unit="mib")
