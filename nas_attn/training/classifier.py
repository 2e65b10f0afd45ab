"""Lightning module of a network in training."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from nas_attn.data import Batch, ImageData, batches_in_order, training_batches
from nas_attn.settings import Recipe

from .device import seed_rng
from .failure import Diverged, Read, networks_own
from .losses import TrainingLoss
from .metrics import Judges, Normalise, RunningMean
from .mixing import mixed
from .optimisation import make_optimizer
from .reading import read_scores, score_tensors

Variants = Callable[[int], Iterable[None]]
"""Called with the number of a training iteration; at each yield the network is what the next forward pass is of."""


class Classifier(pl.LightningModule):
    """Training on the train part of the data, which lie near the device, and validation on the validation part.

    Metrics are gathered on the device, and read once an epoch. Of a network that gives auxiliary scores too in training
    the loss is the first plus `auxiliary_weight` times each other.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageData,
        recipe: Recipe,
        seed: int,
        variants: Variants | None = None,
        auxiliary_weight: float | None = None,
        parts: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.data = data
        self.recipe = recipe
        self.seed = seed
        self.variants = variants
        self.auxiliary_weight = auxiliary_weight
        self.parts = parts
        self.normalise = Normalise(data)
        self.criterion = TrainingLoss(recipe, data)
        self.train_mean, self.metrics = RunningMean(), Judges(data, gathering=True)
        self._course: list[tuple[float, list[Tensor]]] = []
        """Of each iteration of an epoch its learning rate, and the losses of its parts, read where one matters."""
        self._begun = False
        """Whether parts of the present batch have given gradients before its last one."""
        self.validation: dict[str, float] = {}
        self.train_loss = math.nan

    def __setattr__(self, name: str, value: Any) -> None:
        """As every module; but the hook that runs is noted at once, for Lightning notes it some fifty times a batch."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, images: Tensor) -> Any:
        """Images, uint8 (B, C, H, W), to what the network gives, as (B, classes)."""
        pixels = self.normalise(images)
        with networks_own():
            return self.network(pixels)

    def train_dataloader(self) -> Read:
        """Batches of this epoch."""
        batches = training_batches(self.data.train, self.recipe, self.seed, self.current_epoch)
        return Read(mixed(batches, self.recipe, self.data.classes, self.seed, self.current_epoch))

    def val_dataloader(self) -> Read:
        """Batches of the validation part."""
        return Read(batches_in_order(self.data.validation, self.recipe.batch_size))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch as it is: it lies there already, and to search it for what does not takes time."""
        return batch

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The recipe's optimiser, and its learning rate, which changes with every iteration."""
        optimizer, schedule = make_optimizer(self.network, self.recipe, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begin with the random states of this epoch."""
        seed_rng(self.device, self.seed, self.current_epoch)
        self.train_mean, self.validation, self._course = RunningMean(), {}, []

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Note the learning rate."""
        self._course.append((self.trainer.optimizers[0].param_groups[0]["lr"], []))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The recipe's loss of a batch, or of its last part, when those before it have given their gradients."""
        *before, last = _cut(batch, self.parts)
        self._begun = bool(before)
        if before:
            accumulated = self.trainer.accumulate_grad_batches
            if index % accumulated == 0:
                self.trainer.optimizers[0].zero_grad()
            for part in before:
                self.trainer.strategy.backward(self._part_loss(part, len(batch[1]), index) / accumulated, None)
        return self._part_loss(last, len(batch[1]), index)

    def _part_loss(self, part: Batch, count: int, index: int) -> Tensor:
        """The share of a part in the mean loss of a batch of so many images; of several variants, the mean."""
        images, labels = part
        if self.variants is None:
            loss = self.loss(images, labels)
        else:
            iteration = self.current_epoch * int(self.trainer.num_training_batches) + index
            loss = torch.stack([self.loss(images, labels) for _ in self.variants(iteration)]).mean()
        self.train_mean.add(loss.detach() * len(labels), len(labels))
        for _, losses in self._course[-1:]:
            losses.append(loss.detach())
        return loss if len(labels) == count else loss * (len(labels) / count)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """As usual, but not where the first parts of a batch have given gradients already."""
        if not self._begun:
            optimizer.zero_grad()

    def on_train_batch_end(self, outputs: object, batch: Batch, index: int) -> None:
        """Stop after an epoch's last batch, and before its validation, where the loss is no number."""
        if self.trainer.is_last_batch:
            (self.train_loss,) = self.train_mean.read()
            self._check(self.train_loss, "training")

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.metrics.reset()

    def validation_step(self, batch: Batch, index: int) -> None:
        """The learnt measures of a batch, the loss without smoothing."""
        for images, labels in _cut(batch, self.parts):
            self.metrics.update(self(images), labels)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics; stop where the loss is no number."""
        self.validation = self.metrics.compute()
        self._check(self.validation.get("loss", 0.0), "validation")
        self.log_dict({f"val_{name}": value for name, value in self.validation.items()})

    def on_train_epoch_end(self) -> None:
        """Log the training loss and the learning rate."""
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict({"train_loss": self.train_loss, "learning_rate": rate})

    def measured(self) -> dict[str, float]:
        """What was measured in this epoch: the training loss and, where it was validated, what judges."""
        return {"train_loss": self.train_loss, **self.validation}

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The recipe's loss of a batch, weighted auxiliary ones included."""
        given = score_tensors(self(images))
        losses: list[Tensor] = [self.criterion(*read_scores(scores, labels, self.data)) for scores in given]
        if len(losses) == 1:
            return losses[0]
        if not losses or self.auxiliary_weight is None:
            raise TypeError(f"in training the network gives {len(given)} tensors; allowed: one, or an auxiliary_weight")
        return losses[0] + self.auxiliary_weight * torch.stack(losses[1:]).sum()

    def _check(self, loss: float, which: str) -> None:
        if not math.isfinite(loss):
            where = f"epoch {self.current_epoch + 1} of {self.recipe.epochs}{self._where()}"
            cure = f"a learning_rate below {self.recipe.learning_rate:g} may help"
            raise Diverged(f"the {which} loss became {loss} in {where}; {cure}")

    def _where(self) -> str:
        """The iteration of this epoch whose loss is the first that is no number, and its learning rate."""
        finite = [all(math.isfinite(float(loss)) for loss in losses) for _, losses in self._course]
        if all(finite):
            return f", after a learning rate of {self._course[-1][0]:.3g}" if finite else ""
        first = finite.index(False)
        return f", in iteration {first + 1} of {len(finite)}, at a learning rate of {self._course[first][0]:.3g}"


def _cut(batch: Batch, parts: int) -> list[Batch]:
    """A batch in parts of two images or more, as many as these at most."""
    images, labels = batch
    parts = max(1, min(parts, len(labels) // 2))
    return [*zip(torch.tensor_split(images, parts), torch.tensor_split(labels, parts), strict=True)]
