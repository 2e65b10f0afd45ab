"""How well the latency of networks that nobody timed is predicted from 60 that were, beside a line through FLOPs.

    python benchmarks/latency.py search_spaces/resnet20.toml --batch 8 --threads 1

Times 60 networks of the space, predicts 40 others, drawn at random, times these too, and prints how far off it was.
What is timed is kept in a file, so that a run that was stopped goes on.
"""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from nas_attn.assembly import load_space
from nas_attn.cost import Readings, device_name
from nas_attn.evaluation import Timing, open_ledger, predictor
from nas_attn.evaluation.timing import TIMINGS, design
from nas_attn.results import agreement
from nas_attn.settings import LatencyTarget
from nas_attn.space import Architecture, SearchSpace

_Numbers = NDArray[np.float64]


def main(
    space: Path,
    readings: Path = Path("latency.jsonl"),
    networks: int = 40,
    device: str = "cpu",
    batch: int = 8,
    threads: int = 1,
    runtime: str = "eager",
    calls: int = 50,
) -> None:
    """Time, predict, and print what came of it."""
    settings: dict[str, Any] = {"device": device, "batch": batch, "threads": threads, "runtime": runtime}
    target = LatencyTarget(**settings, calls=calls)
    said, choices = load_space(space)
    timing = Timing(said.backbone, said.image, said.classes, target, torch.device(device), Readings(readings))
    typer.echo(f"{space}: {target.described} on {device_name(timing.device)}")
    model = predictor(timing, choices, lambda done, total: typer.echo(f"timed {done} of {total}", err=True))
    timed = design(choices, TIMINGS, random.Random(0))
    unseen = unseen_networks(choices, set(timed), networks)
    found = [timing.measure(architecture) for architecture in unseen]
    measured, known = (np.array([timing.measure(a).median_ms for a in group]) for group in (unseen, timed))
    forecasts = [model.of(architecture) for architecture in unseen]
    held = [forecast.low_ms <= ms <= forecast.high_ms for forecast, ms in zip(forecasts, measured, strict=True)]
    typer.echo(f"{len(unseen)} unseen networks take {measured.min():.1f} to {measured.max():.1f} ms")
    typer.echo(f"timed, half an interval: {_half((r.low_ms, r.median_ms, r.high_ms) for r in found):.1%}")
    typer.echo(f"the {len(timed)}, each from the others: {agreement(model.prediction.left_out_ms, known.tolist())}")
    _tell("prediction", np.array([forecast.latency_ms for forecast in forecasts]), measured)
    typer.echo(f"predicted, half an interval: {_half((f.low_ms, f.latency_ms, f.high_ms) for f in forecasts):.1%}")
    typer.echo(f"intervals that hold what was measured: {np.mean(held):.1%}")
    _tell("line through FLOPs", _line(_flops(timed, timing), known, _flops(unseen, timing)), measured)


def unseen_networks(space: SearchSpace, seen: set[Architecture], number: int) -> list[Architecture]:
    rng, drawn = random.Random(1), dict[Architecture, None]()
    while len(drawn) < number:
        architecture = space.sample(rng)
        if architecture not in seen:
            drawn[architecture] = None
    return list(drawn)


def _flops(architectures: list[Architecture], timing: Timing) -> _Numbers:
    ledger = open_ledger(timing.backbone, timing.image, timing.classes)
    return np.array([ledger.price(architecture).flops for architecture in architectures], dtype=float)


def _line(flops: _Numbers, latencies_ms: _Numbers, others: _Numbers) -> _Numbers:
    """The straight line with the least relative squared error."""
    rows = np.stack([np.ones_like(flops), flops], axis=1) / latencies_ms[:, None]
    offset, slope = np.linalg.lstsq(rows, np.ones_like(flops), rcond=None)[0]
    return np.asarray(offset + slope * others)


def _half(intervals: Iterable[tuple[float, float, float]]) -> float:
    """The mean of half the width of intervals, each with its middle value, as a share of that."""
    return float(np.mean([(high - low) / 2 / middle for low, middle, high in intervals]))


def _tell(name: str, predicted: _Numbers, measured: _Numbers) -> None:
    errors = np.abs(predicted / measured - 1)
    told = agreement(predicted.tolist(), measured.tolist())
    typer.echo(f"{name}: {told}, mean error {errors.mean():.1%}, largest {errors.max():.1%}")


if __name__ == "__main__":
    typer.run(main)
