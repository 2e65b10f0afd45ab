"""Networks that are trained once for all of a study, and then kept: the plain backbone and the supernet."""

import copy
import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from nas_attn.export.standalone.weights import broken
from nas_attn.settings import Backbone, Recipe, check_format, lasting, learnt
from nas_attn.space import Architecture, InputError, Placement, SearchSpace, first_line, make_folder
from nas_attn.study import Artifacts, Unshared
from nas_attn.tasks import Task, Training
from nas_attn.training import Score, Variants, deciding, drop_checkpoint, faults_reported, logging_apart

from .coverage import covering, culprits
from .halving import PARTS, whole_or_halved
from .protocol import read_weights, write_weights
from .supernet import Supernet, build_supernet, variants

_NAME = "made_for"
_NEWEST = 1
"""The format version of what is kept; version 0.1.0 wrote format 1 without its number."""
_LOG = logging.getLogger(__name__)

OnPretrained = Callable[[str, int, int], None]
"""Called with `base` or `supernet`, the epochs done and the epochs in all."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Trained weights in a file, whose name is a digest of all that they depend on."""

    path: Path
    validation: Mapping[str, float]
    """Its learnt measures."""
    seconds: float
    """Time of the training."""


@dataclass(frozen=True)
class PretrainedStore:
    """Folder of networks that are trained once; an interrupted training goes on."""

    folder: Path
    backbone: Backbone
    task: Task
    trainer: Mapping[str, Any]
    seed: int
    on_epoch: OnPretrained
    reservations: Unshared = field(default_factory=Unshared)
    """Of several processes one trains, and the others wait."""
    artifacts: Artifacts | None = None
    """Where others find what is trained here."""

    def base(self, recipe: Recipe) -> Checkpoint:
        """The plain backbone, trained by a recipe from initial weights, or from those that it names.

        Raises `TrainingFailed` as `train` does.
        """
        plain = self.task.build(Architecture(), self.backbone, self.seed)
        return self._once("base", plain, recipe, {})

    def supernet(
        self,
        space: SearchSpace,
        recipe: Recipe,
        affordable: Callable[[Architecture], bool],
        limits: Mapping[str, float],
        sandwich: Sequence[Architecture],
    ) -> tuple[Supernet, Checkpoint]:
        """The supernet of a space, trained on the architectures that fit a budget's limits.

        Each iteration learns of the `sandwich` too. It learns without an attention that fails where the plain backbone
        does not, which the log says. Raises `InputError` where nothing fits, and as `train` does.
        """
        shape = {"in_channels": self.task.facts.in_channels, "classes": self.task.classes}
        whole = self.task.whole(self.seed)
        supernet = build_supernet(space, self.backbone, **shape, seed=self.seed, whole=whole)
        question = {
            "sandwich": list(map(str, sandwich)),
            "limits": limits,
            "slots": [[list(map(str, filling)) for filling in slot.fillings()] for slot in space.slots],
        }

        def sampled() -> Variants:
            failing = self._failing(supernet, space, recipe)
            able = [one for one in sandwich if failing.isdisjoint(one.placements)]

            def fits(architecture: Architecture) -> bool:
                return affordable(architecture) and failing.isdisjoint(architecture.placements)

            return variants(supernet, space, self.seed, affordable=fits, sandwich=able)

        return supernet, self._once("supernet", supernet, recipe, question, sampled)

    def _failing(self, supernet: Supernet, space: SearchSpace, recipe: Recipe) -> set[Placement]:
        """The attentions that fail in training; raises `TrainingFailed` where the plain backbone does."""
        tried, failing = copy.deepcopy(supernet), set[Placement]()

        def attempt(architecture: Architecture) -> None:
            tried.choose(architecture)
            whole_or_halved(iteration, self.task, recipe.batch_size, named=f"the supernet with {architecture}")

        def iteration(parts: int) -> None:
            images = None if parts == 1 else math.ceil(recipe.batch_size / parts)
            with faults_reported():
                self.task.try_iteration(tried, self._how(recipe, self.trainer), images)

        attempt(Architecture())
        for architecture in covering(space, options=True):
            for part, failure in culprits(architecture, space, attempt):
                _LOG.warning("%s: the supernet learns without it: %s", part, failure)
                failing.update(part.placements)
        return failing

    def _how(self, recipe: Recipe, trainer: Mapping[str, Any], **more: Any) -> Training:
        return Training(recipe, self.seed, trainer, self.backbone.auxiliary_weight, **more)

    def _once(
        self,
        what: str,
        network: nn.Module,
        recipe: Recipe,
        question: dict[str, Any],
        sampled: Callable[[], Variants] | None = None,
    ) -> Checkpoint:
        """The network as it was kept, or trained, with variants that are made then, and kept."""
        path = self.folder / f"{what}-{self._digest({**question, 'recipe': lasting(recipe)})}.safetensors"
        if (kept := self._found(path)) is None:
            with self.reservations.alone_with(path.stem):
                kept = self._found(path) or self._trained(what, network, recipe, path, sampled)
        read_weights(network, path)
        return kept

    def _found(self, path: Path) -> Checkpoint | None:
        if self.artifacts is not None:
            self.artifacts.fetch(path)
        return _find(path)

    def _trained(
        self, what: str, network: nn.Module, recipe: Recipe, path: Path, sampled: Callable[[], Variants] | None
    ) -> Checkpoint:
        """The network, trained and kept."""
        checkpoints = {1: path.with_suffix(".ckpt"), PARTS: path.with_name(f"{path.stem}-in{PARTS}.ckpt")}
        make_folder(path.parent)
        initial = copy.deepcopy(network.state_dict())

        def attempt(parts: int) -> Score:
            if parts > 1:
                network.load_state_dict(initial)
            with faults_reported():
                how = self._how(
                    recipe,
                    logging_apart(self.trainer, self.folder.parent / "logs", what, path.stem, {"seed": self.seed}),
                    on_epoch=lambda done, epochs: self.on_epoch(what, done, epochs),
                    checkpoint=checkpoints[parts],
                    variants=sampled and sampled(),
                    parts=parts,
                )
                return self.task.train(network, how)

        halved = checkpoints[PARTS].exists()
        score = whole_or_halved(attempt, self.task, recipe.batch_size, named=f"the {what}", halved=halved)
        found = {**score.validation, "seconds": score.train_seconds}
        words = {name: repr(value) for name, value in found.items()} | {_NAME: path.stem}
        write_weights(network, path, format_version=str(_NEWEST), **words)
        for checkpoint in checkpoints.values():
            drop_checkpoint(checkpoint)
        if self.artifacts is not None:
            self.artifacts.put(path)
        return Checkpoint(path, score.validation, score.train_seconds)

    def _digest(self, question: Mapping[str, Any]) -> str:
        made_by = {
            **question,
            "backbone": self.backbone.identity(),
            "data": self.task.digest,
            "seed": self.seed,
            "trainer": {name: str(value) for name, value in deciding(self.trainer).items()},
            "torch": version("torch"),
        }
        return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:12]


def _find(path: Path) -> Checkpoint | None:
    """The checkpoint in a file, if it is whole and as it was written; raises `InputError` for a newer format."""
    try:
        if broken(path.read_bytes()):
            raise ValueError("it holds other numbers than were written into it")
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if (name := metadata.get(_NAME, path.stem)) != path.stem:
            raise ValueError(f"it was written as {name}")
        check_format(int(metadata.get("format_version", "1")), _NEWEST, str(path))
        known = {one.name: float(metadata[one.name]) for one in learnt() if one.name in metadata}
        return Checkpoint(path, known, float(metadata["seconds"]))
    except InputError:
        raise
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        _LOG.warning("%s: cannot be used, so it is trained again: %s", path, first_line(error))
        return None
