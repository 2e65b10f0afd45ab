"""Training protocol of a step, and the files of trained weights."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor, nn

from nas_attn.assembly import identity_started
from nas_attn.cost import device_name
from nas_attn.export.standalone.weights import broken, packed
from nas_attn.results import Evaluation, outcomes_file, write_outcomes
from nas_attn.settings import Backbone, Recipe, Start
from nas_attn.space import Architecture, InputError, first_line, former_key, make_folder, parse, write_whole
from nas_attn.tasks import Task, Training
from nas_attn.training import (
    Diverged,
    OnEpoch,
    OutOfMemory,
    Raised,
    Score,
    TrainingFailed,
    drop_checkpoint,
    faults_reported,
    logging_apart,
    networks_own,
    training_device,
)

from .failures import failed_row
from .halving import PARTS, whole_or_halved

_CURE = (
    "the file was damaged or exchanged after training: put a copy of the right one there; without one, search in a new "
    "folder, because a network that has its row is not trained again"
)


@dataclass(frozen=True)
class TrainingProtocol:
    """Construction and training of the networks of one step; rows of one seed differ by their architecture alone."""

    backbone: Backbone
    """With the weights that every network begins with, if any."""
    task: Task
    """As this step reduces it."""
    recipe: Recipe
    start: Start
    """Initial attentions: as they are declared (`scratch`), or the identity (`inherit`)."""
    trainer: Mapping[str, Any] = field(default_factory=dict)
    inherited: Callable[[Architecture], Mapping[str, Tensor]] | None = None
    """All weights of an architecture with identity start, where more than the backbone's are inherited."""
    of_folds: tuple[Backbone, ...] = ()
    """Where images validate in turn, the backbone for each fold, whose weights have not trained on it."""
    first_seed: int = 0
    """The study's, with which the first fold validates."""
    keeps: Path | None = None
    """The folder for trained weights; without one they are not kept."""
    outcomes: Path | None = None
    """The folder for what each validation image got; without one it is not kept."""
    failures: Path | None = None
    """The folder for tracebacks; without one they are not kept."""
    running: Path | None = None
    """The folder for checkpoints of trainings that are under way; without one an interrupted training begins anew."""
    limit_minutes: float | None = None
    """Longest that a training may take in a process of its own; without it as long as it does."""
    logs: Path | None = None
    """The folder of loggers that have names, with a folder for each training; without one they choose it themselves."""

    def build(self, architecture: Architecture, seed: int) -> nn.Module:
        """The network as its training begins; raises `Raised` for whatever its own code raises."""
        started = identity_started(architecture) if self.start == "inherit" else architecture
        own = self.of_folds[(seed - self.first_seed) % len(self.of_folds)] if self.of_folds else self.backbone
        backbone = own.untrained if self.inherited else own
        with networks_own():
            network = self.task.build(started, backbone, seed)
            if self.inherited is not None:
                network.load_state_dict(self.inherited(architecture))
        return network

    def try_out(self, network: nn.Module, seed: int, images: int | None = None) -> float | None:
        """The loss of one training batch, or of so many images of it, passed forth and back; raises as `train` does."""
        return self.task.try_iteration(network, self._how(seed), images)

    def score(self, network: nn.Module, seed: int, on_epoch: OnEpoch | None = None) -> Score:
        """Train what `build` gave, in place, and keep nothing; raises as `Task.train` does."""
        return self.task.train(network, self._how(seed, on_epoch))

    def train(self, row: Evaluation, on_epoch: OnEpoch | None = None) -> Evaluation:
        """The row with accuracy and losses, trained with its seed; or with the reason why training failed.

        Raises `InputError` for what is no network's fault: of the machine, the images or the settings, or one that even
        the plain backbone has.
        """
        found = self._found(replace(row, batch_parts=1), on_epoch)
        self.forget(row)
        return found

    def forget(self, row: Evaluation) -> None:
        """Remove the checkpoints of a training whose row is known."""
        for parts in (1, PARTS):
            if (checkpoint := self._checkpoint(row, parts)) is not None:
                drop_checkpoint(checkpoint)

    def _found(self, row: Evaluation, on_epoch: OnEpoch | None) -> Evaluation:
        """The row of a training, once more in parts of a batch where the whole needs more memory than there is."""
        begun = self._checkpoint(row, PARTS)
        try:
            return whole_or_halved(
                lambda parts: self._attempt(row, on_epoch, parts),
                self.task,
                self.recipe.batch_size,
                named=f"{row.key}, seed {row.seed}",
                noted=", and its row says so as batch_parts",
                halved=begun is not None and begun.exists(),
            )
        except OutOfMemory as failure:
            return self._failed(row, failure)

    def _attempt(self, row: Evaluation, on_epoch: OnEpoch | None, parts: int) -> Evaluation:
        """The row of a training whose batches pass in so many parts; raises `OutOfMemory`."""
        digest = sealed = ""
        try:
            with faults_reported():
                how = self._how(row.seed, on_epoch, self._logging(row))
                network = self.build(parse(row.architecture), row.seed)
                score = self.task.train(network, replace(how, checkpoint=self._checkpoint(row, parts), parts=parts))
                if self.keeps is not None:
                    digest = write_weights(network, weights_file(self.keeps, row.key, row.seed))
                if self.outcomes is not None and score.outcomes is not None:
                    sealed = write_outcomes(score.outcomes, outcomes_file(self.outcomes, row.key, row.seed))
        except OutOfMemory:
            raise
        except TrainingFailed as failure:
            return self._failed(row, failure)
        device = device_name(training_device(self.trainer))
        sha256 = {"weights_sha256": digest, "outcomes_sha256": sealed}
        return row.but(state="complete", **score.columns, device=device, batch_parts=parts, **sha256)

    def _failed(self, row: Evaluation, failure: TrainingFailed) -> Evaluation:
        self._check_plain(row, failure)
        return failed_row(row, failure, self.failures)

    def _checkpoint(self, row: Evaluation, parts: int) -> Path | None:
        in_parts = f"-in{parts}" if parts > 1 else ""
        name = f"{row.step}-{row.key}-seed{row.seed}{in_parts}.ckpt"
        return None if self.running is None else self.running / name

    def files(self, row: Evaluation) -> list[Path]:
        """What is kept of a training: the files that its row seals."""
        kept = (
            (self.keeps, row.weights_sha256, weights_file),
            (self.outcomes, row.outcomes_sha256, outcomes_file),
        )
        return [file(folder, row.key, row.seed) for folder, sealed, file in kept if folder is not None and sealed]

    def _check_plain(self, row: Evaluation, failure: TrainingFailed) -> None:
        """Raise `InputError` where the fault is not this network's, because the plain backbone has it too."""
        plain = Architecture()
        if row.role == "width-matched" or isinstance(failure, Diverged):
            return
        if row.key != plain.key:
            if not isinstance(failure, Raised):
                return
            try:
                with faults_reported():
                    self.try_out(self.build(plain, row.seed), row.seed)
                return
            except TrainingFailed as of_plain:
                failure = of_plain
        row = replace(row, key=plain.key, architecture=str(plain))
        reason = failed_row(row, failure, self.failures).reason
        raise InputError(f"the plain backbone cannot be trained: {reason}") from failure.__cause__

    def _how(self, seed: int, on_epoch: OnEpoch | None = None, trainer: Mapping[str, Any] | None = None) -> Training:
        said = self.trainer if trainer is None else trainer
        return Training(self.recipe, seed, said, self.backbone.auxiliary_weight, on_epoch)

    def _logging(self, row: Evaluation) -> Mapping[str, Any]:
        """The trainer's settings, with loggers of this training's own."""
        if self.logs is None:
            return self.trainer
        facts = {name: row[name] for name in ("key", "architecture", "step", "seed", "params", "macs", "flops")}
        return logging_apart(self.trainer, self.logs, row.step, f"{row.key}-seed{row.seed}", facts)


