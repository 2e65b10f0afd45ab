"""Rows of what counting, timing and training find out about architectures."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import nas_attn
from nas_attn.cost import Unrunnable, device_name
from nas_attn.pricing import SpacePrices
from nas_attn.results import Evaluation, Latency
from nas_attn.settings import LatencyTarget
from nas_attn.space import Architecture, InputError, SearchSpace, parse
from nas_attn.training import Score, TrainingFailed, faults_reported, training_device

from .failures import failed_row
from .jobs import Workers
from .ledger import Ledger, open_ledger
from .protocol import TrainingProtocol
from .timing import Predictor, Timing, host

OnEpoch = Callable[[Evaluation, int, int], None]
"""Called with the row in training, the epochs done and the epochs in all."""


@dataclass(frozen=True)
class Costs:
    """Costs of architectures, before any is trained."""

    timing: Timing
    predictor: Predictor | None
    """Without it latencies are measured."""
    failures: Path | None = field(default=None, kw_only=True)
    """The folder for tracebacks; without one they are not kept."""

    def prices(self, space: SearchSpace) -> SpacePrices:
        """Parameters, MACs and FLOPs for one image, of every architecture of a space."""
        return self._ledger.space_prices(space)

    def count(self, architecture: Architecture) -> Evaluation:
        """Parameters, MACs and FLOPs for one image, without running anything."""
        cost = self._ledger.price(architecture)
        return Evaluation(
            key=architecture.key,
            architecture=str(architecture),
            measures={"params": cost.params, "macs": cost.macs, "flops": cost.flops},
            latency=Latency(threads=self.timing.target.threads, batch=self.timing.target.batch),
            versions=versions(),
        )

    def time(self, row: Evaluation) -> Evaluation:
        """The row with its latency, or with the reason why there is none.

        It is predicted where there is a predictor and the latency is not measured yet; else measured on the untrained
        network.
        """
        if self.predictor is None or self.timing.known(parse(row.architecture)):
            return self.measure(row)
        return self.predict(row)

    def predict(self, row: Evaluation) -> Evaluation:
        """The row with its latency predicted; without a predictor, as it is."""
        if self.predictor is None:
            return row
        forecast = self.predictor.of(parse(row.architecture))
        latency = self._latency(forecast.latency_ms, forecast.low_ms, forecast.high_ms)
        return replace(row, latency=replace(latency, source="predicted"))

    def measure(self, row: Evaluation) -> Evaluation:
        """The row with its latency measured, beside what was predicted; or with the reason why there is none.

        Raises `InputError` where not even the plain backbone can be timed.
        """
        architecture = parse(row.architecture)
        try:
            with faults_reported():
                reading = self.timing.measure(architecture)
        except (TrainingFailed, Unrunnable) as failure:
            if not architecture.placements and row.role != "width-matched":
                raise InputError(f"the plain backbone cannot be timed: {failure}") from failure
            return failed_row(row, failure, self.failures)
        latency = self._latency(reading.median_ms, reading.low_ms, reading.high_ms)
        predicted_ms = row.latency.ms if row.latency.source == "predicted" else row.latency.predicted_ms
        timed = replace(latency, iqr_ms=reading.iqr_ms, calls=reading.calls, predicted_ms=predicted_ms)
        return replace(row, latency=timed)

    @property
    def _ledger(self) -> Ledger:
        return open_ledger(self.timing.backbone, self.timing.image, self.timing.classes)

    def _latency(self, ms: float, low_ms: float, high_ms: float) -> Latency:
        """A latency on the target."""
        target, device = self.timing.target, self.timing.device
        return Latency(
            ms=ms,
            ms_low=low_ms,
            ms_high=high_ms,
            target=target.name or target.described,
            device=device_name(device),
            host=host(device),
            threads=target.threads,
            batch=target.batch,
            dtype=target.dtype,
            runtime=target.runtime,
            layout="channels_last" if target.channels_last else "contiguous",
        )


@dataclass(frozen=True)
class Evaluator(Costs):
    """Costs and training of the architectures of one step of a study."""

    protocol: TrainingProtocol
    workers: Workers | None
    """Processes that train; without them training is done here."""
    on_epoch: OnEpoch

    def train(self, row: Evaluation) -> Future[Evaluation]:
        """The row with accuracy and losses, trained with its seed."""
        if self.workers is not None:
            return self.workers.train(row)
        trained: Future[Evaluation] = Future()
        trained.set_result(self.protocol.train(row, lambda done, epochs: self.on_epoch(row, done, epochs)))
        return trained

    @property
    def jobs(self) -> int:
        """Most rows in training at a time."""
        return 1 if self.workers is None else self.workers.jobs


def timing_device(latency: LatencyTarget, trainer: Mapping[str, Any] | None = None) -> torch.device:
    """The device that a study names for its latency, or that `trainer` names for training.

    Raises `InputError` where this machine does not have it.
    """
    device = training_device(trainer) if latency.device == "auto" else torch.device(latency.device)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"latency.device: found {latency.device!r}; this machine has {torch.cuda.device_count()} GPUs")
    return device


def screened_row(row: Evaluation, found: Score | TrainingFailed, failures: Path | None = None) -> Evaluation:
    """A row with its score by a supernet, or the reason why it has none, with its traceback in a folder."""
    if isinstance(found, TrainingFailed):
        return failed_row(row, found, failures)
    known = row.but(state="complete", **found.columns)
    if math.isfinite(found.validation["loss"]):
        return known
    return replace(known, state="failed", reason=f"the supernet's loss as this network is {found.validation['loss']}")


@cache
def versions() -> str:
    """Versions of the packages that compute a row."""
    others = ("torch", "pytorch-lightning", "optuna", "fvcore")
    return ", ".join((f"nas-attn {nas_attn.__version__}", *(f"{package} {version(package)}" for package in others)))
