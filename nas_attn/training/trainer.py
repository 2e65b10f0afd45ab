"""Lightning's Trainer, as a study's `[trainer]` asks for it."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from nas_attn.data import Unheard, quiet
from nas_attn.settings import is_named_object, named_object
from nas_attn.space import InputError, allowed

from .device import own_switches

Trainer = Mapping[str, Any]
"""Names that Lightning's `Trainer` takes, and their values; classes as `package.module:Class`, or as a table with a
`class` and what it is made with."""

_NO_INFLUENCE = ("default_root_dir", "logger", "profiler", "enable_progress_bar", "enable_model_summary")
_LENGTH = "the recipe says how long training lasts"
_JUDGING = "networks are judged by the whole validation part"
_BATCHES = "each epoch has batches of its own, which the seed fixes"
_ONE = "one network trains in one process on one device"
_OURS = {
    "max_epochs": _LENGTH,
    "min_epochs": _LENGTH,
    "max_steps": _LENGTH,
    "min_steps": _LENGTH,
    "max_time": _LENGTH,
    "overfit_batches": _LENGTH,
    "limit_train_batches": _LENGTH,
    "fast_dev_run": _LENGTH,
    "check_val_every_n_epoch": _JUDGING,
    "val_check_interval": _JUDGING,
    "limit_val_batches": _JUDGING,
    "limit_test_batches": _JUDGING,
    "limit_predict_batches": _JUDGING,
    "num_sanity_val_steps": _JUDGING,
    "reload_dataloaders_every_n_epochs": _BATCHES,
    "use_distributed_sampler": _BATCHES,
    "enable_checkpointing": "a training that was interrupted goes on of itself",
    "barebones": "it leaves out what a score is read from",
    "num_nodes": _ONE,
    "sync_batchnorm": _ONE,
}
_USUAL = {
    "accelerator": "auto",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
_REWRITE_THE_RECIPE = (BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder)
_LOGGERS = {
    "csv": loggers.CSVLogger,
    "tensorboard": loggers.TensorBoardLogger,
    "wandb": loggers.WandbLogger,
    "mlflow": loggers.MLFlowLogger,
}
_PROFILERS = {
    "simple": profilers.SimpleProfiler,
    "advanced": profilers.AdvancedProfiler,
    "pytorch": profilers.PyTorchProfiler,
}


def deciding(trainer: Trainer | None) -> dict[str, Any]:
    """What of a study's `[trainer]` may change what comes out of training."""
    return {name: value for name, value in (trainer or {}).items() if name not in _NO_INFLUENCE}


def check_trainer(trainer: Trainer | None) -> None:
    """Raise `InputError` where no trainer can be made of a study's `[trainer]` here, and say what is at fault."""
    with quiet(), own_switches():
        make_trainer(1, training_device(trainer), trainer)


def training_device(trainer: Trainer | None = None) -> torch.device:
    """The one device that `accelerator` and `devices` name; without these, the first accelerator, else the CPU.

    Raises `InputError` where there is no such device, or several are asked for.
    """
    asked = {name: value for name, value in (trainer or {}).items() if name in ("accelerator", "devices")}
    with quiet():
        made = _made({"devices": 1, **asked, "plugins": [LightningEnvironment()], "logger": False})
    if made.num_devices != 1:
        raise InputError(f"trainer.devices: found {asked['devices']!r}; {_ONE}: 1, or a list of one number")
    return made.strategy.root_device


def make_trainer(
    epochs: int,
    device: torch.device,
    trainer: Trainer | None = None,
    own: Sequence[pl.Callback] = (),
    plugin: Any = None,
) -> pl.Trainer:
    """A trainer for one device that leaves no file but what it is asked for, and judges once, after the last epoch.

    Where loggers or callbacks listen, it judges after every epoch. It computes in bfloat16 where CUDA does (float32
    for weights), elsewhere in float32. Raises `InputError` where that is not what Lightning takes.
    """
    asked = _resolved(trainer or {})
    listeners = bool(asked.get("logger") or asked.get("callbacks"))
    # One process trains one network; Lightning would take a cluster's variables for an order to join others.
    plugins = [*asked.pop("plugins", []), LightningEnvironment(), *([plugin] if plugin is not None else [])]
    if not any(isinstance(one, Precision) for one in plugins):
        asked.setdefault("precision", "bf16-mixed" if device.type == "cuda" else "32-true")
    ours = {
        "callbacks": [*asked.pop("callbacks", []), *own],
        "plugins": plugins,
        "max_epochs": epochs,
        "check_val_every_n_epoch": 1 if listeners else epochs,
        "reload_dataloaders_every_n_epochs": 1,
        "num_sanity_val_steps": 0,
        "enable_checkpointing": bool(own),
        "use_distributed_sampler": False,
    }
    made = _made({**_USUAL, "profiler": Unheard(), **asked, **ours})
    if isinstance(made.strategy.launcher, _MultiProcessingLauncher):
        raise InputError(f"trainer.strategy: found {asked['strategy']!r}, which starts processes; {_ONE}")
    return made


