"""Joint of space, attentions, backbones and weights: a network becomes a folder that needs torch alone."""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx.experimental import _config as shape_settings

from nas_attn.modelsource import TEMPLATES, model_source, needed_packages
from nas_attn.results import Evaluation
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import Architecture, InputError, parse
from nas_attn.standalone import Shape, packed, prove

_MANIFEST = "MANIFEST.sha256"


@dataclass(frozen=True, slots=True)
class Winner:
    """A trained network with all that its files say about it."""

    network: nn.Module
    """With its trained weights."""
    backbone: Backbone
    row: Evaluation
    facts: ImageFacts
    """What its images are like."""
    study: Mapping[str, Any]
    """What was asked: data, recipe, objectives."""
    test_accuracy: float
    """On the part that no search has seen; NaN where it is not known."""
    test_images: int
    """How many images that part has."""

    @property
    def architecture(self) -> Architecture:
        """What stands where."""
        return parse(self.row.architecture)


def export(winner: Winner, out: Path) -> list[str]:
    """Write the network's files into a folder, and prove that they work; returns what the user should know.

    `model.py` is source to read, `model.safetensors` the weights, `model.pt2` the program of `torch.export`,
    `config.json` and `README.md` say what it is, `MANIFEST.sha256` holds the checksums. Before they are kept, a fresh
    Python process that cannot import this package loads them, and must give the outputs of the network in memory for
    three shapes, a batch of one and a map that is not square among them, or those of them that the network takes. A
    folder that holds an earlier export is replaced.

    Raises `InputError` where the folder holds something else or cannot be written, `RuntimeError` where an output
    differs.
    """
    if out.exists() and not (out / _MANIFEST).is_file() and (out.is_file() or any(out.iterdir())):
        raise InputError(f"{out}: exists, and is no earlier export; name a new folder")
    network = winner.network.cpu().eval()
    shapes = _taken(network, winner.facts.image)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
            ready = Path(folder) / "export"
            ready.mkdir()
            program = _write_program(network, shapes, ready / "model.pt2")
            _write(winner, network, ready, program)
            prove(ready, network, {"model.py": shapes, **({"model.pt2": program.shapes} if program.shapes else {})})
            _write_manifest(ready)
            if out.exists():
                shutil.rmtree(out)
            ready.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from None
    return [program.refused] if program.refused else []


@dataclass(frozen=True, slots=True)
class _Program:
    """What became of `model.pt2`."""

    shapes: list[Shape]
    """Of batches that it has to take."""
    takes: str = ""
    """The same in words."""
    refused: str = ""
    """Why it is not there."""


def _write_program(network: nn.Module, shapes: list[Shape], path: Path) -> _Program:
    """Export a network for as many sizes as `torch.export` allows."""
    one_size = [shape for shape in shapes if shape[2:] == shapes[0][2:]]
    freedoms = (
        _Program(shapes, "any batch, height and width, but for images of a few pixels, which it refuses"),
        _Program(one_size, f"any batch of images of {shapes[0][2]} x {shapes[0][3]} pixels"),
    )
    for program in freedoms if shapes != one_size else freedoms[1:]:
        free = dict.fromkeys((0, 2, 3) if program.shapes != one_size else (0,), torch.export.Dim.DYNAMIC)
        try:
            _export_program(network, shapes[0], free, path)
            return program
        except Exception as error:  # torch.export refuses in many ways, and the other files stand without it
            path.unlink(missing_ok=True)
            reason = str(error).strip().splitlines()[0]
    return _Program([], refused=f"model.pt2 is not there, because torch.export refused: {reason}")


def _export_program(network: nn.Module, shape: Shape, free: dict[int, Any], path: Path) -> None:
    any_size = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings(), any_size:
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        program = torch.export.export(network, (torch.zeros(shape),), dynamic_shapes=(free,))
        torch.export.save(program, path)


def _taken(network: nn.Module, image: tuple[int, int, int]) -> list[Shape]:
    """Shapes of batches that the network takes; another size than the images' is not for every network."""
    channels, height, width = image
    usual = [(2, channels, height, width), (1, channels, height, width)]
    other = (1, channels, height + 3, width + 5)
    try:
        with torch.inference_mode():
            network(torch.zeros(other))
    except (RuntimeError, ValueError, AssertionError):
        return usual
    return [*usual, other]


def _write(winner: Winner, network: nn.Module, folder: Path, program: _Program) -> None:
    facts = winner.facts
    source = model_source(
        winner.architecture, winner.backbone, in_channels=facts.in_channels, classes=len(facts.class_names)
    )
    config = _config(winner)
    said = {**config, "needs": " and ".join(needed_packages(source)), "program_takes": program.takes}
    (folder / "model.safetensors").write_bytes(packed(network))
    (folder / "model.py").write_text(source, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(TEMPLATES.get_template("card.md.jinja").render(said), encoding="utf-8")


def _config(winner: Winner) -> dict[str, Any]:
    row = {name: None if value != value else value for name, value in asdict(winner.row).items()}
    named = ("key", "architecture", "seed", "weights_sha256", "device", "versions")
    return {
        **{name: row.pop(name) for name in named},
        "backbone": winner.backbone.name,
        "backbone_settings": winner.backbone.model_dump(mode="json", exclude={"name"}, exclude_defaults=True),
        "placements": {placement.site: str(placement.attention) for placement in winner.architecture.placements},
        "image": {"channels": winner.facts.in_channels, "height": winner.facts.height, "width": winner.facts.width},
        "normalisation": {"mean": list(winner.facts.mean), "std": list(winner.facts.std), "unit": "black 0, white 1"},
        "class_names": list(winner.facts.class_names),
        "metrics": {
            **row,
            "test_accuracy": winner.test_accuracy if winner.test_accuracy == winner.test_accuracy else None,
            "test_images": winner.test_images,
        },
        "study": dict(winner.study),
    }


def _write_manifest(folder: Path) -> None:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / _MANIFEST).write_text("".join(lines), encoding="utf-8")
