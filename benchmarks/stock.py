"""What people write today: Lightning with a `DataLoader`, torchvision's transforms and default settings.

It trains one candidate, from initial weights by the full recipe; `proxies.py` holds its seconds against the proxies'.
"""

import tempfile
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms  # type: ignore[import-untyped]
from torchvision.transforms.functional import to_pil_image  # type: ignore[import-untyped]

from nas_attn.data import ImageData, Part
from nas_attn.settings import Recipe


def stock_seconds(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    loader: Mapping[str, Any] = MappingProxyType({}),
    trainer: Mapping[str, Any] = MappingProxyType({}),
) -> float:
    """Seconds that one candidate takes, with these options of the `DataLoader` and of the trainer."""
    began = time.perf_counter()
    augmented = [transforms.RandomCrop(data.image[1:], padding=recipe.crop_padding)] if recipe.crop_padding else []
    augmented += [transforms.RandomHorizontalFlip()] if recipe.horizontal_flip else []
    plain = [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
    train = DataLoader(_Images(data.train, [*augmented, *plain]), recipe.batch_size, shuffle=True, **loader)
    validation = DataLoader(_Images(data.validation, plain), recipe.batch_size, **loader)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"max_epochs": recipe.epochs, "default_root_dir": folder, "enable_progress_bar": False, **trainer}
        pl.Trainer(**settings).fit(_Candidate(network, recipe, len(train), data.classes), train, validation)
    return time.perf_counter() - began


class _Images(Dataset[tuple[Tensor, int]]):
    """Images as pictures, which are transformed one by one."""

    def __init__(self, part: Part, steps: list[Any]) -> None:
        self.pictures = [to_pil_image(image) for image in part.images]
        self.labels = part.labels.tolist()
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.pictures[index]), self.labels[index]


class _Candidate(pl.LightningModule):
    def __init__(self, network: nn.Module, recipe: Recipe, steps: int, classes: int) -> None:
        super().__init__()
        self.network, self.recipe, self.steps = network, recipe, steps
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        loss = F.cross_entropy(self.network(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        logits = self.network(batch[0])
        self.accuracy(logits, batch[1])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", self.accuracy)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        said = self.recipe
        optimizer = torch.optim.SGD(
            self.parameters(), said.learning_rate, momentum=said.momentum, weight_decay=said.weight_decay, nesterov=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, said.learning_rate, self.steps * said.epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