@contextmanager
def run_ended(trainer: pl.Trainer) -> Iterator[None]:
    """Within it a trainer fits; what its settings do not allow is an `InputError`.

    After it the run of each logger that has such a thing, as Weights & Biases does, is over: the next is another.
    """
    try:
        yield
    except MisconfigurationException as error:
        raise InputError(f"trainer: {_first_line(error)}") from None
    finally:
        for logger in trainer.loggers:
            if isinstance(logger, loggers.WandbLogger):
                logger.experiment.finish()


def _made(settings: dict[str, Any]) -> pl.Trainer:
    try:
        return pl.Trainer(**settings)
    except Exception as error:  # what Lightning does not take it tells in many ways
        raise InputError(f"trainer: {_first_line(error)}") from None


def _resolved(trainer: Trainer) -> dict[str, Any]:
    """The same settings, with objects for all that names a class."""
    known = inspect.signature(pl.Trainer).parameters
    settings = dict(trainer)
    for name in settings:
        if name in _OURS:
            raise InputError(f"trainer.{name}: cannot be set; {_OURS[name]}")
        if name not in known:
            raise InputError(f"trainer: unknown {name!r}; {allowed(name, (one for one in known if one not in _OURS))}")
    root = Path(settings.get("default_root_dir") or ".")
    if "logger" in settings:
        settings["logger"] = [
            _object(f"trainer.logger{where}", one, _LOGGERS, lambda kind: _logger_defaults(kind, root))
            for where, one in _listed(settings["logger"])
        ]
    if isinstance(settings.get("profiler"), str | Mapping):
        usual = {"dirpath": root, "filename": "profile"}
        settings["profiler"] = _object("trainer.profiler", settings["profiler"], _PROFILERS, lambda _: usual)
    for name in ("callbacks", "plugins"):
        if name in settings:
            settings[name] = [_object(f"trainer.{name}{where}", one, {}) for where, one in _listed(settings[name])]
    for one in settings.get("callbacks", ()):
        if isinstance(one, _REWRITE_THE_RECIPE):
            raise InputError(
                f"trainer.callbacks: found {type(one).__name__}; batches and rates are the recipe's to say"
            )
    if isinstance(strategy := settings.get("strategy"), Mapping) or (isinstance(strategy, str) and ":" in strategy):
        settings["strategy"] = _object("trainer.strategy", strategy, {})
    return settings


def _listed(value: Any) -> Iterable[tuple[str, Any]]:
    """What is asked for, one or several, each with where in its list it stands."""
    if isinstance(value, list | tuple):
        return [(f"[{number}]", one) for number, one in enumerate(value)]
    return [("", value)] if value not in (None, False) else []


def _object(
    where: str,
    said: Any,
    classes: Mapping[str, Callable[..., Any]],
    defaults: Callable[[str], dict[str, Any]] = lambda _: {},
) -> Any:
    """The object that a text or a table stands for; what is an object already stays."""
    if not isinstance(said, str | Mapping | bool):
        return said
    table = said if isinstance(said, Mapping) else {"class": str(said)}
    name = str(table.get("class", ""))
    options = {option: value for option, value in table.items() if option != "class"}
    if name not in classes and not is_named_object(name):
        spellings = allowed(name, [*classes, "package.module:Class"])
        raise InputError(f"{where}: found {name!r}; {spellings}" if name else f"{where}: has no class; {spellings}")
    make = classes[name] if name in classes else named_object(name)
    try:
        return make(**{**(defaults(name) if name in classes else {}), **options})
    except ImportError as error:
        cure = f"pip install {name}" if name in classes else _first_line(error)
        raise InputError(f"{where}: {name} needs a package that is not installed: {cure}") from None
    except Exception as error:  # a user's class may refuse in any way what it is made with
        raise InputError(f"{where}: {name}: {_first_line(error)}") from None


def _logger_defaults(kind: str, root: Path) -> dict[str, Any]:
    return {"save_dir": str(root / "mlruns" if kind == "mlflow" else root)}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
