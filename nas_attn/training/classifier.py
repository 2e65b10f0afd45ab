"""A network in training, as Lightning sees it."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from nas_attn.data import Batch, ImageData, batches_in_order, training_batches
from nas_attn.settings import Recipe

from .device import seed_chance
from .failure import Diverged, Read
from .judging import Judgement, Mean, Normalise
from .optimisation import make_optimizer

Variants = Callable[[int], Iterable[None]]
"""Asked with the number of a training step; where it yields, the network is what the next forward pass shall see."""


class Classifier(pl.LightningModule):
    """Fits a network to the train part of the data, which lie near the device, and judges it by the validation part.

    Its metrics are gathered on the device, and read once an epoch. A network that gives auxiliary scores too while it
    is trained learns from the sum of all losses: the first, and `auxiliary_weight` times each other.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageData,
        recipe: Recipe,
        seed: int,
        variants: Variants | None = None,
        auxiliary_weight: float | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.data = data
        self.recipe = recipe
        self.seed = seed
        self.variants = variants
        self.auxiliary_weight = auxiliary_weight
        self.normalise = Normalise(data)
        self.judgement = Judgement(data.classes)
        self.mean_loss = Mean(torch.device("cpu"))
        self.train_loss = math.nan

    def __setattr__(self, name: str, value: Any) -> None:
        """As every module; but the hook that runs is noted at once, for Lightning notes it some fifty times a step."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, images: Tensor) -> Tensor:
        """Images, uint8 (B, C, H, W), to logits (B, classes)."""
        try:
            logits: Tensor = self.network(self.normalise(images))
        except StopIteration as error:  # which Lightning would take for the end of the epoch
            raise RuntimeError("StopIteration was raised in a forward pass") from error
        return logits

    def train_dataloader(self) -> Read:
        """This epoch's batches."""
        return Read(training_batches(self.data.train, self.recipe, self.seed, self.current_epoch))

    def val_dataloader(self) -> Read:
        """The validation part."""
        return Read(batches_in_order(self.data.validation, self.recipe.batch_size))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch as it is: it lies there already, and to look for what does not takes time."""
        return batch

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The recipe's optimiser; its rate changes with every step."""
        optimizer, schedule = make_optimizer(self.network, self.recipe, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begin with the chance of this epoch."""
        seed_chance(self.device, self.seed, self.current_epoch)
        self.mean_loss = Mean(self.device)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Cross-entropy with the recipe's label smoothing; of several variants, the mean."""
        images, labels = batch
        if self.variants is None:
            loss = self.loss(images, labels)
        else:
            step = self.current_epoch * int(self.trainer.num_training_batches) + index
            loss = torch.stack([self.loss(images, labels) for _ in self.variants(step)]).mean()
        self.mean_loss.add(loss.detach(), len(labels))
        return loss

    def on_train_batch_end(self, outputs: object, batch: Batch, index: int) -> None:
        """After an epoch's last step, and before it is judged, stop where the loss is no number."""
        if self.trainer.is_last_batch:
            self.train_loss = self.mean_loss.read()
            self._check(self.train_loss, "training")

    def validation_step(self, batch: Batch, index: int) -> None:
        """Cross-entropy without smoothing, and accuracy."""
        images, labels = batch
        self.judgement.update(self(images), labels)

    def on_validation_epoch_start(self) -> None:
        """Judge afresh."""
        self.judgement.reset()

    def on_validation_epoch_end(self) -> None:
        """Stop where the network that came out is no good for numbers."""
        accuracy, loss = self.judgement.result()
        self._check(loss, "validation")
        self.log_dict({"val_loss": loss, "val_accuracy": accuracy})

    def on_train_epoch_end(self) -> None:
        """Let loggers and callbacks know."""
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict({"train_loss": self.train_loss, "learning_rate": rate})

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """What a batch is learnt from: cross-entropy with smoothing, of auxiliary scores too."""
        given = _scores(self(images))
        smoothing = self.recipe.label_smoothing
        losses = [F.cross_entropy(scores.float(), labels, label_smoothing=smoothing) for scores in given]
        if len(losses) == 1:
            return losses[0]
        if not losses or self.auxiliary_weight is None:
            raise TypeError(f"in training the network gives {len(given)} tensors; allowed: one, or an auxiliary_weight")
        return losses[0] + self.auxiliary_weight * torch.stack(losses[1:]).sum()

    def _check(self, loss: float, which: str) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"the {which} loss became {loss} in epoch {self.current_epoch + 1} of {self.recipe.epochs};"
                f" a learning_rate below {self.recipe.learning_rate:g} may help"
            )


def _scores(output: Any) -> list[Tensor]:
    """The tensors in what a network gives, in their order: alone, in a tuple, list or mapping, or nested."""
    if isinstance(output, Tensor):
        return [output]
    inner = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return [scores for one in inner for scores in _scores(one)]
