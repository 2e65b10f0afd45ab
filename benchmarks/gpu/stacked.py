"""Seeds of one network trained as one, their weights stacked by `torch.func`; one after another; in processes."""

from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

import nas_attn

from .bench import Bench
from .images import CLASSES
from .one_step import Step, batch, milliseconds, network_step, sgd_step
from .rows import Row, compared

_PATIENCE_SECONDS = 60
_TOLERANCE = 1e-3


def seeds_at_once(bench: Bench) -> Iterator[Row]:
    """Milliseconds of a step of all seeds together; each has its batch, and batch normalisation its own statistics."""
    seeds, name, steps = (2, "resnet8", 2) if bench.small else (8, "resnet20", 20)
    check_equal(bench, "resnet8")
    images, labels = batch(bench, (seeds,))
    alone = [network_step(bench, *one) for one in zip(networks(name, seeds), images, labels, strict=True)]

    def one_after_another() -> None:
        for step in alone:
            step()

    with _Processes(bench, name, seeds, steps) as processes:
        runs = {
            "stacked": partial(milliseconds, stacked(bench, networks(name, seeds), images, labels), steps),
            "one_after_another": partial(milliseconds, one_after_another, steps),
            "processes": processes.milliseconds,
        }
        found = bench.in_turn(runs, most=3)
    for other in ("one_after_another", "processes"):
        what = f"{seeds} seeds of {name}, a step of all (batch norm keeps the running statistics of each)"
        yield compared(what, found, over=other, under="stacked", unit="ms")


def networks(name: str, seeds: int) -> list[nn.Module]:
    """The same network with the initial weights of each seed."""
    plain = nas_attn.Architecture()
    return [nas_attn.build(plain, name, in_channels=3, classes=CLASSES, seed=seed).train() for seed in range(seeds)]


def stacked(bench: Bench, given: list[nn.Module], images: Tensor, labels: Tensor, exact: bool = False) -> Step:
    """A step of all of them, which gives their weights and statistics: of each name one tensor, (networks, ...)."""
    weights, statistics = stack_module_state([network.to(bench.device) for network in given])

    def loss(weights: dict[str, Tensor], statistics: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(given[0], (weights, statistics), (images,)), labels)

    losses = torch.vmap(loss)
    total = partial(losses, weights, statistics, images, labels)
    step = sgd_step(bench, weights.values(), lambda: total().sum(), exact=exact)

    def stepped() -> dict[str, Tensor]:
        step()
        return {**weights, **statistics}

    return stepped


def check_equal(bench: Bench, name: str) -> None:
    """Raise `AssertionError` where two stacked steps, in float32, change networks otherwise than single steps."""
    images, labels = batch(bench, (2,))
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        together = stacked(bench, networks(name, 2), images, labels, exact=True)
        alone = networks(name, 2)
        for step in (network_step(bench, *one, exact=True) for one in zip(alone, images, labels, strict=True)):
            step()
            step()
        together()
        for key, values in together().items():
            expected = torch.stack([network.state_dict()[key] for network in alone])
            torch.testing.assert_close(values.detach(), expected, rtol=_TOLERANCE, atol=_TOLERANCE)


class _Processes:
    """A process for each seed, all of which make steps at the same time."""

    def __init__(self, bench: Bench, name: str, seeds: int, steps: int) -> None:
        context = get_context("spawn")
        self._gate, self._times = context.Barrier(seeds + 1), context.SimpleQueue()
        given = (bench, name, steps, self._gate, self._times)
        self._all = [context.Process(target=_train, args=(seed, *given), daemon=True) for seed in range(seeds)]

    def __enter__(self) -> "_Processes":
        for process in self._all:
            process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._all:
            process.kill()

    def milliseconds(self) -> float:
        """Of a step of the slowest of them, while all are at it."""
        self._gate.wait(_PATIENCE_SECONDS)
        times: list[float] = [self._times.get() for _ in self._all]
        return max(times)


def _train(seed: int, bench: Bench, name: str, steps: int, gate: Any, times: Any) -> None:
    torch.set_num_threads(1)
    images, labels = batch(bench)
    step = network_step(bench, networks(name, seed + 1)[seed], images, labels)
    step()
    while True:
        gate.wait()
        times.put(milliseconds(step, steps))
