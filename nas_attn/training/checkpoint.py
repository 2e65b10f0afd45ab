"""Checkpoints of a training, so that one which was interrupted goes on."""

import inspect
import io
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor, nn

from nas_attn.data import ImageData
from nas_attn.results import spelt_curve
from nas_attn.settings import Recipe, check_format, lasting
from nas_attn.space import InputError, first_line, make_folder, write_whole

from .failure import TrainingFailed, callers_own
from .trainer import Trainer, deciding

OnEpoch = Callable[[int, int], None]
"""Called after each epoch with the epochs done and the epochs in all."""

KEEP_EVERY_SECONDS = 10.0
"""Time after which the end of an epoch writes a checkpoint, since the training began or since the last one."""

_KEY = "nas_attn.training"
_NEWEST = 1
"""The format version of what the package adds to a checkpoint; version 0.1.0 wrote format 1 without its number."""
_SEAL = b"\nnas_attn sha256 "
_TRAIN = ("torch", "pytorch-lightning")
_LOG = logging.getLogger(__name__)


class WholeFiles(TorchCheckpointIO):
    """Lightning's checkpoints as files that appear whole or not at all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint; raises `InputError` where it cannot be written."""
        content, place = io.BytesIO(), Path(path)
        torch.save(checkpoint, content)
        content.write(_SEAL + _digest(content.getbuffer()))  # behind the end of the archive, where torch does not read
        make_folder(place.parent)
        write_whole(place, content.getbuffer())


class EpochEnd(pl.callbacks.Checkpoint):
    """Checkpoint and progress at the end of an epoch, when all else of it is done."""

    def __init__(self, path: Path | None, on_epoch: OnEpoch | None) -> None:
        self.identity = ""
        self.measured: Callable[[pl.Trainer], Mapping[str, float]] = lambda _trainer: {}
        """What gives the measures that were computed in an epoch, at its end."""
        self._curve: list[tuple[int, dict[str, float]]] = []
        self._path = path
        self._on_epoch = on_epoch
        self.done = 0
        """Epochs that a checkpoint had done."""
        self._now = 0
        self._keeping = False
        self._seconds_before = 0.0
        self._began = self._last_kept = time.perf_counter()

    @property
    def state_key(self) -> str:
        """Key of its state in a checkpoint."""
        return _KEY

    @property
    def seconds(self) -> float:
        """Wall-clock time of this training, that before an interruption included."""
        return self._seconds_before + time.perf_counter() - self._began

    @property
    def learning_curve(self) -> str:
        """Of all epochs that are done, those before an interruption included, as a row has it."""
        return spelt_curve(self._curve)

    @contextmanager
    def kept_by_failures(self) -> Iterator[None]:
        """Context in which a training that fails has its learning curve with the failure."""
        try:
            yield
        except TrainingFailed as failure:
            failure.learning_curve = self.learning_curve
            raise

    def state_dict(self) -> dict[str, Any]:
        """The training's identity, how long it took, and what was measured so far."""
        state = {"identity": self.identity, "seconds": self.seconds, "done": self._now, "curve": self._curve}
        return {"format_version": _NEWEST, **state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the time and the measures of a checkpoint."""
        self._seconds_before = state_dict["seconds"]
        self.done = self._now = state_dict.get("done", 0)
        self._curve = [*state_dict.get("curve", ())]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leave hyper-parameters out of its own file: they may be objects of any class, and nobody reads them there."""
        for owner in (pl.LightningModule, pl.LightningDataModule) if self._keeping else ():
            checkpoint.pop(owner.CHECKPOINT_HYPER_PARAMS_KEY, None)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note what was measured; write a checkpoint where it is time to and there is more to come; call `on_epoch`."""
        self._now = done = trainer.current_epoch + 1
        epochs = trainer.max_epochs or 0
        self._curve.append((done, dict(self.measured(trainer))))
        due = time.perf_counter() - self._last_kept >= KEEP_EVERY_SECONDS
        if self._path is not None and due and done < epochs:
            self._keeping = True
            trainer.save_checkpoint(self._path, weights_only=False)
            self._keeping = False
            self._last_kept = time.perf_counter()
        if self._on_epoch is not None:
            with callers_own():
                self._on_epoch(done, epochs)


def identity(
    network: nn.Module, data: ImageData, recipe: Recipe, seed: int, trainer: Trainer | None, parts: int
) -> str:
    """Digest of all that a training begins with; two of one identity come to the same end."""
    facts = {
        "data": data.digest,
        "recipe": lasting(recipe),
        "seed": seed,
        "trainer": deciding(trainer),
        "parts": parts,
    }
    return identity_of(network, facts)


def identity_of(network: nn.Module, facts: Mapping[str, Any]) -> str:
    """Digest of a network's weights and source files, of what trains it, and of what else its training begins with."""
    facts = {**facts, "versions": [version(package) for package in _TRAIN], "code": sorted(_sources(network))}
    digest = sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _sources(network: nn.Module) -> set[str]:
    """Digests of the files in which the classes of a network's modules are written."""
    found = set[str]()
    for kind in {type(module) for module in network.modules()}:
        with suppress(TypeError, OSError):  # what was made at runtime has no file
            found.add(sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest())
    return found


def _digest(content: bytes | memoryview) -> bytes:
    return sha256(content).hexdigest().encode()


def own_files(checkpoint: Path) -> Path:
    """The folder beside a checkpoint for what the callbacks of a training write."""
    return checkpoint.with_suffix(".files")


def drop_checkpoint(path: Path) -> None:
    """Remove a checkpoint, and what callbacks have written beside it: what came of the training is written down."""
    path.unlink(missing_ok=True)
    shutil.rmtree(own_files(path), ignore_errors=True)


def resumable(path: Path, identity: str) -> Path | None:
    """The file, if it holds a checkpoint of this training; if it holds something else, the log says so.

    Raises `InputError` where it is of a format that is too new.
    """
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        archive, sealed, digest = content.rpartition(_SEAL)
        if sealed and digest != _digest(archive):
            raise ValueError("its contents are not those that were written")  # torch reads changed numbers silently
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["callbacks"][_KEY]
        check_format(found.get("format_version", 1), _NEWEST, str(path))
    except InputError:
        raise
    except Exception as error:  # a damaged file has many ways to say so
        _LOG.warning("%s: cannot be read, so training begins anew: %s", path, first_line(error))
        return None
    if found["identity"] != identity:
        _LOG.warning("%s: is of another training, so this one begins anew", path)
        return None
    return path
