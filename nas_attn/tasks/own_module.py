"""Task of a user's own `LightningModule`, whose training is used as it is."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.utilities.model_helpers import is_overridden
from safetensors.torch import load_file
from torch import nn

from nas_attn.assembly import build
from nas_attn.backbones import ordinary_part, part_of, seeded, without_advice
from nas_attn.settings import Backbone, DataModule, ImageFacts, OfTask, OwnModule, Settings, named_object
from nas_attn.space import Architecture, InputError, reported
from nas_attn.training import Diverged, Score, deciding, fit_module, identity_of, module_recalibration, run_module

from .lightning_package import read_lightning
from .logged import known_so_far, monitored, tested
from .observation import observed_image
from .own import OwnTask
from .seeded_loaders import seed_loaders
from .task import Training

T = TypeVar("T")

_USUAL = ("model", "net", "network", "backbone")
_TRAIN_LOSSES = ("train_loss", "train_loss_epoch", "train/loss", "train/loss_epoch")


@dataclass(frozen=True)
class ModuleTask(OwnTask):
    """Training of a `LightningModule` as it says itself; attention stands in a part of it."""

    said: OwnModule
    source: DataModule | OfTask
    """Whose loaders: of a data module, or of the module itself."""
    trainer: Mapping[str, Any] = field(default_factory=dict)
    known_image: tuple[int, int, int] | None = None
    """Channels, height and width of what goes into the network, where that was observed before."""

    def __post_init__(self) -> None:
        read_lightning()

    @property
    def classes(self) -> int:
        """0: the network may give anything."""
        return 0

    @property
    def facts(self) -> ImageFacts:
        """The size of what goes into the network; classes and colours are the module's own affair."""
        return ImageFacts(*self.image, class_names=(), mean=(), std=())

    def made_by(self) -> dict[str, Settings]:
        """The module and, if there is one, the data module."""
        data = {self.source.module: self.source} if isinstance(self.source, DataModule) else {}
        return {self.said.module: self.said, **data}

    @cached_property
    def part(self) -> str:
        """The path of the network in the module; raises `InputError` where it is not there, or nobody says which."""
        module, _ = self._made(0)
        if self.said.network:
            part_of(module, self.said.network, f"task.network: {self.said.module}")
            return self.said.network
        found = [name for name in _USUAL if isinstance(getattr(module, name, None), nn.Module)]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(name for name, _ in module.named_children()) or "none"
        raise InputError(
            f"task.network: {self.said.module} has {' and '.join(found) or 'none of ' + ', '.join(_USUAL)}; say which "
            f"module gets attention, as network = 'model.backbone'; its modules: {listed}"
        )

    @cached_property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of what goes into the network in the module's first validation batch."""
        if self.known_image is not None:
            return self.known_image
        module, data = self._made(0)
        ordinary_part(module, self.part, self.said.module)
        return observed_image(module, data, self.part, self.trainer, self.said.module)

    @property
    def backbone(self) -> Backbone:
        """The network without attention, as a space builds and prices it."""
        size, arguments = list(self.image[1:]), self.said.arguments
        said = {"name": self.said.module, "arguments": arguments, "part": self.part, "image": size}
        return Backbone.model_validate(said)

    def build(self, architecture: Architecture, backbone: Backbone, seed: int) -> pl.LightningModule:
        """The module with attention in its part; with trained weights where the backbone names them."""
        module, part = self.whole(seed)
        build(architecture, backbone, in_channels=self.image[0], classes=0, seed=seed, within=part)
        if backbone.weights is not None:
            missing, unknown = module.load_state_dict(load_file(backbone.weights), strict=False)
            if unknown or any("attentions." not in name for name in missing):
                raise InputError(f"{backbone.weights}: is not of {self.said.module}: {[*unknown, *missing][0]}")
        return module

    def whole(self, seed: int) -> tuple[pl.LightningModule, nn.Module]:
        """The module, and the network in it."""
        module, _ = self._made(seed)
        return module, ordinary_part(module, self.part, self.said.module, self.image)

    def network(self, trained: nn.Module) -> nn.Module:
        """The part with attention."""
        return part_of(_lightning(trained), self.part, self.said.module)

    def train(self, network: nn.Module, how: Training) -> Score:
        """Train a module in place, as it says itself, for the recipe's epochs."""
        facts = {"task": self.digest, "epochs": how.recipe.epochs, "seed": how.seed, "trainer": deciding(how.trainer)}
        logged = fit_module(
            _lightning(network),
            self._data(how.seed),
            how.recipe,
            how.seed,
            how.on_epoch,
            trainer=how.trainer,
            on_loaders=partial(seed_loaders, seed=how.seed),
            checkpoint=how.checkpoint,
            identity=identity_of(network, facts) if how.checkpoint else "",
            variants=how.variants,
            measured=self._measured,
        )
        try:
            found = monitored(logged.values, self.said.monitor, self.said.module)
        except Diverged as failure:
            raise Diverged("; ".join(filter(None, (str(failure), logged.fault)))) from None
        train_loss = self._measured(logged.values)["train_loss"]
        return Score(found, train_loss, logged.seconds, learning_curve=logged.learning_curve)

    def _measured(self, logged: Mapping[str, Any]) -> dict[str, float]:
        """The training loss among what is logged, NaN where it is not, and what is monitored, as far as it is there."""
        train_loss = next((float(logged[name]) for name in _TRAIN_LOSSES if name in logged), math.nan)
        return {"train_loss": train_loss, **known_so_far(logged, self.said.monitor, self.said.module)}

    def try_iteration(self, network: nn.Module, how: Training, images: int | None = None) -> float | None:
        """The loss of the module's first batch, after one of validation too; what it logs must have what judges."""
        loaders = partial(seed_loaders, seed=how.seed)
        loss, values = run_module(
            _lightning(network), self._data(how.seed), how.trainer, seed=how.seed, on_loaders=loaders
        )
        monitored(values, self.said.monitor, self.said.module)
        return loss

    @contextmanager
    def recalibration(
        self, network: nn.Module, how: Training, images: int, batch_size: int
    ) -> Iterator[Callable[[], Score]]:
        """Context with a function that scores the module with renewed statistics in its network."""
        module, data = _lightning(network), self._data(how.seed)
        loaders = partial(seed_loaders, seed=how.seed)
        with module_recalibration(
            module, self.network, data, how.trainer, images=images, seed=how.seed, on_loaders=loaders
        ) as scored:
            yield lambda: Score(monitored(scored(), self.said.monitor, self.said.module), math.nan)

    def test(self, network: nn.Module, batch_size: int, trainer: Mapping[str, Any]) -> tuple[Mapping[str, float], int]:
        """What judges among what the module logs of its test loaders; nothing where it has no such step."""
        module, data = _lightning(network), self._data(0)
        brings = module if data is None else data
        if not (is_overridden("test_step", module) and is_overridden("test_dataloader", brings)):
            return {}, 0
        loaders = partial(seed_loaders, seed=0)
        _, values = run_module(module, data, trainer, on_loaders=loaders, stage="test")
        return tested(values, self.said.monitor), 0

    def _made(self, seed: int) -> tuple[pl.LightningModule, pl.LightningDataModule | None]:
        """A new module, and its data module if there is one; raises `InputError` where they cannot be made."""
        return self._new(seed, self.said, pl.LightningModule), self._data(seed)

    def _data(self, seed: int) -> pl.LightningDataModule | None:
        brings = isinstance(self.source, DataModule)
        return self._new(seed, self.source, pl.LightningDataModule) if brings else None

    def _new(self, seed: int, said: Any, kind: type[T]) -> T:
        make = named_object(said.module)
        with without_advice(), seeded(seed), reported(f"{said.module}: it cannot be made"):
            made = make(**said.arguments)
        if not isinstance(made, kind):
            raise InputError(f"{said.module}: gives {_kind(made)}; allowed: a pytorch_lightning.{kind.__name__}")
        return made


def _lightning(network: nn.Module) -> pl.LightningModule:
    """The module in what `build` or a supernet gives."""
    found = next((one for one in network.modules() if isinstance(one, pl.LightningModule)), None)
    if found is None:
        raise TypeError(f"found {type(network).__name__}; allowed: what `build` gave")
    return found


def _kind(made: object) -> str:
    kind = type(made)
    return f"{kind.__mro__[1].__module__.partition('.')[0]}'s {kind.__name__}"
