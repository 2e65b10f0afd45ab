"""Networks an hour with several in training at a time on one device, with and without the Multi-Process Service."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median

from nas_attn.evaluation import TrainingProtocol, Workers
from nas_attn.results import Evaluation, evaluation
from nas_attn.settings import Backbone, Recipe
from nas_attn.space import Architecture

from . import mps
from .bench import Bench
from .networks import BATCH, random_images
from .rows import Row, Skipped

JOBS, _SMALL_JOBS = (1, 2, 4, 8), (1, 2)
_NAME, _SMALL_NAME = "resnet20", "resnet8"
_IMAGES, _SMALL_IMAGES = 10_000, 600
_EPOCHS = 2
_EACH = 2
"""Networks that every job trains in a round."""


def networks_an_hour(bench: Bench) -> Iterator[Row]:
    """Every number of jobs in turn on one pool of processes, which have trained before."""
    yield from _pool(bench.within(0.5), "", nullcontext())
    try:
        yield from _pool(bench, ", with MPS", mps.serving(bench.folder))
    except Skipped as reason:
        yield Row("jobs on one device, with MPS", skipped=str(reason))


def _pool(bench: Bench, how: str, service: AbstractContextManager[None]) -> Iterator[Row]:
    numbers, name = (_SMALL_JOBS, _SMALL_NAME) if bench.small else (JOBS, _NAME)
    data = random_images(bench, _SMALL_IMAGES if bench.small else _IMAGES)
    protocol = TrainingProtocol(Backbone(name=name), data, Recipe(epochs=_EPOCHS, batch_size=BATCH), "scratch")
    with service, Workers(protocol, max(numbers)) as workers:
        _an_hour(workers, max(numbers))  # to warm up
        found = bench.in_turn({str(jobs): partial(_an_hour, workers, jobs) for jobs in numbers}, most=5)
    for jobs in numbers[1:]:
        ratios = [many / one for many, one in zip(found[str(jobs)], found["1"], strict=True)]
        figures = {
            "1_job_networks_an_hour": median(found["1"]),
            f"{jobs}_jobs_networks_an_hour": median(found[str(jobs)]),
        }
        what = f"{name}, {_EPOCHS} epochs of {len(data.train):,} images, {jobs} jobs over 1{how}"
        yield Row(what, figures, median(ratios), ratios)


def _an_hour(workers: Workers, jobs: int) -> float:
    """Networks an hour, while so many are in training at a time."""
    rows, began = [_row(seed) for seed in range(_EACH * jobs)], time.perf_counter()
    with ThreadPoolExecutor(jobs) as at_a_time:
        trained = [*at_a_time.map(lambda row: workers.train(row).result(), rows)]
    if failed := [row.reason for row in trained if row.state != "complete"]:
        raise RuntimeError(f"{len(failed)} of {len(rows)} networks failed: {failed[0]}")
    return 3600 * len(rows) / (time.perf_counter() - began)


def _row(seed: int) -> Evaluation:
    plain = Architecture()
    return evaluation(key=plain.key, architecture=str(plain), params=1, macs=1, flops=1, seed=seed)
