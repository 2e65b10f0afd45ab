"""Joint of assembly and training: what one step of a chain does to an architecture to learn how good it is."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor, nn

from nas_attn.assembly import build, identity_started
from nas_attn.cost import device_name
from nas_attn.data import ImageData
from nas_attn.export.standalone.weights import broken, packed
from nas_attn.results import Evaluation
from nas_attn.settings import Backbone, Recipe, Start
from nas_attn.space import Architecture, InputError, make_folder, parse, write_whole
from nas_attn.training import Diverged, OnEpoch, Raised, TrainingFailed, faults_told, train, training_device, try_step

_CURE = (
    "the file was damaged or exchanged after training: put a copy of the right one there; without one, search in a new "
    "folder, because a network that has its row is not trained again"
)


@dataclass(frozen=True)
class Treatment:
    """How networks are made and trained in one step, so that rows of one seed differ by their architecture alone."""

    backbone: Backbone
    """With the weights that every network begins with, if any."""
    data: ImageData
    """As this step sees it."""
    recipe: Recipe
    start: Start
    """Whether attentions begin as they are declared (`scratch`), or as the identity (`inherit`)."""
    trainer: Mapping[str, Any] = field(default_factory=dict)
    inherited: Callable[[Architecture], Mapping[str, Tensor]] | None = None
    """All weights of an architecture with identity start, where more than the backbone's are inherited."""
    keeps: Path | None = None
    """The folder for trained weights; without one they are let go."""

    def build(self, architecture: Architecture, seed: int) -> nn.Module:
        """The network as its training begins."""
        started = identity_started(architecture) if self.start == "inherit" else architecture
        backbone = self.backbone.untrained if self.inherited else self.backbone
        network = build(started, backbone, in_channels=self.data.image[0], classes=self.data.classes, seed=seed)
        if self.inherited is not None:
            network.load_state_dict(self.inherited(architecture))
        return network

    def train(self, row: Evaluation, on_epoch: OnEpoch | None = None) -> Evaluation:
        """The row with accuracy and losses, with the seed that it says; or with the reason why training failed.

        Raises `InputError` for what no network is to blame for: where the machine, the images or the settings are at
        fault, or even the plain backbone cannot be trained.
        """
        digest = ""
        try:
            with faults_told():
                network = self.build(parse(row.architecture), row.seed)
                score = train(network, self.data, self.recipe, row.seed, on_epoch, **self._asked)
                if self.keeps is not None:
                    digest = write_weights(network, weights_file(self.keeps, row.key, row.seed))
        except TrainingFailed as failure:
            self._check_blame(row, failure)
            return replace(row, state="failed", reason=str(failure))
        return row.but(
            state="complete",
            accuracy=score.accuracy,
            loss=score.loss,
            train_loss=score.train_loss,
            train_seconds=score.seconds,
            device=device_name(training_device(self.trainer)),
            weights_sha256=digest,
        )

    def _check_blame(self, row: Evaluation, failure: TrainingFailed) -> None:
        """Raise `InputError` where the fault is not this network's, because the plain backbone has it too."""
        plain = Architecture()
        if row.role == "width-matched" or isinstance(failure, Diverged):
            return
        if row.key != plain.key:
            if not isinstance(failure, Raised):
                return
            try:
                with faults_told():
                    try_step(self.build(plain, row.seed), self.data, self.recipe, row.seed, **self._asked)
                return
            except TrainingFailed as of_plain:
                failure = of_plain
        raise InputError(f"the plain backbone cannot be trained: {failure}") from failure.__cause__

    @property
    def _asked(self) -> dict[str, Any]:
        return {"auxiliary_weight": self.backbone.auxiliary_weight, "trainer": self.trainer}


def weights_file(folder: Path, key: str, seed: int) -> Path:
    """Where the trained weights of an architecture are kept."""
    return folder / f"{key}-seed{seed}.safetensors"


def write_weights(network: nn.Module, path: Path, **told: str) -> str:
    """Keep a network's weights and buffers, with a few words; a crash in between leaves the file as it was.

    Returns the SHA-256 of the file. Raises `ValueError` as `packed` does, `InputError` where nothing can be written.
    """
    content = packed(network, told)
    make_folder(path.parent)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(network: nn.Module, path: Path, sha256: str = "") -> nn.Module:
    """The network with the weights that are kept in a file, in evaluation mode.

    Raises `InputError` where the file is missing, has another SHA-256 than this one, where one is given, holds other
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
        raise InputError(
            f"{path}: the weights of this network are missing, and its row alone cannot restore them"
        ) from None
    except Exception as error:  # a damaged file has many ways to say so
        raise InputError(f"{path}: holds no weights of this network: {str(error).splitlines()[0]}") from None
    network.eval()
    return network
