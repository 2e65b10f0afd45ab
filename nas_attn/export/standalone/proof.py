"""Proof that an exported folder stands alone: a fresh process loads it and gives the expected outputs."""

import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

Shape = tuple[int, int, int, int]
"""Of a batch of images: (B, C, H, W)."""

_CHECKER = """
import io, os, sys
folder, hidden = sys.argv[1:]
written = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what a network prints is no part of the outputs
sys.modules[hidden] = None  # so that any import of it fails
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
import pathlib, torch, model
load = {
    "model.py": lambda: model.load(folder),
    "model.pt2": lambda: torch.export.load(pathlib.Path(folder, "model.pt2")).module(),
}
outputs = {}
with torch.inference_mode():
    for name, batches in torch.load(io.BytesIO(sys.stdin.buffer.read())).items():
        network = load[name]()
        outputs[name] = [network(images) for images in batches]
content = io.BytesIO()
torch.save(outputs, content)
with written:
    written.write(content.getvalue())
"""


def prove(folder: Path, network: nn.Module, shapes: Mapping[str, Sequence[Shape]]) -> None:
    """Load `model.py` and `model.pt2`, those of them that have shapes, in a process that cannot import this package.

    They must give the outputs of `network`, which is in evaluation mode on the CPU, for images of each of their shapes
    (B, C, H, W). Raises `RuntimeError` where the process fails, or an output differs by more than rounding.
    """
    generator = torch.Generator().manual_seed(0)
    probes = {name: [torch.randn(shape, generator=generator) for shape in listed] for name, listed in shapes.items()}
    with torch.inference_mode():
        expected = {name: [network(images) for images in batches] for name, batches in probes.items()}
    content = io.BytesIO()
    torch.save(probes, content)
    command = [sys.executable, "-I", "-c", _CHECKER, str(folder.absolute()), __name__.partition(".")[0]]
    process = subprocess.run(command, input=content.getvalue(), capture_output=True, check=False)  # without a disk
    if process.returncode:
        said = process.stderr.decode(errors="replace").strip()[-2000:] or f"exit code {process.returncode}"
        raise RuntimeError(f"the exported files do not load on their own: {said}")
    for name, outputs in torch.load(io.BytesIO(process.stdout)).items():
        for shape, ours, theirs in zip(shapes[name], expected[name], outputs, strict=True):
            if not torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
                raise RuntimeError(f"{name} differs by {(ours - theirs).abs().max():.3g} for images of shape {shape}")
