"""Latencies on the device: how long one measurement takes, and how well those that nobody measured are predicted."""

import random
import time
from collections.abc import Iterator
from statistics import median

import torch
from latency import unseen_networks

from nas_attn.assembly import load_space
from nas_attn.cost import Readings, fit_latency
from nas_attn.evaluation import Timing, open_ledger
from nas_attn.evaluation.timing import TIMINGS, design, parts_of
from nas_attn.results import agreement
from nas_attn.settings import LatencyTarget
from nas_attn.space import Architecture, SearchSpace

from .bench import Bench
from .images import side
from .needs import ROOT
from .rows import Row

GOAL = 0.9
"""The share of networks whose prediction is to be within 10 %."""
_BATCHES = (1, 32)
_CALLS = 50
_MOST_UNSEEN = 40
_LEAST = 8
"""Networks that are measured for either purpose, whatever the time."""


def predicted(bench: Bench) -> Iterator[Row]:
    """Networks of `search_spaces/resnet20.toml`: some are timed, and others predicted from them and timed too."""
    said, space = load_space(ROOT / "search_spaces" / ("digits.toml" if bench.small else "resnet20.toml"))
    for number, batch in enumerate(_BATCHES):
        target = LatencyTarget(device=bench.device, batch=batch, calls=_CALLS)
        image = (said.image[0], side(bench), side(bench))
        readings = Readings(bench.folder / f"batch{batch}.jsonl")
        timing = Timing(said.backbone, image, said.classes, target, torch.device(bench.device), readings)
        yield _one_batch(bench.within(1 / (len(_BATCHES) - number)), timing, space)


def _one_batch(bench: Bench, timing: Timing, space: SearchSpace) -> Row:
    known, unseen = _networks(space, _affordable(bench, timing, space))
    began = time.monotonic()
    known_ms, unseen_ms = ([timing.measure(one).median_ms for one in group] for group in (known, unseen))
    seconds = (time.monotonic() - began) / len([*known, *unseen])
    parts = parts_of(space, open_ledger(timing.backbone, timing.image, timing.classes).price)
    model = fit_latency([*map(parts, known)], known_ms)
    found = agreement([model.of(parts(one)).latency_ms for one in unseen], unseen_ms)
    figures = {"close_share": found.within, "timed": len(known), "predicted": len(unseen)}
    figures |= {"latency_ms": median(unseen_ms), "one_measurement_seconds": seconds}
    what = f"latency at batch {timing.target.batch}, predicted"
    return Row(what, figures, goal=f">= {100 * GOAL:.0f} % within 10 %", met=found.within >= GOAL)


def _affordable(bench: Bench, timing: Timing, space: SearchSpace) -> int:
    """How many networks there is time to measure, by the time that one takes."""
    timing.measure(Architecture())
    began = time.monotonic()
    timing.measure(space.baselines()[1])
    affordable = int(0.8 * bench.left() / (time.monotonic() - began))
    return 2 * _LEAST if bench.small else max(2 * _LEAST, min(TIMINGS + _MOST_UNSEEN, affordable))


def _networks(space: SearchSpace, number: int) -> tuple[list[Architecture], list[Architecture]]:
    """Two of three to learn from, and others."""
    known = design(space, min(TIMINGS, max(_LEAST, 2 * number // 3)), random.Random(0))
    return known, unseen_networks(space, set(known), min(_MOST_UNSEEN, number - len(known)))
