"""The proof that a folder stands alone: a fresh process loads it and gives the outputs that are expected of it."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

Shape = tuple[int, int, int, int]
"""Of a batch of images: (B, C, H, W)."""

_CHECKER = """
import sys
folder, hidden, probes, outputs = sys.argv[1:]
sys.modules[hidden] = None  # so that any import of it fails
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
import pathlib, torch, model
load = {
    "model.py": lambda: model.load(folder),
    "model.pt2": lambda: torch.export.load(pathlib.Path(folder, "model.pt2")).module(),
}
answers = {}
with torch.inference_mode():
    for name, batches in torch.load(probes).items():
        network = load[name]()
        answers[name] = [network(images) for images in batches]
torch.save(answers, outputs)
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
    asked, answered = folder.parent / "probes.pt", folder.parent / "outputs.pt"
    torch.save(probes, asked)
    hidden = __name__.partition(".")[0]
    command = [sys.executable, "-I", "-c", _CHECKER, str(folder), hidden, str(asked), str(answered)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"the exported files do not load on their own: {process.stderr.strip()[-2000:]}")
    for name, outputs in torch.load(answered).items():
        for shape, ours, theirs in zip(shapes[name], expected[name], outputs, strict=True):
            if not torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
                raise RuntimeError(f"{name} differs by {(ours - theirs).abs().max():.3g} for images of shape {shape}")
