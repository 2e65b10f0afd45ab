"""A user's own training: segmentation of squares in noise by a U-Net, as templates write it; no part is of ours."""

import random
from functools import partial

import numpy as np
import pytorch_lightning as pl
import torch
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader, Dataset

IMAGES = torch.rand(8, 3, 12, 10, generator=torch.Generator().manual_seed(0))
SEEN = []
"""Of each training batch: the sum of its pixels and masks, and what the step drew."""


class Squares(Dataset):
    def __init__(self, count, seed, flips):
        rng = np.random.default_rng(seed)
        self.images = rng.normal(0, 0.5, (count, 3, 16, 16)).astype("float32")
        self.masks = np.zeros((count, 16, 16), "int64")
        for number in range(count):
            top, left = rng.integers(0, 10, 2)
            self.images[number, :, top : top + 6, left : left + 6] += 0.7
            self.masks[number, top : top + 6, left : left + 6] = 1
        self.flips = flips

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, number):
        image, mask = torch.from_numpy(self.images[number]), torch.from_numpy(self.masks[number])
        if self.flips and random.random() < 0.5:
            image, mask = image.flip(2), mask.flip(1)
        return {"image": image, "mask": mask}


class SquaresData(pl.LightningDataModule):
    def __init__(self, count=24):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        self.parts = {"train": Squares(self.hparams.count, 0, True), "val": Squares(16, 1, False)}

    def train_dataloader(self):
        return DataLoader(self.parts["train"], batch_size=8, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return DataLoader(self.parts["val"], batch_size=8)

    def test_dataloader(self):
        return DataLoader(Squares(12, 2, False), batch_size=8)


def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Up(nn.Module):
    def __init__(self, below, beside, outputs):
        super().__init__()
        self.skip = nn.Identity()
        self.conv = layer(below + beside, outputs)

    def forward(self, features, skip):
        larger = nn.functional.interpolate(features, scale_factor=2)
        return self.conv(torch.cat([self.skip(skip), larger], 1))


class UNet(nn.Module):
    def __init__(self, width=4, dropout=0.0):
        super().__init__()
        self.down1, self.down2 = layer(3, width), layer(width, 2 * width)
        self.up = Up(2 * width, width, width)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, images):
        first = self.down1(images)
        second = self.down2(nn.functional.max_pool2d(first, 2))
        return {"out": self.head(self.dropout(self.up(second, first)))}


class LitSquares(pl.LightningModule):
    def __init__(self, learning_rate=0.02, network=None, patience=50):
        super().__init__()
        self.save_hyperparameters()
        self.net = UNet(**(network or {}))
        self.iou = torchmetrics.JaccardIndex(task="multiclass", num_classes=2)

    def forward(self, images):
        return self.net(images)["out"]

    def training_step(self, batch, number):
        SEEN.append((float(batch["image"].double().sum()), int(batch["mask"].sum()), np.random.rand()))
        loss = nn.functional.cross_entropy(self(batch["image"]), batch["mask"])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, number):
        scores = self(batch["image"])
        self.iou(scores, batch["mask"])
        self.log("val/iou", self.iou, on_epoch=True)
        self.log("val/loss", nn.functional.cross_entropy(scores, batch["mask"]))

    def test_step(self, batch, number):
        scores = self(batch["image"])
        self.log("test/loss", nn.functional.cross_entropy(scores, batch["mask"]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val/loss"}}

    def configure_callbacks(self):
        stopping = pl.callbacks.EarlyStopping("val/loss", patience=self.hparams.patience)
        return [pl.callbacks.ModelCheckpoint(monitor="val/iou", mode="max"), stopping]


class LitListed(pl.LightningModule):
    """A detector's manner: the model takes a list of images, and its backbone a batch."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(layer(3, 4), layer(4, 8))

        def forward(self, images):
            return self.backbone(torch.stack(images)).mean((1, 2, 3))

    def __init__(self):
        super().__init__()
        self.model = self.Model()

    def training_step(self, batch, number):
        return self.model(list(batch)).square().mean()

    def validation_step(self, batch, number):
        self.log("score", self.model(list(batch)).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return DataLoader(IMAGES, batch_size=4)

    def val_dataloader(self):
        return DataLoader(IMAGES, batch_size=4)


class LitCompiled(LitSquares):
    """With a compiled network, as people write it to train faster, and an average of its weights beside it."""

    def __init__(self):
        super().__init__()
        self.net = torch.compile(self.net)
        self.average = torch.optim.swa_utils.AveragedModel(nn.Linear(1, 1))


class LitForgetful(LitSquares):
    """Whose optimiser has the weights of the network by name, and so none that is added."""

    def configure_optimizers(self):
        return torch.optim.SGD([*self.net.down1.parameters(), *self.net.head.parameters()], lr=0.01)


class LitPassedIn(LitSquares):
    """To which a network and optimisers are passed in, as templates do, and kept as hyper-parameters."""

    def __init__(self, net, optimizer):
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net = net

    def configure_optimizers(self):
        return self.hparams.optimizer(params=self.trainer.model.parameters())


def passed_in():
    return LitPassedIn(UNet(), partial(torch.optim.SGD, lr=0.01, momentum=0.9))


class LitMonitored(LitSquares):
    """With a callback that needs a logger."""

    def configure_callbacks(self):
        return [pl.callbacks.LearningRateMonitor()]


class LitFlat(LitSquares):
    """Whose network has no place for attention: one convolution, which gives the map of scores."""

    def __init__(self):
        super().__init__()
        self.net = OneConvolution()


class OneConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 2, 1)

    def forward(self, images):
        return {"out": self.head(images)}


class LitFrozenStatistics(LitSquares):
    """Whose network trains in eval mode, so that its statistics stay as they are."""

    def training_step(self, batch, number):
        self.net.eval()
        return super().training_step(batch, number)
