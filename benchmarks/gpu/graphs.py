"""A step of training of small networks by CUDA graphs and by `torch.compile`, beside one operator after the other."""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from nas_attn.space import first_line

from .bench import Bench
from .images import BATCH, plain
from .one_step import Step, batch, milliseconds, network_step
from .rows import Row, compared

NAMES = ("resnet8", "resnet20")
_WAYS: dict[str, dict[str, str]] = {"inductor": {}, "reduce-overhead": {"mode": "reduce-overhead"}}
_SMALL_WAYS = {"aot_eager": {"backend": "aot_eager"}}
_COMPILATION_SECONDS = 20.0
"""Time without which no compilation is begun."""


def captured(bench: Bench) -> Iterator[Row]:
    """The whole step, optimiser included, captured once and replayed."""
    for name in NAMES:
        eager = network_step(bench, plain(name), *batch(bench))
        what = f"{name}, batch {BATCH}, a step as a CUDA graph"
        if bench.small:
            eager()
            yield Row(what, skipped="there are no CUDA graphs on a CPU")
            continue
        graph = _graph_of(
            network_step(bench, plain(name), *batch(bench), learning_rate=torch.tensor(0.1, device=bench.device))
        )
        found = bench.in_turn({"eager": partial(milliseconds, eager), "graph": partial(milliseconds, graph)}, most=5)
        yield compared(what, found, over="eager", under="graph", unit="ms")


def compiled(bench: Bench) -> Iterator[Row]:
    """The network compiled; loss and optimiser as they are."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(bench.folder / "compiled")  # nothing is there from another run
    for name in NAMES[:1] if bench.small else NAMES:
        for way, options in (_SMALL_WAYS if bench.small else _WAYS).items():
            what = f"{name}, batch {BATCH}, a step with torch.compile ({way})"
            if bench.left() < _COMPILATION_SECONDS:
                yield Row(what, skipped="no time was left to compile it")
                continue
            yield _compiled(bench, name, options, what)


def _graph_of(step: Step) -> Step:
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # as torch asks for: what is made at first is made outside of the graph
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def replay(_kept: Step = step) -> None:  # the graph reads and writes the step's own tensors
        graph.replay()

    return replay


def _compiled(bench: Bench, name: str, options: dict[str, Any], what: str) -> Row:
    torch.compiler.reset()
    quick, began = (
        network_step(bench, torch.compile(plain(name), dynamic=False, **options), *batch(bench)),
        time.perf_counter(),
    )
    try:
        for _ in range(3):  # with graphs of its own it records in the second pass, and replays from the third
            quick()
    except Exception as error:  # compilers refuse in many ways
        return Row(what, skipped=f"it cannot be compiled here: {first_line(error)}")
    compile_seconds, eager = time.perf_counter() - began, network_step(bench, plain(name), *batch(bench))
    found = bench.in_turn({"eager": partial(milliseconds, eager), "compiled": partial(milliseconds, quick)}, most=3)
    return compared(what, found, over="eager", under="compiled", unit="ms", compile_seconds=compile_seconds)
