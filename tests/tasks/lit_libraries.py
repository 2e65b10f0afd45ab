"""Short modules around networks of others: a U-Net of segmentation_models_pytorch, and features of timm."""

from functools import partial

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

IMAGES = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
BRIGHT = IMAGES.mean(1, keepdim=True).gt(0.5).float()


class Lit(pl.LightningModule):
    def training_step(self, batch, _):
        return nn.functional.binary_cross_entropy_with_logits(self(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("val/loss", self.training_step(batch, _))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.001)

    def train_dataloader(self):
        return DataLoader(TensorDataset(IMAGES, BRIGHT), 4)

    def val_dataloader(self):
        return self.train_dataloader()


class LitUnet(Lit):
    def __init__(self, **said):
        super().__init__()
        import segmentation_models_pytorch as smp  # noqa: PLC0415

        self.model = smp.Unet("resnet18", 3, None, decoder_channels=(32, 16, 8), **said)

    def forward(self, images):
        return self.model(images)


class LitFeatures(Lit):
    def __init__(self, name="test_resnet"):
        super().__init__()
        import timm  # noqa: PLC0415

        self.backbone = timm.create_model(name, features_only=True, out_indices=(0, 1, 2))
        self.head = nn.Conv2d(sum(self.backbone.feature_info.channels()), 1, 1)

    def forward(self, images):
        resized = partial(nn.functional.interpolate, size=images.shape[2:])
        return self.head(torch.cat([*map(resized, self.backbone(images))], 1))
