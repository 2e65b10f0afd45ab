"""A network in training, as Lightning sees it."""

import math
from collections.abc import Callable

import pytorch_lightning as pl
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric

from nas_attn.settings import Recipe

from .batches import Batch, Batches, batches_in_order, steps, training_batches
from .failure import TrainingFailed
from .images import ImageData
from .judging import Judgement, Normalise
from .optimisation import make_optimizer

OnEpoch = Callable[[int, int], None]
"""Told after each epoch how many are done, and of how many."""

_CHECK_EVERY_STEPS = 50


class Classifier(pl.LightningModule):
    """Fits a network to the train part of the data, which lie on the device, and judges it by the validation part."""

    def __init__(
        self, network: nn.Module, data: ImageData, recipe: Recipe, seed: int, on_epoch: OnEpoch | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.data = data
        self.recipe = recipe
        self.seed = seed
        self.on_epoch = on_epoch
        self.normalise = Normalise(data)
        self.training_loss = MeanMetric(nan_strategy="disable")
        self.judgement = Judgement(data.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images, uint8 (B, C, H, W), to logits (B, classes)."""
        logits: Tensor = self.network(self.normalise(images))
        return logits

    def train_dataloader(self) -> Batches:
        """This epoch's batches."""
        return training_batches(self.data.train, self.recipe, self.seed, self.current_epoch)

    def val_dataloader(self) -> Batches:
        """The validation part."""
        return batches_in_order(self.data.validation, self.recipe.batch_size)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The recipe's optimiser; its rate changes with every step."""
        total = self.recipe.epochs * steps(len(self.data.train), self.recipe.batch_size)
        optimizer, schedule = make_optimizer(self.network, self.recipe, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Cross-entropy with the recipe's label smoothing."""
        images, labels = batch
        loss = F.cross_entropy(self(images).float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.training_loss.update(loss.detach())
        # To look at the loss makes the host wait for an accelerator, so it is not done at every step.
        if index % _CHECK_EVERY_STEPS == _CHECK_EVERY_STEPS - 1:
            self._check(float(self.training_loss.compute()), "training")
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Cross-entropy without smoothing, and accuracy."""
        images, labels = batch
        self.judgement.update(self(images), labels)

    def on_train_epoch_end(self) -> None:
        """Stop where the loss is no number; tell the caller where it is one."""
        self._check(float(self.training_loss.compute()), "training")
        self.training_loss.reset()
        if self.on_epoch is not None:
            self.on_epoch(self.current_epoch + 1, self.recipe.epochs)

    def on_validation_epoch_end(self) -> None:
        """Stop where the network that came out is no good for numbers."""
        _, loss = self.judgement.result()
        self._check(loss, "validation")

    def _check(self, loss: float, which: str) -> None:
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the {which} loss became {loss} in epoch {self.current_epoch + 1} of {self.recipe.epochs};"
                f" a learning_rate below {self.recipe.learning_rate:g} may help"
            )
