"""Joint of assembly, cost and training: an architecture becomes a row of knowledge about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from nas_attn.assembly import build
from nas_attn.cost import Unrunnable, device_name
from nas_attn.ledger import open_ledger
from nas_attn.results import Evaluation
from nas_attn.results.files import write_whole
from nas_attn.settings import Backbone, Latency, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.timing import Predictor, Timing, host
from nas_attn.training import ImageData, TrainingFailed, memory_faults_told, train, training_device

OnEpoch = Callable[[Evaluation, int, int], None]
"""Called with the row in training, the epochs done and the epochs in all."""


@dataclass(frozen=True)
class Evaluator:
    """Finds out about the architectures of one study, and keeps the weights of those that it trains."""

    backbone: Backbone
    data: ImageData
    recipe: Recipe
    timing: Timing
    predictor: Predictor | None
    """Where latencies are predicted, by what."""
    seed: int
    weights: Path
    """The folder of trained weights, one file a key."""
    on_epoch: OnEpoch

    def count(self, architecture: Architecture) -> Evaluation:
        """Parameters, MACs and FLOPs for one image, without running anything."""
        cost = open_ledger(self.backbone, self.data.image, self.data.classes).price(architecture)
        return Evaluation(
            key=architecture.key,
            architecture=str(architecture),
            params=cost.params,
            macs=cost.macs,
            flops=cost.flops,
            latency_ms=math.nan,
            latency_iqr_ms=math.nan,
            latency_calls=0,
            latency_device="",
            latency_threads=self.timing.target.threads,
            latency_batch=self.timing.target.batch,
            latency_dtype="",
            seed=self.seed,
            versions=versions(),
        )

    def time(self, row: Evaluation) -> Evaluation:
        """The row with its latency, as the study asks for it, or with the reason why there is none.

        It is measured on the untrained network, or, where latencies are predicted and this one is not measured yet,
        predicted.
        """
        architecture = parse(row.architecture)
        if self.predictor is None or self.timing.known(architecture):
            return self.measure(row)
        forecast = self.predictor.of(architecture)
        return replace(
            row,
            **self._target,
            latency_ms=forecast.latency_ms,
            latency_ms_low=forecast.low_ms,
            latency_ms_high=forecast.high_ms,
            latency_source="predicted",
        )

    def measure(self, row: Evaluation) -> Evaluation:
        """The row with its latency measured, beside what was predicted; or with the reason why there is none."""
        try:
            with memory_faults_told():
                reading = self.timing.measure(parse(row.architecture))
        except (TrainingFailed, Unrunnable) as failure:
            return replace(row, state="failed", reason=str(failure))
        return replace(
            row,
            **self._target,
            latency_ms=reading.median_ms,
            latency_ms_low=reading.low_ms,
            latency_ms_high=reading.high_ms,
            latency_iqr_ms=reading.iqr_ms,
            latency_calls=reading.calls,
            latency_source="measured",
            latency_predicted_ms=row.latency_ms if row.latency_source == "predicted" else row.latency_predicted_ms,
        )

    @property
    def _target(self) -> dict[str, Any]:
        """What a latency is the latency of."""
        target, device = self.timing.target, self.timing.device
        return {
            "latency_target": target.name or target.described,
            "latency_device": device_name(device),
            "latency_host": host(device),
            "latency_threads": target.threads,
            "latency_batch": target.batch,
            "latency_dtype": target.dtype,
            "latency_runtime": target.runtime,
            "latency_layout": "channels_last" if target.channels_last else "contiguous",
        }

    def train(self, row: Evaluation) -> Evaluation:
        """The row with accuracy and loss on the validation part, or with the reason why training failed."""
        network = self._build(parse(row.architecture))
        try:
            score = train(
                network, self.data, self.recipe, self.seed, lambda done, epochs: self.on_epoch(row, done, epochs)
            )
        except TrainingFailed as failure:
            return replace(row, state="failed", reason=str(failure))
        write_weights(network, weights_file(self.weights, row.key))
        return replace(
            row,
            state="complete",
            accuracy=score.accuracy,
            loss=score.loss,
            train_seconds=score.seconds,
            device=device_name(training_device()),
        )

    def _build(self, architecture: Architecture) -> nn.Module:
        in_channels, classes = self.data.image[0], self.data.classes
        return build(architecture, self.backbone, in_channels=in_channels, classes=classes, seed=self.seed)


def timing_device(latency: Latency) -> torch.device:
    """The device that a study names for its latency.

    Raises `InputError` where this machine does not have it.
    """
    device = training_device() if latency.device == "auto" else torch.device(latency.device)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"latency.device: found {latency.device!r}; this machine has {torch.cuda.device_count()} GPUs")
    return device


def weights_file(folder: Path, key: str) -> Path:
    """Where the trained weights of an architecture are kept."""
    return folder / f"{key}.safetensors"


def write_weights(network: nn.Module, path: Path) -> None:
    """Keep a network's weights and buffers; a crash in between leaves the file as it was."""
    path.parent.mkdir(exist_ok=True)
    write_whole(path, save({name: tensor.contiguous() for name, tensor in network.state_dict().items()}))


def read_weights(network: nn.Module, path: Path) -> nn.Module:
    """The network with the weights that are kept in a file, in evaluation mode.

    Raises `InputError` where the file is missing or is not one of this network's.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise InputError(
            f"{path}: the weights of this network are missing, and its row alone cannot restore them"
        ) from None
    except Exception as error:  # a damaged file has many ways to say so
        raise InputError(f"{path}: holds no weights of this network: {str(error).splitlines()[0]}") from None
    return network.eval()


def versions() -> str:
    """What computes a row."""
    packages = ("nas-attn", "torch", "pytorch-lightning", "optuna", "fvcore")
    return ", ".join(f"{package} {version(package)}" for package in packages)
