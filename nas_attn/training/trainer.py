"""Lightning trainers, made from the `[trainer]` of a study."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import loggers, profilers
from pytorch_lightning.callbacks import BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder
from pytorch_lightning.plugins.precision import Precision
from pytorch_lightning.strategies.launchers.multiprocessing import _MultiProcessingLauncher

from nas_attn.data import quiet
from nas_attn.settings import is_named_object, named_object
from nas_attn.space import InputError, allowed, first_line, reported

from .device import own_switches

Trainer = Mapping[str, Any]
"""Arguments of Lightning's `Trainer`; classes as `package.module:Class`, or as a table with a `class` and its
arguments."""

_NO_INFLUENCE = ("default_root_dir", "logger", "profiler", "enable_progress_bar", "enable_model_summary")
_ONE = "one network trains in one process on one device"
_FIXED = {
    "the recipe says how long training lasts": "max_epochs min_epochs max_steps min_steps max_time overfit_batches"
    " limit_train_batches fast_dev_run",
    "networks are compared by the whole validation part": "check_val_every_n_epoch val_check_interval limit_val_batches"
    " limit_test_batches limit_predict_batches num_sanity_val_steps",
    "each epoch has batches of its own, which the seed fixes": "reload_dataloaders_every_n_epochs"
    " use_distributed_sampler",
    "a training that was interrupted goes on of itself": "enable_checkpointing",
    "it leaves out what a score is read from": "barebones",
    _ONE: "num_nodes sync_batchnorm",
}
_OURS = {name: reason for reason, names in _FIXED.items() for name in names.split()}
_DEFAULTS = {
    "accelerator": "auto",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
_RELOADED = {"reload_dataloaders_every_n_epochs": 1}
_REWRITE_THE_RECIPE = (BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder)


class _Unheard(profilers.PassThroughProfiler):
    """A profiler that takes no notes, and no time: Lightning calls it some fifty times a batch."""

    _nothing: AbstractContextManager[None] = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """The same empty context again and again."""
        return self._nothing


def deciding(trainer: Trainer | None) -> dict[str, Any]:
    """The settings of a study's `[trainer]` that may change what comes out of training."""
    return {name: value for name, value in (trainer or {}).items() if name not in _NO_INFLUENCE}


def check_trainer(trainer: Trainer | None) -> None:
    """Raise `InputError` where no trainer can be made here of a study's `[trainer]`."""
    with quiet(), own_switches():
        make_trainer(1, training_device(trainer), trainer)


_devices: dict[str, torch.device] = {}
"""Those that Lightning has found, by settings and accelerators, which takes a hundredth of a second each time."""


def training_device(trainer: Trainer | None = None) -> torch.device:
    """The one device that `accelerator` and `devices` name; without these, the first accelerator, else the CPU.

    Raises `InputError` where there is no such device, or several are named.
    """
    named = {name: value for name, value in (trainer or {}).items() if name in ("accelerator", "devices")}
    wanted = repr((named, torch.cuda.is_available(), torch.cuda.device_count(), torch.backends.mps.is_available()))
    if wanted not in _devices:
        with quiet(), reported("trainer", Exception):
            made = pl.Trainer(**{"devices": 1, **named, "plugins": [LightningEnvironment()], "logger": False})
        if made.num_devices != 1:
            raise InputError(f"trainer.devices: found {named['devices']!r}; {_ONE}: 1, or a list of one number")
        _devices[wanted] = made.strategy.root_device
    return _devices[wanted]


def make_trainer(
    epochs: int,
    device: torch.device,
    trainer: Trainer | None = None,
    own: Sequence[pl.Callback] = (),
    plugin: Any = None,
) -> pl.Trainer:
    """A trainer for one device that writes only what its settings name, and validates once, after the last epoch.

    With loggers or callbacks it validates after every epoch. It computes in bfloat16 where CUDA does (float32 for
    weights), elsewhere in float32. Raises `InputError` where that is not what Lightning takes.
    """
    settings = _resolved(trainer or {})
    listeners = bool(settings.get("logger") or settings.get("callbacks"))
    if not any(isinstance(one, Precision) for one in settings.get("plugins", ())):
        settings.setdefault("precision", "bf16-mixed" if device.type == "cuda" else "32-true")
    every = 1 if listeners else epochs
    return _made(settings, own, plugin, max_epochs=epochs, check_val_every_n_epoch=every, **_RELOADED)


def make_own_trainer(
    epochs: int, trainer: Trainer, own: Sequence[pl.Callback], plugin: Any, limits: Mapping[str, Any]
) -> pl.Trainer:
    """A trainer for a user's own module, as Lightning makes it for one device, which validates after every epoch.

    Raises `InputError` as `make_trainer` does.
    """
    return _made(_resolved(trainer), own, plugin, max_epochs=epochs, **limits)


def _made(settings: dict[str, Any], own: Sequence[pl.Callback], plugin: Any, **ours: Any) -> pl.Trainer:
    # One process trains one network; Lightning would take a cluster's variables for an order to join others.
    plugins = [*settings.pop("plugins", []), LightningEnvironment(), *([plugin] if plugin is not None else [])]
    ours |= {
        "callbacks": [*settings.pop("callbacks", []), *own],
        "plugins": plugins,
        "num_sanity_val_steps": 0,
        "enable_checkpointing": bool(own),  # so that Lightning adds none
        "use_distributed_sampler": False,
    }
    with reported("trainer", Exception):  # Lightning refuses in many ways
        made = pl.Trainer(**{**_DEFAULTS, "profiler": _Unheard(), **settings, **ours})
    if isinstance(made.strategy.launcher, _MultiProcessingLauncher):
        raise InputError(f"trainer.strategy: found {settings['strategy']!r}, which starts processes; {_ONE}")
    return made


