"""Programs of a network, which run without its source: of `torch.export`, and of ONNX made from that."""

import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import product

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from nas_attn.attention import exported, without_remarks
from nas_attn.space import first_line, in_a_line

from .standalone.proof import Shape

TORCH, ONNX = "model.pt2", "model.onnx"
_ONNX_NEEDS = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Program:
    """Content of a program's file, or the reason why there is none."""

    file: str
    """Its name: `model.pt2`, `model.onnx`."""
    shapes: Sequence[Shape] = ()
    """Of batches that it takes; none where there is no program."""
    content: bytes = field(default=b"", repr=False)
    takes: str = ""
    """The same in words."""
    note: str = ""
    """What it does not take that the network does, or that there is none, and why."""
    exported: ExportedProgram | None = field(default=None, repr=False, compare=False)
    """The program in memory, from which others are made."""


def missing(file: str, reason: str) -> Program:
    """No program, for a reason."""
    return Program(file, note=f"{file} is not there, because {reason}")


def torch_program(network: nn.Module, shapes: list[Shape]) -> Program:
    """Program of a network for as many sizes as `torch.export` allows.

    It is traced so that a size of 1 is like any other. Where torch then decides by the sizes at hand how a permuted
    tensor lies in memory, as before the layer norms of a ConvNeXt, the program would refuse a batch of one; such a
    network is traced as if no size were 1, and whether its program takes one too is tried.
    """
    one_size = [shape for shape in shapes if shape[2:] == shapes[0][2:]]
    freedoms = (
        (shapes, "any batch, height and width, but for images of a few pixels, which it refuses"),
        (one_size, f"any batch of images of {shapes[0][2]} x {shapes[0][3]} pixels"),
    )
    reason = ""
    for (takes, words), one_alike in product(freedoms if shapes != one_size else freedoms[1:], (True, False)):
        free = (0, 2, 3) if takes != one_size else (0,)
        content = io.BytesIO()  # where torch writes a file by itself, a full disk ends the process
        try:
            program = _export_program(network, takes, free, content, one_alike)
            less = f"{TORCH} takes {words} only, because torch.export refused others: {reason}"
            return Program(TORCH, takes, content.getvalue(), words, "" if takes == shapes else less, program)
        except Exception as error:  # torch.export refuses in many ways, and the other files stand without it
            reason = first_line(error)
    return missing(TORCH, f"torch.export refused: {reason}")


def _export_program(
    network: nn.Module, shapes: list[Shape], free: tuple[int, ...], content: io.BytesIO, one_alike: bool
) -> ExportedProgram:
    """Write a program, and try it: an older torch may refuse sizes that it has to leave free."""
    program = exported(network, [torch.zeros(shapes[0])], free, one_alike=one_alike)
    with without_remarks():
        for graph in program.graph_module.modules():
            for node in graph.graph.nodes if isinstance(graph, torch.fx.GraphModule) else ():
                node.meta.pop("stack_trace", None)  # the paths of this machine
        torch.export.save(program, content)
        loaded = torch.export.load(io.BytesIO(content.getvalue())).module()
        with torch.inference_mode():
            for shape in shapes:
                loaded(torch.zeros(shape))
    return program


def onnx_program(made: Program) -> Program:
    """ONNX program of what `torch_program` gave, which takes the same."""
    lacking = [package for package in _ONNX_NEEDS if importlib.util.find_spec(package) is None]
    if lacking:
        cure = "it comes with pip install 'nas-attn[onnx]'"
        return missing(ONNX, f"{lacking[0]} is not installed; {cure}")
    if made.exported is None:
        return missing(ONNX, f"it is made of {TORCH}")
    try:
        with without_remarks():
            found = torch.onnx.export(
                made.exported, (), dynamo=True, verbose=False, input_names=["images"], output_names=["scores"]
            )
        content = found.model_proto.SerializeToString()  # type: ignore[union-attr]
    except Exception as error:  # the exporter refuses in many ways
        having = ", ".join(f"{package} {version(package)}" for package in ("torch", "onnxscript"))
        return missing(ONNX, f"torch.onnx refused ({having}): {in_a_line(_origin(error))}")
    return Program(ONNX, made.shapes, content, made.takes)


def _origin(error: BaseException) -> BaseException:
    """What an exception was raised from first: the exporter's own says in many lines what to do about it."""
    return error if error.__cause__ is None else _origin(error.__cause__)


def taken_shapes(network: nn.Module, image: tuple[int, int, int]) -> list[Shape]:
    """Shapes of batches that the network takes; one image alone, or another size, is not for every network."""
    channels, height, width = image
    wide = (1, channels, height + 3, width + (5 if height + 3 != width + 5 else 6))  # neither the size nor a square
    shapes = [(4, channels, height, width), (1, channels, height, width), wide]
    return [shapes[0], *(shape for shape in shapes[1:] if _takes(network, shape))]


def _takes(network: nn.Module, shape: Shape) -> bool:
    try:
        with torch.inference_mode():
            given = network(torch.zeros(shape))
    except Exception:  # a user's network may fail in any way
        return False
    return all(len(one) == shape[0] for one in tree_leaves(given) if isinstance(one, Tensor) and one.ndim)
