"""Forms in which a network leaves, source and programs, and how fast each runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import nn

from nas_attn.cost import LatencyReading, Reference, measure_pass, onnx_pass
from nas_attn.cost.targets import Pass
from nas_attn.settings import LatencyTarget

from .leaving import Leaving
from .program import ONNX, TORCH, Program
from .reading import Reading
from .standalone.proof import Shape


@dataclass(frozen=True, slots=True)
class Forms:
    """What leaves of a network beside its weights."""

    leaves: Leaving
    """The source."""
    shapes: Sequence[Shape]
    """Of batches that the network takes."""
    programs: Mapping[str, Program]
    """By the names of their files, those among them that cannot be had."""
    reading: Reading
    latencies: Mapping[str, LatencyReading] = field(default_factory=dict)
    """Of one pass of the smallest batch, by file."""
    threads: int = 1
    """Of the CPU, on which these were measured."""

    @property
    def smallest_batch(self) -> int:
        """Images that a pass takes at least."""
        return min(shape[0] for shape in self.shapes)

    @property
    def notes(self) -> Iterator[str]:
        """What is not there, or less than usual, a line each."""
        if self.leaves.reason:
            yield f"model.py is not there: {self.leaves.reason}"
        yield from self.leaves.remarks
        if self.smallest_batch > 1:
            yield "the network takes no batch of one image"
        yield from filter(None, (program.note for program in self.programs.values()))
        if self.reading.reason:
            yield f"predict.py is not there, because {self.reading.reason}"


def timed(network: nn.Module, forms: Forms, target: LatencyTarget) -> Forms:
    """The forms with the latency of each on the CPU; the programs are timed in turn with the network itself."""
    images = torch.rand((forms.smallest_batch, *forms.shapes[0][1:]), generator=torch.Generator().manual_seed(0))
    own = partial(network, images)
    found = {"model.py": measure_pass(lambda: own, target, images.device)}
    reference = Reference(own, found["model.py"].median_ms)
    for name, program in forms.programs.items():
        if program.shapes:
            made = partial(_PASSES[name], program, images, target.threads)
            found[name] = measure_pass(made, target, images.device, reference)
    return replace(forms, latencies=found, threads=target.threads)


def _torch_pass(program: Program, images: torch.Tensor, _threads: int) -> Pass:
    assert program.exported is not None, "it has shapes"
    return partial(program.exported.module(), images)


def _onnx_pass(program: Program, images: torch.Tensor, threads: int) -> Pass:
    return onnx_pass(program.content, images, threads)


_PASSES = {TORCH: _torch_pass, ONNX: _onnx_pass}