@contextmanager
def run_ended(trainer: pl.Trainer) -> Iterator[None]:
    """Context of a trainer's fit, in which settings that it refuses are an `InputError`.

    After it the run of each logger that has such a thing, as Weights & Biases does, is over: the next is another.
    """
    try:
        with reported("trainer", MisconfigurationException):
            yield
    finally:
        for logger in trainer.loggers:
            if isinstance(logger, loggers.WandbLogger):
                logger.experiment.finish()


def _resolved(trainer: Trainer) -> dict[str, Any]:
    """The same settings, with objects for all that names a class."""
    known = inspect.signature(pl.Trainer).parameters
    settings = dict(trainer)
    for name in settings:
        if name in _OURS:
            raise InputError(f"trainer.{name}: cannot be set; {_OURS[name]}")
        if name not in known:
            raise InputError(f"trainer: unknown {name!r}; {allowed(name, (one for one in known if one not in _OURS))}")
    named = _named_classes(Path(settings.get("default_root_dir") or "."), "lightning_logs", None)
    for name in ("logger", "callbacks", "plugins"):
        if name in settings:
            listed = _listed(settings[name])
            settings[name] = [_object(f"trainer.{name}{where}", one, named.get(name, {})) for where, one in listed]
    for one in settings.get("callbacks", ()):
        if isinstance(one, _REWRITE_THE_RECIPE):
            raise InputError(
                f"trainer.callbacks: found {type(one).__name__}; batches and rates are the recipe's to say"
            )
    if isinstance(profiler := settings.get("profiler"), str | Mapping):
        settings["profiler"] = _object("trainer.profiler", profiler, named["profiler"])
    if isinstance(strategy := settings.get("strategy"), Mapping) or (isinstance(strategy, str) and ":" in strategy):
        settings["strategy"] = _object("trainer.strategy", strategy, {})
    return settings


def logging_apart(trainer: Trainer, folder: Path, group: str, name: str, facts: Mapping[str, Any]) -> Trainer:
    """The same settings with loggers of one training's own, which know facts about it as hyper-parameters.

    Those that have names write into a folder, `folder/group/name`, below `default_root_dir` if that is set; for
    services, that is the name of the run. Raises `InputError` as `make_trainer` does.
    """
    if not trainer.get("logger"):
        return trainer
    classes = _named_classes(Path(trainer.get("default_root_dir") or folder), group, name)["logger"]
    with quiet():
        made = [_object(f"trainer.logger{where}", one, classes) for where, one in _listed(trainer["logger"])]
        for logger in made:
            logger.log_hyperparams(dict(facts))
    return {**trainer, "logger": made}


def _named_classes(root: Path, group: str, name: str | None) -> dict[str, dict[str, Callable[..., Any]]]:
    """The loggers and profilers that have names, which write below a folder; of one training where that has a name."""
    placed: dict[str, Any] = {"save_dir": str(root), "name": group, "version": name}
    titled = f"{group} {name}" if name else None
    profile: dict[str, Any] = {"dirpath": root, "filename": "profile"}
    return {
        "logger": {
            "csv": partial(loggers.CSVLogger, **placed),
            "tensorboard": partial(loggers.TensorBoardLogger, **placed),
            "wandb": partial(loggers.WandbLogger, save_dir=str(root), name=titled),
            "mlflow": partial(loggers.MLFlowLogger, save_dir=str(root / "mlruns"), run_name=titled),
        },
        "profiler": {
            "simple": partial(profilers.SimpleProfiler, **profile),
            "advanced": partial(profilers.AdvancedProfiler, **profile),
            "pytorch": partial(profilers.PyTorchProfiler, **profile),
        },
    }


def _listed(value: Any) -> Iterable[tuple[str, Any]]:
    """One setting or several, each with its place in their list."""
    if isinstance(value, list | tuple):
        return [(f"[{number}]", one) for number, one in enumerate(value)]
    return [("", value)] if value not in (None, False) else []


def _object(where: str, said: Any, classes: Mapping[str, Callable[..., Any]]) -> Any:
    """The object that a text or a table stands for; what is an object already stays."""
    if not isinstance(said, str | Mapping | bool):
        return said
    options = dict(said) if isinstance(said, Mapping) else {"class": said}
    name = str(options.pop("class", ""))
    if name not in classes and not is_named_object(name):
        spellings = allowed(name, [*classes, "package.module:Class"])
        raise InputError(f"{where}: found {name!r}; {spellings}" if name else f"{where}: has no class; {spellings}")
    make = classes.get(name) or named_object(name)
    try:
        return make(**options)
    except ImportError as error:
        cure = f"pip install {name}" if name in classes else first_line(error)
        raise InputError(f"{where}: {name} needs a package that is not installed: {cure}") from None
    except Exception as error:  # a user's class may refuse in any way what it is made with
        raise InputError(f"{where}: {name}: {first_line(error)}") from None
