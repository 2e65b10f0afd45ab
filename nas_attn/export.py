"""Joint of space, attentions, backbones and weights: a network becomes a folder that needs torch alone."""

import hashlib
import json
import shutil
import tempfile
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from safetensors.torch import save
from torch import nn

from nas_attn.attention import ATTENTIONS, IdentityStart
from nas_attn.backbones import BACKBONES, sites
from nas_attn.results import Evaluation
from nas_attn.settings import Backbone, ImageFacts
from nas_attn.space import InputError, Placement, Value, parse
from nas_attn.standalone import prove, read_tensors, standalone_source

_MANIFEST = "MANIFEST.sha256"
_TEMPLATES = Environment(
    loader=PackageLoader("nas_attn", "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)


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
    def placements(self) -> tuple[Placement, ...]:
        """What stands where."""
        return parse(self.row.architecture).placements


def export(winner: Winner, out: Path) -> list[str]:
    """Write the network's files into a folder, and prove that they work; returns what the user should know.

    `model.py` is source to read, `model.safetensors` the weights, `model.pt2` the program of `torch.export`,
    `config.json` and `README.md` say what it is, `MANIFEST.sha256` holds the checksums. Before they are kept, a fresh
    Python process that cannot import this package loads them, and must give the outputs of the network in memory for
    three shapes, a batch of one and a map that is not square among them. A folder that holds an earlier export is
    replaced.

    Raises `InputError` where the folder holds something else or cannot be written, `RuntimeError` where an output
    differs.
    """
    if out.exists() and not (out / _MANIFEST).is_file() and (out.is_file() or any(out.iterdir())):
        raise InputError(f"{out}: exists, and is no earlier export; name a new folder")
    channels, height, width = winner.facts.image
    shapes = ((2, channels, height, width), (1, channels, height, width), (1, channels, height + 3, width + 5))
    network = winner.network.cpu().eval()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
            ready = Path(folder) / "export"
            ready.mkdir()
            notes = _write(winner, network, ready)
            prove(ready, network, shapes)
            _write_manifest(ready)
            if out.exists():
                shutil.rmtree(out)
            ready.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from None
    return notes


def _write(winner: Winner, network: nn.Module, folder: Path) -> list[str]:
    config = _config(winner)
    (folder / "model.safetensors").write_bytes(save(dict(network.state_dict())))
    (folder / "model.py").write_text(model_source(winner), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_TEMPLATES.get_template("card.md.jinja").render(config), encoding="utf-8")
    try:
        _write_program(network, winner.facts.image, folder / "model.pt2")
    except Exception as error:  # torch.export refuses in many ways, and the other files stand without it
        (folder / "model.pt2").unlink(missing_ok=True)
        return [f"model.pt2 is not there, because torch.export refused: {str(error).splitlines()[0]}"]
    return []


def _write_program(network: nn.Module, image: tuple[int, int, int], path: Path) -> None:
    """Export for any batch, height and width; the example's batch is 2, because a batch of one would be built in."""
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        program = torch.export.export(network, (torch.zeros(2, *image),), dynamic_shapes=(free,))
        torch.export.save(program, path)


def _config(winner: Winner) -> dict[str, Any]:
    row = {name: None if value != value else value for name, value in asdict(winner.row).items()}
    named = ("key", "architecture", "seed", "device", "versions")
    return {
        **{name: row.pop(name) for name in named},
        "backbone": winner.backbone,
        "placements": {placement.site: str(placement.attention) for placement in winner.placements},
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


def model_source(winner: Winner) -> str:
    """The text of `model.py`: the classes in use as they are written here, with `build` and `load`."""
    network = BACKBONES[winner.backbone]
    arguments = {"in_channels": winner.facts.in_channels, "classes": len(winner.facts.class_names)}
    channels = {site.name: site.channels for site in sites(lambda insert: network(**arguments, insert=insert))}
    kinds = dict.fromkeys(kind for placement in winner.placements for kind in _classes(placement))
    imports, definitions = standalone_source([read_tensors, *kinds, network.func])
    return _TEMPLATES.get_template("model.py.jinja").render(
        about=textwrap.fill(f"{winner.backbone} with {winner.row.architecture}", 110, break_on_hyphens=False),
        imports=imports,
        definitions=definitions,
        network=network.func.__name__,
        arguments={**network.keywords, **arguments},
        placed=[(placement.site, _call(placement, channels[placement.site])) for placement in winner.placements],
    )


def _classes(placement: Placement) -> list[type[nn.Module]]:
    """The kind that stands there, and what is around it."""
    around = [IdentityStart] if ("start", "identity") in placement.attention.options else []
    return [ATTENTIONS[placement.attention.kind], *around]


def _call(placement: Placement, channels: int) -> str:
    options = [f"{name}={_literal(value)}" for name, value in placement.attention.options if name != "start"]
    call = ", ".join([str(channels), *options])
    for made in _classes(placement):
        call = f"{made.__name__}({call})"
    return call


def _literal(value: Value) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
