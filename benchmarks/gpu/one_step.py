"""One step of training on a batch that lies on the device, and how long it takes."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from .bench import Bench
from .images import BATCH, CLASSES, side

Step = Callable[[], object]


def batch(bench: Bench, networks: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
    """Random normalised images with labels, on the device; one for each of some networks, if it is said."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(*networks, BATCH, 3, side(bench), side(bench), generator=generator)
    labels = torch.randint(CLASSES, (*networks, BATCH), generator=generator)
    return images.to(bench.device), labels.to(bench.device)


def sgd_step(
    bench: Bench,
    parameters: Iterable[Tensor],
    loss: Callable[[], Tensor],
    *,
    exact: bool = False,
    learning_rate: float | Tensor = 0.1,
) -> Step:
    """Forward, backward and the optimiser: on a GPU in bfloat16 as `train` has it, unless it is to be exact."""
    fused = isinstance(learning_rate, Tensor) or None  # so that a graph reads the rate anew at each replay
    options = {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}
    optimizer = torch.optim.SGD([*parameters], learning_rate, fused=fused, **options)  # type: ignore[arg-type]
    low = not (exact or bench.small)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(torch.device(bench.device).type, torch.bfloat16, enabled=low):
            found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def network_step(bench: Bench, network: nn.Module, images: Tensor, labels: Tensor, **options: Any) -> Step:
    """A step of one network, whose channels lie last on a GPU, as `train` has it; options as those of `sgd_step`."""
    layout = torch.contiguous_format if bench.small else torch.channels_last
    network.to(bench.device, memory_format=layout).train()  # type: ignore[call-overload]
    pixels = images.contiguous(memory_format=layout)
    return sgd_step(bench, network.parameters(), lambda: F.cross_entropy(network(pixels), labels), **options)


def milliseconds(step: Step, number: int = 30) -> float:
    """Of one step, on average."""
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    return 1e3 * timer.timeit(number).mean
