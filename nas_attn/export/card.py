"""Description of an exported network: its card, and the file of its settings."""

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from nas_attn.results import Evaluation, known_columns, spell_mean
from nas_attn.settings import MEASURES, BuiltIn, ImageFacts, Measure, learnt, listed, with_null

from .forms import Forms
from .model_source import TEMPLATES, model_source
from .program import ONNX, TORCH
from .standalone.weights import packed
from .winner import Final, Winner

_USES: Mapping[BuiltIn, tuple[str, str, str, str]] = {
    "classification": ("that classifies", "classes", "", "image-classification"),
    "multilabel": ("that labels", "labels", ".sigmoid()  # the probability of each label", "image-classification"),
    "segmentation": (
        *("that segments", "classes", ".argmax(1)  # the class of each place, in the size of the output"),
        "image-segmentation",
    ),
    "regression": ("that gives values for", "values", "", ""),
}
"""What a network does, what its outputs are, what follows from them, and its pipeline on Hugging Face, by task."""

DRAWING = "network.svg"


def exported_files(winner: Winner, network: nn.Module, forms: Forms) -> dict[str, bytes]:
    """The content of each file of an export, by its name."""
    facts, leaves = winner.facts, forms.leaves
    shape = {"in_channels": facts.in_channels, "classes": len(facts.class_names)}
    carried = {f"code/{name}": content for name, content in leaves.files.items()}
    how = {"how": leaves.how, "files": sorted(carried), "packages": ["torch", *leaves.packages]}
    config = {**_config(winner), "leaves": how, "forms": _latencies(forms)}
    source = {}
    if not leaves.reason:
        seed = (winner.own or winner.row).seed
        text = model_source(winner.architecture, winner.backbone, leaves, **shape, seed=seed)
        source = {"model.py": text.encode(), **carried}
    programs = {name: program.content for name, program in forms.programs.items() if program.shapes}
    return {
        "model.safetensors": packed(network),
        **({} if winner.whole is None else {"module.safetensors": packed(winner.whole)}),
        **programs,
        **source,
        **forms.reading.files(forms.smallest_batch),
        **({DRAWING: winner.drawing.encode()} if winner.drawing else {}),
        "config.json": (json.dumps(config, indent=2) + "\n").encode(),
        "README.md": _card(winner, network, forms, config),
    }


def _card(winner: Winner, network: nn.Module, forms: Forms, config: Mapping[str, Any]) -> bytes:
    does, outputs, after, pipeline = _USES[winner.facts.task]
    needs = listed(sorted({"torch", *forms.leaves.packages}))
    words = {
        "does": does if winner.facts.class_names else "for",
        "outputs": outputs,
        "pipeline": pipeline if winner.facts.class_names else "",
        "after": f"{_part(network, winner.facts)}{after}",
    }
    facts = {
        "drawing": DRAWING if winner.drawing else "",
        "validation": _validation(winner),
        "beside": _beside(winner.final),
        "needs": needs,
        "leaves": forms.leaves,
        "reading": forms.reading,
    }
    programs = {"program": forms.programs[TORCH], "onnx": forms.programs.get(ONNX)}
    return TEMPLATES.get_template("card.md.jinja").render({**config, **words, **facts, **programs}).encode()


def _beside(final: Final | None) -> list[dict[str, str]]:
    """What the card says of networks that were trained for good, the exported one first."""
    known = [one for one in learnt() if final and one.name in _learnt(final.networks[0][1])]
    return [
        {
            "is": word,
            "key": row.key,
            "seeds": str(row.seeds),
            "found": "; ".join(f"{one.word} {spell_mean(one.name, row)}" for one in known),
            "params": MEASURES["params"].spell(row["params"]),
            "flops": MEASURES["flops"].spell(row["flops"]),
        }
        for word, row in (final.networks if final else ())
    ]


def _latencies(forms: Forms) -> dict[str, dict[str, Any]]:
    """The latency of each form that leaves."""
    left = {"model.py": not forms.leaves.reason, **{name: bool(one.shapes) for name, one in forms.programs.items()}}
    how = {"threads": forms.threads, "batch": forms.smallest_batch}
    return {
        name: {
            "latency_ms": one.median_ms,
            "latency_ms_low": one.low_ms,
            "latency_ms_high": one.high_ms,
            "device": one.device,
            **how,
        }
        for name, one in forms.latencies.items()
        if left[name]
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
        **_of_final(winner.final),
    }


def _of_final(final: Final | None) -> dict[str, Any]:
    """What is known of the networks that were trained for good, beside each other."""
    if final is None:
        return {"final": None}
    names = ("key", "architecture", "seeds", "params", "macs", "flops", "latency_ms")
    networks = [
        {"is": word, **{name: row[name] for name in names}, **_test_measures(row)} for word, row in final.networks
    ]
    return {"final": {"chosen_by": final.chosen_by, "networks": networks, "gains": list(final.gains)}}


def _test_measures(row: Evaluation) -> dict[str, Any]:
    """Means and standard deviations of the learnt measures."""
    return dict(with_null({f"{name}{end}": row[f"{name}{end}"] for name in _learnt(row) for end in ("", "_std")}))


def note_on_seeds(winner: Winner) -> str:
    """The training that the weights are of, beside the mean of all."""
    row, own = winner.row, winner.own or winner.row
    if row.seeds == 1:
        return ""
    judging = [one for one in learnt() if one.name in _learnt(row)]
    these = listed([f"{one.word} {one.spell(own[one.name])}" for one in judging])
    means = [f"{one.word} {one.spell(row[one.name])} (standard deviation {_deviation(row, one)})" for one in judging]
    which = "first" if winner.final is None else "best"
    how = "not the best" if winner.final is None else f"by {winner.final.chosen_by} on the hold-out part"
    return (
        f"the weights are those of seed {own.seed}, the {which} of the {row.seeds} that were trained to the end, "
        f"{how}: {these}; the mean of the {row.seeds} is {listed(means)}"
    )


def _deviation(row: Evaluation, one: Measure) -> str:
    return f"{one.difference(row[f'{one.name}_std'], signed=False)} {one.points}".strip()


def _learnt(row: Evaluation) -> list[str]:
    """The learnt measures that a row has."""
    return [name for name, one in MEASURES.items() if one.source == "learnt" and not math.isnan(row[name])]


def _validation(winner: Winner) -> list[dict[str, str]]:
    """What the card says of each measure of the validation part."""
    row, own = winner.row, winner.own or winner.row
    mean = winner.final.networks[0][1] if winner.final else None
    return [
        {
            "word": one.word,
            "own": one.spell(own[one.name]),
            "mean": one.spell(row[one.name]),
            "deviation": _deviation(row, one),
            "tested": one.spell(winner.tested.get(one.name, math.nan)),
            "tested_mean": one.spell(mean[one.name]) if mean and winner.tested else "-",
            "tested_deviation": _deviation(mean, one) if mean else "",
        }
        for one in learnt()
        if one.name in _learnt(row)
    ]
