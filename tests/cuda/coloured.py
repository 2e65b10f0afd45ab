"""Images whose colour tells their class, in memory and from a user's own loaders, and networks for them."""

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from nas_attn.assembly import build
from nas_attn.data import ImageData, Part
from nas_attn.data.images import channel_stats
from nas_attn.settings import Backbone
from nas_attn.space import parse

COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], dtype=torch.uint8)
SIDE, PATCH = 16, 6
BACKBONE = Backbone(name="resnet8", arguments={"width": 8})
SEVERAL = "stage1.block0.branch=se(reduction=4) stage2.block0.branch=gate stage3.block0.block=non_local(subsample=true)"
"""An architecture whose way back has operators that CUDA has in two forms, of which one is not deterministic."""


def coloured(count, seed):
    """Dim noise with a patch of one of four colours somewhere: uint8 (count, 3, 16, 16), and which colour."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 90, (count, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, len(COLOURS), (count,), generator=generator)
    corners = torch.randint(0, SIDE - PATCH + 1, (count, 2), generator=generator).tolist()
    for image, label, (top, left) in zip(images, labels.tolist(), corners, strict=True):
        image[:, top : top + PATCH, left : left + PATCH] = COLOURS[label][:, None, None]
    return images, labels


def coloured_data(streams_to=None):
    train, validation, test = (Part(*coloured(count, seed), streams_to) for seed, count in enumerate((256, 96, 96)))
    return ImageData(train, validation, test, ("red", "green", "blue", "white"), *channel_stats(train.images))


def network(spelt="none", seed=0):
    return build(parse(spelt), BACKBONE, in_channels=3, classes=len(COLOURS), seed=seed)


class Loaders(pl.LightningDataModule):
    """The same images, from worker processes; with fewer classes than there are labels where it is asked for."""

    def __init__(self, workers=2, classes=4, pinned=False):
        super().__init__()
        self.num_classes = classes
        self.how = {"batch_size": 32, "num_workers": workers, "pin_memory": pinned}

    def train_dataloader(self):
        return DataLoader(TensorDataset(*coloured(256, 0)), shuffle=True, **self.how)

    def val_dataloader(self):
        return DataLoader(TensorDataset(*coloured(96, 1)), **self.how)
