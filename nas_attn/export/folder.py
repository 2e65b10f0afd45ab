"""Export of a trained network into a folder that needs torch alone."""

import io
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as shape_settings
from torch.utils._pytree import tree_leaves

from nas_attn.results import Evaluation, known_columns
from nas_attn.settings import MEASURES, Backbone, BuiltIn, ImageFacts, Measure, learnt, listed, with_null
from nas_attn.space import Architecture, first_line, parse

from .leaving import Leaving, leaving
from .model_source import TEMPLATES, model_source
from .standalone.folder import claimed, exchange, write_files
from .standalone.proof import Shape, prove
from .standalone.weights import packed

_USES: Mapping[BuiltIn, tuple[str, str, str]] = {
    "classification": ("that classifies", "classes", ""),
    "multilabel": ("that labels", "labels", ".sigmoid()  # the probability of each label"),
    "segmentation": ("that segments", "classes", ".argmax(1)  # the class of each place, in the size of the output"),
    "regression": ("that gives values for", "values", ""),
}
"""What a network does, what its outputs are, and what follows from them, by task."""
_OURS = __name__.partition(".")[0]
_NO_PROGRAM = "model.pt2 is not there, because"


@dataclass(frozen=True, slots=True)
class Winner:
    """A trained network with the facts for its files."""

    network: nn.Module
    """With its trained weights."""
    backbone: Backbone
    row: Evaluation
    """Its results, over its seeds."""
    facts: ImageFacts
    study: Mapping[str, Any]
    """Data, recipe, objectives."""
    tested: Mapping[str, float]
    """The learnt measures of these weights on the part that no search has seen; none where there is no such part."""
    test_images: int
    """Number of images of that part."""
    own: Evaluation | None = None
    """The row of the one training that gave these weights; without it, `row`, which then is of one seed."""
    whole: nn.Module | None = None
    """What was trained, where the network is but a part of it, as of a user's own `LightningModule`."""

    def __post_init__(self) -> None:
        if self.own is None and self.row.seeds > 1:
            raise ValueError(f"{self.row.key}: a mean of {self.row.seeds} seeds is no accuracy of these weights")

    @property
    def architecture(self) -> Architecture:
        """Its attentions."""
        return parse(self.row.architecture)


def export(winner: Winner, out: Path, *, by_name: bool = False) -> list[str]:
    """Write the network's files into a folder, and prove that they work; returns notes for the user.

    `model.py` is source to read, with a user's own files in `code`, `model.safetensors` the weights, and
    `module.safetensors` those of the whole that the network is a part of, `model.pt2` the program of `torch.export`,
    `config.json` and `README.md` the description, `MANIFEST.sha256` the checksums. With `by_name`, the user's own
    modules are imported from where they are installed. Before they are kept, a fresh Python
    process that cannot import this package loads them, and must give the outputs of the network in memory for three
    shapes, a batch of one and a map that is not square among them, or those of them that the network takes. What does
    not is left out, with a note; the weights are always there. An earlier export is replaced if it is whole and
    unchanged, but for the `__pycache__` that Python makes of its source.

    Raises `InputError` where the folder holds anything else or cannot be written, or weights cannot be kept.
    """
    network, facts = winner.network.cpu().eval(), winner.facts
    kinds = [placement.attention.kind for placement in winner.architecture.placements]
    leaves = leaving(
        winner.backbone, kinds, in_channels=facts.in_channels, classes=len(facts.class_names), by_name=by_name
    )
    with claimed(out) as work:
        shapes = _taken(network, facts.image)
        program = _program(network, shapes)
        write_files(work, _files(winner, network, program, leaves), out)
        proved = {"model.py": [] if leaves.reason else shapes, "model.pt2": program.shapes}
        hidden = {_OURS} - {*leaves.packages}
        faults = prove(work / "new", network, proved, hidden=hidden, path=leaves.path)
        leaves = leaves.without_source(f"it {faults['model.py']}") if "model.py" in faults else leaves
        program = _Program([], note=f"{_NO_PROGRAM} it {faults['model.pt2']}") if "model.pt2" in faults else program
        if faults:
            write_files(work, _files(winner, network, program, leaves), out)
        replaced = exchange(work, out)
    source = leaves.reason and f"model.py is not there: {leaves.reason}"
    single = "" if any(shape[0] == 1 for shape in shapes) else "the network takes no batch of one image"
    return [note for note in (source, *leaves.remarks, single, program.note, _note_on_seeds(winner), replaced) if note]


