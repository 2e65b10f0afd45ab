"""Noisy digits, classified by a module and a data module in the style of lightning-hydra-template."""

from functools import partial

import numpy as np
import pytorch_lightning as pl
import timm
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics import Accuracy, MaxMetric


class DigitsDataModule(pl.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.save_hyperparameters(logger=False)

    def setup(self, stage=None):
        rng, digits = np.random.default_rng(42), load_digits()
        large = np.kron(digits.images / 16 + rng.normal(0, 0.3, digits.images.shape), np.ones((1, 4, 4)))
        pairs = TensorDataset(torch.tensor(large[:, None]).float(), torch.tensor(digits.target))
        self.train, self.val = random_split(pairs, [1000, 797], torch.Generator().manual_seed(42))

    def train_dataloader(self):
        return DataLoader(self.train, self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.hparams.batch_size)


class DigitsLitModule(pl.LightningModule):
    def __init__(self, net, optimizer, scheduler):
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net, self.criterion = net, torch.nn.CrossEntropyLoss()
        self.val_acc, self.val_acc_best = Accuracy(task="multiclass", num_classes=10), MaxMetric()

    def on_train_start(self):
        self.val_acc_best.reset()

    def training_step(self, batch, batch_idx):
        loss = self.criterion(self.net(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.val_acc(self.net(batch[0]), batch[1])
        self.log("val/acc", self.val_acc, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self):
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True, prog_bar=True)

    def configure_optimizers(self):
        optimizer = self.hparams.optimizer(params=self.trainer.model.parameters())
        schedule = {"scheduler": self.hparams.scheduler(optimizer=optimizer), "monitor": "train/loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def configure_callbacks(self):
        return [ModelCheckpoint(monitor="val/acc", mode="max"), EarlyStopping("val/acc", mode="max", patience=10)]


def configured(lr):
    net = timm.create_model("test_resnet", in_chans=1, num_classes=10)
    return DigitsLitModule(net, partial(torch.optim.Adam, lr=lr), partial(ReduceLROnPlateau, patience=1))
