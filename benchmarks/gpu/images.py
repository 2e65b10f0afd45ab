"""The images that networks are trained with, and how a network begins."""

from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn

import nas_attn
from nas_attn.data import ImageData, Part, load_data
from nas_attn.settings import Backbone, Parquet

from .bench import Bench

BATCH = 128
CLASSES = 10
_SMALL_SIDE = 8


def plain(backbone: Backbone | str) -> nn.Module:
    """The network without attention, always with the same initial weights."""
    return nas_attn.build(nas_attn.Architecture(), backbone, in_channels=3, classes=CLASSES)


def side(bench: Bench) -> int:
    """Pixels of a side of the images: those of CIFAR-10, or few."""
    return _SMALL_SIDE if bench.small else 32


def random_images(bench: Bench, images: int) -> ImageData:
    """So many random images to train with, and a batch to validate with."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images, 3, side(bench), side(bench)), dtype=torch.uint8, generator=generator)
    part = Part(pixels, torch.randint(CLASSES, (images,), generator=generator))
    few = Part(pixels[:BATCH], part.labels[:BATCH])
    return ImageData(part, few, few, tuple(map(str, range(CLASSES))), (0.5,) * 3, (0.29,) * 3)


def source(bench: Bench, images: int) -> Parquet:
    """So many images of CIFAR-10, of which four fifths train; random ones where it is not here."""
    found = sorted(bench.images.glob("train-*.parquet")) if bench.images else []
    path = found[0] if found else _made_up(bench.folder / "random.parquet", images)
    resized = {"image_size": side(bench)} if bench.small else {}
    return Parquet(path=str(path), limit=images, validation=0.19, test=0.01, **resized)


def kind_of_images(bench: Bench) -> str:
    """What `source` gives, in a word."""
    return "CIFAR-10" if bench.images else "random images (CIFAR-10 is not here)"


def cifar10(bench: Bench, images: int) -> ImageData:
    """The images of `source`, read."""
    return load_data(source(bench, images), Path())


def _made_up(path: Path, images: int) -> Path:
    """Random images in the layout in which CIFAR-10 is published."""
    rng = np.random.default_rng(0)
    encoded = map(partial(_encoded, rng), range(images))
    columns = {"img": pa.array(encoded), "label": pa.array(rng.integers(CLASSES, size=images))}
    pq.write_table(pa.table(columns), path)
    return path


def _encoded(rng: np.random.Generator, _: int) -> dict[str, bytes]:
    content = BytesIO()
    Image.fromarray(rng.integers(256, size=(32, 32, 3), dtype=np.uint8)).save(content, "bmp")
    return {"bytes": content.getvalue()}
