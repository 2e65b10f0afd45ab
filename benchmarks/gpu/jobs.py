"""Networks an hour with several in training at a time on one device, with and without the Multi-Process Service."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median

import torch

from nas_attn.cost import device_name
from nas_attn.evaluation import TrainingProtocol, Workers
from nas_attn.results import Evaluation, evaluation
from nas_attn.settings import Backbone, Recipe
from nas_attn.space import Architecture, InputError
from nas_attn.tasks import ImageTask

from . import mps
from .bench import Bench
from .images import BATCH, random_images
from .rows import Row, Skipped

JOBS, _SMALL_JOBS = (1, 2, 4, 8), (1, 2)
_NAME, _SMALL_NAME = "resnet20", "resnet8"
_IMAGES, _SMALL_IMAGES = 10_000, 300
_EPOCHS = 2
_LEAST = 2
"""Networks of a round."""


def networks_an_hour(bench: Bench) -> Iterator[Row]:
    """Every number of jobs in turn on one pool of processes, which have trained before."""
    yield from _pool(bench.within(0.5), "", nullcontext())
    try:
        yield from _pool(bench, ", with MPS", mps.serving(bench.folder))
    except (Skipped, RuntimeError, InputError) as reason:
        yield Row("jobs on one device, with MPS", skipped=str(reason))


def _pool(bench: Bench, how: str, service: AbstractContextManager[None]) -> Iterator[Row]:
    numbers, name = (_SMALL_JOBS, _SMALL_NAME) if bench.small else (JOBS, _NAME)
    data = random_images(bench, _SMALL_IMAGES if bench.small else _IMAGES)
    protocol = TrainingProtocol(
        Backbone(name=name), ImageTask(data), Recipe(epochs=_EPOCHS, batch_size=BATCH), "scratch"
    )
    with service, Workers(protocol, max(numbers)) as workers:
        _an_hour(workers, not bench.small, max(numbers))  # to warm up
        found = bench.in_turn(
            {str(jobs): partial(_an_hour, workers, not bench.small, jobs) for jobs in numbers}, most=5
        )
    for jobs in numbers[1:]:
        ratios = [many / one for many, one in zip(found[str(jobs)], found["1"], strict=True)]
        figures = {f"an_hour_with_{count}": median(found[str(count)]) for count in (1, jobs)}
        what = f"{name}, {_EPOCHS} epochs of {len(data.train):,} images: networks an hour with {jobs} jobs{how}, over 1"
        yield Row(what, figures, ratios)


def _an_hour(workers: Workers, on_gpu: bool, jobs: int) -> float:
    """Networks an hour, while so many are in training at a time."""
    rows, began = [_row(seed) for seed in range(max(jobs, _LEAST))], time.perf_counter()
    with ThreadPoolExecutor(jobs) as at_a_time:
        trained = [*at_a_time.map(lambda row: workers.train(row).result(), rows)]
    if failed := [row.reason for row in trained if row.state != "complete"]:
        raise RuntimeError(f"{len(failed)} of {len(rows)} networks failed: {failed[0]}")
    if on_gpu and any(row.device == device_name(torch.device("cpu")) for row in trained):
        raise RuntimeError("the processes that train do not find the GPU")
    return 3600 * len(rows) / (time.perf_counter() - began)


def _row(seed: int) -> Evaluation:
    plain = Architecture()
    return evaluation(key=plain.key, architecture=str(plain), params=1, macs=1, flops=1, seed=seed)
