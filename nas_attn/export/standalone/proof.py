"""Proof that an exported folder stands alone: a fresh process loads it and gives the expected outputs."""

import io
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Shape = tuple[int, int, int, int]
"""Of a batch of images: (B, C, H, W)."""

_CHECKER = """
import io, json, os, sys
folder, hidden, path = json.loads(sys.argv[1])
written = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what a network prints is no part of the outputs
for name in hidden:
    sys.modules[name] = None  # so that any import of it fails
sys.dont_write_bytecode = True
sys.path[:] = [folder, *sys.path, *(place for place in path if place not in sys.path)]
os.chdir(folder)  # what lies where the process was begun is not there elsewhere
import pathlib, torch
from torch.utils._pytree import tree_leaves

def source():
    import model
    return model.load(folder)

load = {
    "model.py": source,
    "model.pt2": lambda: torch.export.load(pathlib.Path(folder, "model.pt2")).module(),
}
outputs = {}
for name, batches in torch.load(io.BytesIO(sys.stdin.buffer.read())).items():
    try:
        network = load[name]()
        outputs[name] = []
        for images in batches:
            torch.manual_seed(0)  # for what is random in evaluation mode too
            with torch.inference_mode():
                given = tree_leaves(network(images))
            outputs[name].append([one for one in given if isinstance(one, torch.Tensor)])
    except Exception as error:
        outputs[name] = f"{type(error).__name__}: {error}"
content = io.BytesIO()
torch.save(outputs, content)
with written:
    written.write(content.getvalue())
"""

_ONNX_CHECKER = """
import io, os, sys
import numpy
sys.modules["torch"] = None
import onnxruntime
written = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
content = io.BytesIO()
outputs = {}
for number, images in enumerate(numpy.load(io.BytesIO(sys.stdin.buffer.read())).values()):
    for place, given in enumerate(session.run(None, {name: images})):
        outputs[f"{number} {place}"] = given
numpy.savez(content, **outputs)
with written:
    written.write(content.getvalue())
"""


def prove_onnx(file: Path, network: nn.Module, shapes: Sequence[Shape]) -> str:
    """Run an ONNX file by onnxruntime in a process that cannot import torch, for images of each of these shapes.

    Returns what happened where it does not give the outputs of `network`, as `prove` has it, to 1e-4 of the largest.
    """
    probes, content = _probes(shapes), io.BytesIO()
    np.savez(content, *(images.numpy() for images in probes))
    command = [sys.executable, "-I", "-c", _ONNX_CHECKER, str(file.absolute())]
    process = subprocess.run(command, input=content.getvalue(), capture_output=True, check=False)
    if process.returncode:
        return _unloadable(process)
    given: list[list[Tensor]] = [[] for _ in probes]
    for name, output in np.load(io.BytesIO(process.stdout)).items():
        given[int(name.split()[0])].append(torch.from_numpy(output))
    return _fault(network, probes, given, of_largest=1e-4)


def prove(
    folder: Path,
    network: nn.Module,
    shapes: Mapping[str, Sequence[Shape]],
    *,
    hidden: Collection[str] = (__name__.partition(".")[0],),
    path: Sequence[str] = (),
) -> dict[str, str]:
    """Load `model.py` and `model.pt2`, those of them that have shapes, in a process that cannot import what is hidden.

    It finds installed packages, and modules in the folders of `path`. Each file has to give the outputs of `network`,
    which is in evaluation mode on the CPU, for images of each of its shapes (B, C, H, W). Returns for each file that
    does not, within rounding, what happened.
    """
    shapes = {name: listed for name, listed in shapes.items() if listed}
    if not shapes:
        return {}
    probes = {name: _probes(listed) for name, listed in shapes.items()}
    content = io.BytesIO()
    torch.save(probes, content)
    command = [sys.executable, "-I", "-c", _CHECKER, json.dumps([str(folder.absolute()), list(hidden), list(path)])]
    process = subprocess.run(command, input=content.getvalue(), capture_output=True, check=False)  # without a disk
    if process.returncode and len(shapes) > 1:  # which of them it was
        each = [prove(folder, network, {name: shapes[name]}, hidden=hidden, path=path) for name in shapes]
        return {name: fault for found in each for name, fault in found.items()}
    if process.returncode:
        return dict.fromkeys(shapes, _unloadable(process))
    given = torch.load(io.BytesIO(process.stdout))
    found = {name: _fault(network, probes[name], given[name]) for name in shapes}
    return {name: fault for name, fault in found.items() if fault}


def _probes(shapes: Sequence[Shape]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _unloadable(process: "subprocess.CompletedProcess[bytes]") -> str:
    said = process.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
    return f"does not load on its own: {said[0]}"


def _fault(
    network: nn.Module, probes: Sequence[Tensor], given: Sequence[Sequence[Tensor]] | str, of_largest: float = 0.0
) -> str:
    """What is wrong with the outputs for these images, or with loading; nothing where all is well."""
    if isinstance(given, str):
        return f"does not load on its own: {' '.join(given.split())}"
    for images, theirs in zip(probes, given, strict=True):
        with torch.inference_mode(), torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(0)
            ours = [one for one in tree_leaves(network(images)) if isinstance(one, Tensor)]
        where = f"for images of shape {tuple(images.shape)}"
        if [one.shape for one in ours] != [one.shape for one in theirs] or not ours:
            return f"gives {len(theirs)} tensors, and not the {len(ours)} of the network, {where}"
        for own, other in zip(ours, theirs, strict=True):
            within = max(1e-6, of_largest * float(own.abs().max())) if of_largest else 1e-6
            if not torch.allclose(own, other, rtol=1e-5, atol=within, equal_nan=True):
                return f"differs by {(own - other).abs().max():.3g} {where}"
    return ""
