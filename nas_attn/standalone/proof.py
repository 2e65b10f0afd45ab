"""The proof that a folder stands alone: a fresh process loads it and gives the outputs that are expected of it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

_CHECKER = """
import sys
folder, hidden, probes, outputs = sys.argv[1:]
sys.modules[hidden] = None  # so that any import of it fails
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
import pathlib, torch, model
networks = {"model.py": model.load(folder)}
if (program := pathlib.Path(folder, "model.pt2")).exists():
    networks["model.pt2"] = torch.export.load(program).module()
with torch.inference_mode():
    answers = {name: [network(images) for images in torch.load(probes)] for name, network in networks.items()}
torch.save(answers, outputs)
"""


def prove(folder: Path, network: nn.Module, shapes: Sequence[tuple[int, int, int, int]]) -> None:
    """Load `model.py`, and `model.pt2` if it is there, in a Python process that cannot import this package.

    Both must give the outputs of `network`, which is in evaluation mode on the CPU, for images of each shape
    (B, C, H, W). Raises `RuntimeError` where the process fails, or an output differs by more than rounding.
    """
    generator = torch.Generator().manual_seed(0)
    probes = [torch.randn(shape, generator=generator) for shape in shapes]
    with torch.inference_mode():
        expected = [network(images) for images in probes]
    asked, answered = folder.parent / "probes.pt", folder.parent / "outputs.pt"
    torch.save(probes, asked)
    hidden = __name__.partition(".")[0]
    command = [sys.executable, "-I", "-c", _CHECKER, str(folder), hidden, str(asked), str(answered)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"the exported files do not load on their own: {process.stderr.strip()[-2000:]}")
    for name, outputs in torch.load(answered).items():
        for shape, ours, theirs in zip(shapes, expected, outputs, strict=True):
            if not torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
                raise RuntimeError(f"{name} differs by {(ours - theirs).abs().max():.3g} for images of shape {shape}")
