"""Studies that are bad in as many ways as can stand in one, and what they are made of."""

from pathlib import Path

import numpy as np
from PIL import Image

ENDS = (Path(__file__).parents[1] / "case_networks" / "ends.py").read_text()
NETWORK = (
    f"{ENDS}\n"
    + """
class Block(nn.Module):
    def __init__(self, channels, shared):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels)
        self.shared, self.relu = shared, nn.ReLU()

    def forward(self, x):
        out = self.norm(self.shared(self.relu(self.conv(x))))
        out += x
        return self.relu(out)

class Net(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        shared = nn.Conv2d(8, 8, 3, 1, 1)
        self.stem, self.one, self.two = nn.Conv2d(in_channels, 8, 3, 2, 1), Block(8, shared), Block(8, shared)
        self.aux, self.head = nn.Linear(8, classes), nn.Linear(8, classes)

    def forward(self, x):
        early = self.one(self.stem(x))
        scores = self.head(self.two(early).mean((2, 3)))
        return (scores, self.aux(early.mean((2, 3)))) if self.training else scores

class Deep(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        halved = [nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(4)]
        self.layers = nn.Sequential(nn.Conv2d(in_channels, 8, 3, 1, 1), *halved)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))

class Pooled(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        made = ((nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)) for _ in range(3))
        halved = [nn.Sequential(*layers) for layers in made]
        self.layers = nn.Sequential(nn.Conv2d(in_channels, 8, 3, 1, 1), *halved)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))

def pooled(in_channels, classes):
    return Pooled(in_channels, classes)

def tied(in_channels, classes):
    return Net(in_channels, classes)

def here(in_channels, classes):
    import builtins

    network = Net(in_channels, classes)
    network.stem = builtins.only_here(in_channels, 8, 3, 2, 1)
    return network

def deep(in_channels, classes):
    return Deep(in_channels, classes)

class Narrow(Ends):
    def __init__(self, channels):
        super().__init__(channels)
        self.mixed = nn.Linear(max(channels, 16), channels)

    def forward(self, x):
        return x * self.mixed(x.mean((2, 3)))[..., None, None].sigmoid()

class Moody(Ends):
    def forward(self, x):
        if self.training and torch.is_grad_enabled() and not torch.compiler.is_compiling() and x.shape[-1] in (4, 8):
            raise TypeError("not today")
        return super().forward(x)

class Greedy(Ends):
    def forward(self, x):
        if self.training and torch.is_grad_enabled() and len(x) > 3:
            raise MemoryError
        return super().forward(x)

class Wide(Ends):
    def __init__(self, channels):
        super().__init__(channels)
        self.register_buffer("spectrum", torch.zeros(1, dtype=torch.complex128))

class Unpriced(nn.Module):
    positions = ("branch",)

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return torch.special.i1(x * self.scale)
"""
)

LOADERS = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

class Module(pl.LightningDataModule):
    num_classes = 3

    def __init__(self, first=0, count=33, spoilt=False, size=16):
        super().__init__()
        labels = first + torch.arange(count) % 3
        images = torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))
        if spoilt:
            images[count // 2, 0, 0, 0] = float("nan")
        self.all = TensorDataset(images, labels)

    def train_dataloader(self):
        return DataLoader(self.all, batch_size=8, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.all, batch_size=8)
"""

SPACE = 'backbone = {{name = "{name}:{make}"{more}}}\nimage = [1, 16, 16]\nclasses = 3\n{kinds}'

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
[data]
{data}
[recipe]
epochs = 1
{recipe}
[latency]
calls = 50
[search]
trials = 3
"""


def draw(path, seed, size=16):
    """An image of noise of its own, 16 x 16 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def draw_parts(folder):
    """33 train images of two classes, 8 for validation, 8 for test, one of which is a train image."""
    for part, counts in {"train": (17, 16), "val": (4, 4), "test": (4, 4)}.items():
        for label, count in enumerate(counts):
            for number in range(count):
                draw(folder / part / "ab"[label] / f"{number}.png", hash((part, label, number)) % 2**32)
    (folder / "test" / "a" / "0.png").write_bytes((folder / "train" / "a" / "3.png").read_bytes())
    return folder