def weights_file(folder: Path, key: str, seed: int) -> Path:
    """The file of an architecture's trained weights: that of version 0.1.0 where there is one."""
    former = folder / f"{former_key(key)}-seed{seed}.safetensors"
    return former if former.exists() else folder / f"{key}-seed{seed}.safetensors"


def write_weights(network: nn.Module, path: Path, **metadata: str) -> str:
    """Write a network's weights and buffers whole or not at all; the SHA-256 of the file.

    Raises `ValueError` as `packed` does, `InputError` where nothing can be written.
    """
    content = packed(network, metadata)
    make_folder(path.parent)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(network: nn.Module, path: Path, sha256: str = "") -> nn.Module:
    """The network with the weights of a file, in evaluation mode.

    Raises `InputError` where the file is missing, has another SHA-256 than this one, if one is given, holds other
    numbers than were written into it, or is not one of this network's.
    """
    try:
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if sha256 and found != sha256:
            raise ValueError(f"its SHA-256 is {found}, and that of the trained weights is {sha256}; {_CURE}")
        if broken(content):
            raise ValueError(f"it holds other numbers than were written into it; {_CURE}")
        network.load_state_dict(load(content))
    except FileNotFoundError:
        message = f"{path}: the weights of this network are missing, and its row alone cannot restore them"
        raise InputError(message) from None
    except Exception as error:  # a damaged file may fail in any way
        raise InputError(f"{path}: holds no weights of this network: {first_line(error)}") from None
    return network.eval()
