"""Networks that leave in every form, run in fresh processes, and the page that says how far their outputs differ."""

import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from made_up import evaluation

from nas_attn.assembly import build
from nas_attn.attention import ATTENTIONS
from nas_attn.backbones import plan
from nas_attn.export import Winner, export
from nas_attn.settings import Backbone, Digits, ImageFacts
from nas_attn.space import Architecture, parse

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
FORMS = {"source": ("model.py", "nas_attn"), "program": ("model.pt2", "nas_attn"), "onnx": ("model.onnx", "torch")}
"""Each form with its file, and what the process that runs it cannot import."""
FAMILIES = (
    *("timm:resnet18", "torchvision:vgg11_bn", "torchvision:densenet121", "timm:mobilenetv3_small_050"),
    *("timm:efficientnet_b0", "torchvision:shufflenet_v2_x0_5", "timm:regnetx_002", "timm:ghostnet_050"),
    *("timm:convnext_atto", "torchvision:mobilenet_v2"),
)
_HEAD = """# Do all forms of an exported network agree?

For each kind of attention, in every stage of a built-in network, and for ten families of timm and torchvision with
squeeze-and-excitation at the end of a block, `make parity` exports a network with random weights and runs each form
that leaves in a process of its own: `model.py` and `model.pt2` without `nas_attn`, `model.onnx` by onnxruntime without
torch. A cell has the largest difference from the outputs of the network in memory, as a share of the largest output,
over a batch of one and a batch of four of the size for which it was exported, a larger square, and an image that is
not square; or over the first two alone, where *one size* says that the network or its program takes no other.

"""

_RUN = """
import pathlib, sys
folder, form, hidden, given, found = sys.argv[1:]
sys.modules[hidden] = None
import numpy
sys.path.insert(0, folder)
import predict
_, run = predict._loaded(pathlib.Path(folder), form)
numpy.savez(found, *(run(images) for images in numpy.load(given).values()))
"""


@dataclass(frozen=True)
class Parity:
    """What became of the forms of one network."""

    what: str
    architecture: str
    differences: dict[str, float | str]
    """By form: the largest difference, as a share of the largest output, or why there is none."""
    any_size: bool


def kinds():
    """A built-in network with each kind of attention in every stage, where it stands by itself."""
    for name, kind in ATTENTIONS.items():
        position = getattr(kind, "positions", ("branch",))[0]
        yield (
            name,
            Backbone(name="resnet8"),
            parse(" ".join(f"stage{n}.block0.{position}={name}" for n in (1, 2, 3))),
            32,
        )


def families():
    """A network of each family with attention at the end of its first and its last block."""
    for name in FAMILIES:
        backbone = Backbone(name=name)
        sites = [place.site.name for place in plan(backbone, in_channels=3, classes=10).places]
        blocks = [site for site in sites if site.endswith(".block")] or sites
        yield name, backbone, parse(" ".join(f"{site}=se" for site in dict.fromkeys((blocks[0], blocks[-1])))), 64


def compared(what: str, backbone: Backbone, architecture: Architecture, size: int) -> Parity:
    """Export a network, and run each of its forms."""
    network = build(architecture, backbone, in_channels=3, classes=10, seed=1).eval()
    facts = ImageFacts(3, size, size, tuple("abcdefghij"), (0.5,) * 3, (0.2,) * 3)
    row = evaluation(str(architecture), state="complete", accuracy=0.5, loss=1.0)
    winner = Winner(network, backbone, row, facts, {}, {}, 0, source=Digits())
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        notes = export(winner, out, onnx=True)
        shapes = [(1, 3, size, size), (4, 3, size, size)]
        any_size = not any("of images of" in note and "takes any batch" in note for note in notes)
        shapes += [(1, 3, size + 16, size + 16), (2, 3, size, size + 32)] if any_size else []
        generator = torch.Generator().manual_seed(2)
        images = [torch.randn(shape, generator=generator) for shape in shapes]
        with torch.inference_mode():
            expected = [network(one).numpy() for one in images]
        np.savez(out.parent / "given.npz", *(one.numpy() for one in images))
        found = {form: _difference(out, form, hidden, expected, notes) for form, (_, hidden) in FORMS.items()}
    return Parity(what, str(architecture), found, any_size)


def _difference(out, form, hidden, expected, notes):
    file = FORMS[form][0]
    if not (out / file).is_file():
        return next(note for note in notes if note.startswith(file)).partition("because ")[2]
    found = out.parent / f"{form}.npz"
    command = [sys.executable, "-I", "-c", _RUN, out, form, hidden, out.parent / "given.npz", found]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    given = np.load(found).values()
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(given, expected, strict=True))


def page(results):
    """The page's text: versions, and a row for each network."""
    packages = ("torch", "onnx", "onnxscript", "onnxruntime", "timm", "torchvision")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    rows = [
        f"Python {platform.python_version()}, {versions}.",
        "",
        "| attention or network | source | `model.pt2` | `model.onnx` | sizes |",
        "|---|---|---|---|---|",
        *map(_row, results),
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _row(result):
    cells = (
        f"{one:.0e}".replace("0e+00", "0") if isinstance(one, float) else one.replace("|", "/")
        for one in result.differences.values()
    )
    return f"| `{result.what}` | {' | '.join(cells)} | {'any' if result.any_size else 'one size'} |"


def rows_of(text):
    """The rows of the page: networks with what stands under each form."""
    cells = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")
    ]
    return {row[0]: row[1:4] for row in cells}
