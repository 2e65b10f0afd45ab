"""A U-Net that finds a dahlia in grey crops of a photograph; half of them are negatives, so brightness is no help."""

import numpy as np
import pytorch_lightning as pl
import torch
from scipy.stats import zscore
from sklearn.datasets import load_sample_images
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import JaccardIndex


def crops(count, seed, columns, size=64):
    rng, photo = np.random.default_rng(seed), load_sample_images().images[1][:, columns] / 255
    for number in range(count):
        y, x = rng.integers(0, np.array(photo.shape[:2]) - size)
        crop = photo[y : y + size, x : x + size]
        grey = zscore(crop.mean(2) + rng.normal(0, 0.1, (size, size)), None) * (-1) ** number
        yield torch.tensor(grey[None]).float(), torch.tensor(crop[..., 0] > crop[..., 1]).long()


def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class Up(nn.Module):
    def __init__(self, below, beside):
        super().__init__()
        self.skip, self.conv = nn.Identity(), layer(below + beside, beside)

    def forward(self, features, skip):
        return self.conv(torch.cat([nn.functional.interpolate(features, scale_factor=2), self.skip(skip)], 1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = layer(1, 8), layer(8, 16), layer(16, 32)
        self.pool, self.up2, self.up1, self.head = nn.MaxPool2d(2), Up(32, 16), Up(16, 8), nn.Conv2d(8, 2, 1)

    def forward(self, images):
        first = self.down1(images)
        second = self.down2(self.pool(first))
        return self.head(self.up1(self.up2(self.bottom(self.pool(second)), second), first))


class LitUNet(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.iou = UNet(), JaccardIndex("multiclass", num_classes=2)

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.iou(self.net(batch[0]), batch[1])
        self.log("val/iou", self.iou)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.003)

    def train_dataloader(self):
        return DataLoader([*crops(96, 0, slice(0, 300))], 8, shuffle=True)

    def val_dataloader(self):
        return DataLoader([*crops(64, 1, slice(300, None))], 16)