@dataclass(frozen=True, slots=True)
class _Program:
    """Content of `model.pt2`, or the reason why there is none."""

    shapes: list[Shape]
    """Of batches that it takes."""
    content: bytes = b""
    takes: str = ""
    """The same in words."""
    note: str = ""
    """What it does not take that the network does, or that there is none, and why."""


def _program(network: nn.Module, shapes: list[Shape]) -> _Program:
    """Program of a network for as many sizes as `torch.export` allows."""
    one_size = [shape for shape in shapes if shape[2:] == shapes[0][2:]]
    freedoms = (
        (shapes, "any batch, height and width, but for images of a few pixels, which it refuses"),
        (one_size, f"any batch of images of {shapes[0][2]} x {shapes[0][3]} pixels"),
    )
    reason = ""
    for takes, words in freedoms if shapes != one_size else freedoms[1:]:
        free = dict.fromkeys((0, 2, 3) if takes != one_size else (0,), torch.export.Dim.DYNAMIC)
        content = io.BytesIO()  # where torch writes a file by itself, a full disk ends the process
        try:
            _export_program(network, takes, free, content)
            note = reason and f"model.pt2 takes {words} only, because torch.export refused others: {reason}"
            return _Program(takes, content.getvalue(), words, note)
        except Exception as error:  # torch.export refuses in many ways, and the other files stand without it
            reason = first_line(error)
    return _Program([], note=f"{_NO_PROGRAM} torch.export refused: {reason}")


def _export_program(network: nn.Module, shapes: list[Shape], free: dict[int, Any], content: io.BytesIO) -> None:
    """Write a program, and try it: an older torch may refuse sizes that it has to leave free."""
    any_size = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings(), any_size:
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        program = torch.export.export(network, (torch.zeros(shapes[0]),), dynamic_shapes=(free,))
        torch.export.save(program, content)
        loaded = torch.export.load(io.BytesIO(content.getvalue())).module()
        with torch.inference_mode():
            for shape in shapes:
                loaded(torch.zeros(shape))


def _taken(network: nn.Module, image: tuple[int, int, int]) -> list[Shape]:
    """Shapes of batches that the network takes; one image alone, or another size, is not for every network."""
    channels, height, width = image
    shapes = [(2, channels, height, width), (1, channels, height, width), (1, channels, height + 3, width + 5)]
    return [shapes[0], *(shape for shape in shapes[1:] if _takes(network, shape))]


def _takes(network: nn.Module, shape: Shape) -> bool:
    try:
        with torch.inference_mode():
            given = network(torch.zeros(shape))
    except Exception:  # a user's network may fail in any way
        return False
    return all(len(one) == shape[0] for one in tree_leaves(given) if isinstance(one, Tensor) and one.ndim)


