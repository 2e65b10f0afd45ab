"""Seconds a network: `nas_attn.training.train` beside the loop that people write."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from stock import stock_seconds

from nas_attn.data import ImageData, Part, quiet
from nas_attn.settings import Backbone, Recipe
from nas_attn.training import train

from .bench import Bench
from .images import BATCH, cifar10, kind_of_images, plain
from .resnets import NETWORKS
from .rows import Row, compared

_IMAGES, _SMALL = 25_000, 600
_EPOCHS = 2


def beside_stock(bench: Bench) -> Iterator[Row]:
    """Both train the same networks by the same recipe, in turn; the stock loop with four processes that load images."""
    data = cifar10(bench, _SMALL if bench.small else _IMAGES)
    recipe = Recipe(epochs=_EPOCHS, batch_size=BATCH, horizontal_flip=True, crop_padding=4)
    said = f"{_EPOCHS} epochs of {len(data.train):,} images, {kind_of_images(bench)}, batch {BATCH}"
    for number, (name, backbone) in enumerate(NETWORKS.items()):
        runs = _runs(bench, backbone)
        for run in runs.values():
            run(_few(data), recipe)  # to warm up
        share = bench.within(1 / (len(NETWORKS) - number))
        found = share.in_turn({name: partial(run, data, recipe) for name, run in runs.items()})
        for other in found:
            if other != "ours":
                yield compared(f"{name}, seconds a network ({said})", found, over=other, under="ours", unit="seconds")


def stock(backbone: Backbone, loader: dict[str, Any], data: ImageData, recipe: Recipe, **trainer: Any) -> float:
    """Seconds that the stock loop takes, which says nothing meanwhile."""
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tensorboardX")
        return stock_seconds(plain(backbone), data, recipe, loader, {"enable_model_summary": False, **trainer})


def _runs(bench: Bench, backbone: Backbone) -> dict[str, Callable[[ImageData, Recipe], float]]:
    loader: dict[str, Any] = {"num_workers": 2} if bench.small else {"num_workers": 4, "pin_memory": True}
    runs = {"ours": partial(_ours, backbone), "stock": partial(stock, backbone, loader)}
    if not bench.small:
        runs["stock_bf16"] = partial(stock, backbone, loader, precision="bf16-mixed")
    return runs


def _ours(backbone: Backbone, data: ImageData, recipe: Recipe) -> float:
    network, began = plain(backbone), time.perf_counter()
    train(network, data, recipe, seed=0)
    return time.perf_counter() - began


def _few(data: ImageData) -> ImageData:
    few = Part(data.train.images[: 2 * BATCH], data.train.labels[: 2 * BATCH])
    return replace(data, train=few, validation=few)
