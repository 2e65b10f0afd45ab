"""Joint of assembly and training: what one step of a chain does to an architecture to learn how good it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor, nn

from nas_attn.assembly import build, identity_started
from nas_attn.cost import device_name
from nas_attn.results import Evaluation
from nas_attn.settings import Backbone, Recipe, Start
from nas_attn.space import Architecture, InputError, parse
from nas_attn.space.files import make_folder, write_whole
from nas_attn.training import ImageData, OnEpoch, TrainingFailed, train, training_device


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
        """The row with accuracy and losses, with the seed that it says; or with the reason why training failed."""
        network = self.build(parse(row.architecture), row.seed)
        try:
            score = train(network, self.data, self.recipe, row.seed, on_epoch, trainer=self.trainer)
        except InputError:
            raise
        except (TrainingFailed, ValueError) as failure:  # an attention may refuse a map of this size
            return replace(row, state="failed", reason=str(failure))
        if self.keeps is not None:
            write_weights(network, weights_file(self.keeps, row.key, row.seed))
        return replace(
            row,
            state="complete",
            accuracy=score.accuracy,
            loss=score.loss,
            train_loss=score.train_loss,
            train_seconds=score.seconds,
            device=device_name(training_device(self.trainer)),
        )


def weights_file(folder: Path, key: str, seed: int) -> Path:
    """Where the trained weights of an architecture are kept."""
    return folder / f"{key}-seed{seed}.safetensors"


def write_weights(network: nn.Module, path: Path, **told: str) -> None:
    """Keep a network's weights and buffers, with a few words; a crash in between leaves the file as it was."""
    make_folder(path.parent)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_whole(path, save(tensors, metadata=told or None))


def read_weights(network: nn.Module, path: Path) -> nn.Module:
    """The network with the weights that are kept in a file, in evaluation mode.

    Raises `InputError` where the file is missing or is not one of this network's.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise InputError(
            f"{path}: the weights of this network are missing, and its row alone cannot restore them"
        ) from None
    except Exception as error:  # a damaged file has many ways to say so
        raise InputError(f"{path}: holds no weights of this network: {str(error).splitlines()[0]}") from None
    return network.eval()
