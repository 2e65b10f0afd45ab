"""Faster R-CNN on half a MobileNetV2, which finds handwritten digits on a noisy canvas."""

import numpy as np
import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader
from torchmetrics.detection import MeanAveragePrecision
from torchvision.models import mobilenet_v2
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator


def scenes(count, seed, digits):
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        canvas, boxes = rng.uniform(0, 0.6, (96, 96)), []
        for cell in rng.choice(9, rng.integers(1, 5), replace=False):
            digit = np.kron(rng.choice(digits) / 16, np.ones([rng.integers(2, 4)] * 2))
            y, x = np.array(divmod(cell, 3)) * 32 + rng.integers(0, 33 - len(digit), 2)
            canvas[y : y + len(digit), x : x + len(digit)] += digit
            boxes.append([x, y, x + len(digit), y + len(digit)])
        image = torch.tensor(canvas, dtype=torch.float32).clamp(0, 1).expand(3, -1, -1)
        found.append((image, {"boxes": torch.tensor(boxes).float(), "labels": torch.ones(len(boxes)).long()}))
    return found


class LitDetector(pl.LightningModule):
    def __init__(self, lr=0.005, train=96, val=48):
        super().__init__()
        self.save_hyperparameters()
        backbone = mobilenet_v2(weights=None, width_mult=0.5).features[:7]
        backbone.out_channels = 16
        anchors, size = AnchorGenerator(((16, 24),), ((1.0,),)), {"min_size": 96, "max_size": 96}
        self.model = FasterRCNN(backbone, 2, **size, rpn_anchor_generator=anchors, rpn_post_nms_top_n_train=64)
        self.map = MeanAveragePrecision()

    def training_step(self, batch, _):
        return sum(self.model(*batch).values())

    def validation_step(self, batch, _):
        self.map.update(self.model(batch[0]), batch[1])

    def on_validation_epoch_end(self):
        found = self.map.compute()
        self.log_dict({"val/map": found["map"], "val/map_50": found["map_50"]})
        self.map.reset()

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams.lr)
        schedule = OneCycleLR(optimizer, self.hparams.lr, total_steps=self.trainer.estimated_stepping_batches)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def loader(self, *said, shuffle=False):
        return DataLoader(scenes(*said), 8, shuffle, collate_fn=lambda batch: tuple(zip(*batch, strict=True)))

    def train_dataloader(self):
        return self.loader(self.hparams.train, 0, load_digits().images[:1000], shuffle=True)

    def val_dataloader(self):
        return self.loader(self.hparams.val, 1, load_digits().images[1000:])