def _files(winner: Winner, network: nn.Module, program: _Program, leaves: Leaving) -> dict[str, bytes]:
    facts = winner.facts
    shape = {"in_channels": facts.in_channels, "classes": len(facts.class_names)}
    carried = {f"code/{name}": content for name, content in leaves.files.items()}
    how = {"how": leaves.how, "files": sorted(carried), "packages": ["torch", *leaves.packages]}
    config = {**_config(winner), "leaves": how}
    source = {}
    if not leaves.reason:
        seed = (winner.own or winner.row).seed
        text = model_source(winner.architecture, winner.backbone, leaves, **shape, seed=seed)
        source = {"model.py": text.encode(), **carried}
    needs = listed(sorted({"torch", *leaves.packages}))
    does, outputs, after = _USES[facts.task]
    words = {
        "does": does if facts.class_names else "for",
        "outputs": outputs,
        "after": f"{_part(network, facts)}{after}",
    }
    card = {**config, **words, "validation": _validation(winner), "needs": needs, "program": program, "leaves": leaves}
    return {
        "model.safetensors": packed(network),
        **({} if winner.whole is None else {"module.safetensors": packed(winner.whole)}),
        **({"model.pt2": program.content} if program.shapes else {}),
        **source,
        "config.json": (json.dumps(config, indent=2) + "\n").encode(),
        "README.md": TEMPLATES.get_template("card.md.jinja").render(card).encode(),
    }


def _part(network: nn.Module, facts: ImageFacts) -> str:
    """How the scores are taken out of what a network gives."""
    with torch.inference_mode():
        given = network(torch.zeros(2, *facts.image))
    inner: Any = given
    path = ""
    while isinstance(inner, Mapping | list | tuple) and len(inner):
        key = next(iter(inner)) if isinstance(inner, Mapping) else 0
        inner, path = inner[key], f"{path}[{key!r}]"
    return path


def _config(winner: Winner) -> dict[str, Any]:
    row, own = (with_null(known_columns(one)) for one in (winner.row, winner.own or winner.row))
    first = ("key", "architecture", "seed", "weights_sha256", "device", "versions")
    tested = with_null({f"test_{name}": value for name, value in winner.tested.items()})
    tested["test_images"] = winner.test_images
    return {
        "format_version": 1,
        **{name: row.pop(name) for name in first},
        "backbone": winner.backbone.name,
        "backbone_settings": winner.backbone.model_dump(mode="json", exclude={"name"}, exclude_defaults=True),
        "placements": {placement.site: str(placement.attention) for placement in winner.architecture.placements},
        "image": {"channels": winner.facts.in_channels, "height": winner.facts.height, "width": winner.facts.width},
        "task": winner.facts.task,
        "target": {"mean": list(winner.facts.target_mean), "std": list(winner.facts.target_std)},
        "normalisation": {"mean": list(winner.facts.mean), "std": list(winner.facts.std), "unit": "black 0, white 1"},
        "class_names": list(winner.facts.class_names),
        "weights": {**{name: own[name] for name in ("seed", *_learnt(winner.row))}, **tested},
        "metrics": {**row, **tested},
        "study": dict(winner.study),
    }


def _note_on_seeds(winner: Winner) -> str:
    """The training that the weights are of, beside the mean of all."""
    row, own = winner.row, winner.own or winner.row
    if row.seeds == 1:
        return ""
    judging = [one for one in learnt() if one.name in _learnt(row)]
    these = listed([f"{one.word} {one.spell(own[one.name])}" for one in judging])
    means = [f"{one.word} {one.spell(row[one.name])} (standard deviation {_deviation(row, one)})" for one in judging]
    return (
        f"the weights are those of seed {own.seed}, the first of the {row.seeds} that were trained to the end, not the "
        f"best: {these}; the mean of the {row.seeds} is {listed(means)}"
    )


def _deviation(row: Evaluation, one: Measure) -> str:
    return f"{one.difference(row[f'{one.name}_std'], signed=False)} {one.points}".strip()


def _learnt(row: Evaluation) -> list[str]:
    """The learnt measures that a row has."""
    return [name for name, one in MEASURES.items() if one.source == "learnt" and not math.isnan(row[name])]


def _validation(winner: Winner) -> list[dict[str, str]]:
    """What the card says of each measure of the validation part."""
    row, own = winner.row, winner.own or winner.row
    return [
        {
            "word": one.word,
            "own": one.spell(own[one.name]),
            "mean": one.spell(row[one.name]),
            "deviation": _deviation(row, one),
            "tested": one.spell(winner.tested.get(one.name, math.nan)),
        }
        for one in learnt()
        if one.name in _learnt(row)
    ]
