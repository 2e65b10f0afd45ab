"""Training of a network by a recipe, and its accuracy and loss."""

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from nas_attn.data import ImageData, LoaderPart, Part, batches_in_order, quiet, training_batches
from nas_attn.settings import Recipe
from nas_attn.space import reported

from .averaging import averaging
from .checkpoint import EpochEnd, OnEpoch, WholeFiles, identity, resumable
from .classifier import Classifier, Variants
from .device import forked_rng, lay_out, own_switches
from .failure import Read, interrupts_reported, memory_faults_reported
from .metrics import Normalise, Score, mean_metrics
from .optimisation import make_optimizer
from .trainer import make_trainer, run_ended, training_device


def train(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    seed: int,
    on_epoch: OnEpoch | None = None,
    *,
    variants: Variants | None = None,
    auxiliary_weight: float | None = None,
    checkpoint: Path | None = None,
    trainer: Mapping[str, Any] | None = None,
    parts: int = 1,
) -> Score:
    """Train a network (B, C, H, W) -> (B, classes) in place, on one device.

    All random numbers (data order, augmentation, dropout) derive from the seed and the epoch; on a CPU the same weights
    come to the same end, bit by bit, with the same number of threads. Torch's random states and switches go on as they
    were, and the network comes back on the CPU, in eval mode.

    `on_epoch` is called with the epochs done and those in all. `variants` is called with the number of an iteration and
    makes the network another one before each of its yields; the loss is the mean over them. `checkpoint` names a file
    from which the same call goes on, to the same end; `drop_checkpoint` removes it once what came of it is written
    down. `trainer` is as `check_trainer` takes it. Each batch passes in so many `parts`, whose gradients are added up.

    Raises `Diverged`, `OutOfMemory`, `InputError` for a checkpoint, a `trainer` or images at fault, `KeyboardInterrupt`
    on Ctrl-C and SIGTERM, and whatever the network raises.
    """
    end = EpochEnd(checkpoint, on_epoch)
    double = {name for name, tensor in _tensors(network) if tensor.dtype == torch.float64}
    try:
        with end.kept_by_failures(), quiet(), own_switches(), interrupts_reported(), memory_faults_reported():
            device = training_device(trainer)
            if checkpoint is not None:
                end.identity = identity(network, data, recipe, seed, trainer, parts)
            driver = make_trainer(recipe.epochs, device, trainer, [*averaging(recipe, device), end], WholeFiles())
            classifier = Classifier(network, data.near(device), recipe, seed, variants, auxiliary_weight, parts)
            _fit(driver, classifier, end, checkpoint and resumable(checkpoint, end.identity))
    finally:
        _retire(network, double)
    return _score(classifier, data.validation, end)


def try_iteration(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    seed: int,
    *,
    images: int | None = None,
    auxiliary_weight: float | None = None,
    trainer: Mapping[str, Any] | None = None,
) -> float:
    """The loss of the first training batch, or of so many images of it, passed through a network forth and back.

    Raises as `train` does. The network is left as it then is.
    """
    device = training_device(trainer)
    with quiet(), own_switches(), forked_rng(device), memory_faults_reported():
        network.train()
        if recipe.ema_decay:
            copy.deepcopy(network)  # as its average begins
        learner = Classifier(network, data.near(device), recipe, seed, auxiliary_weight=auxiliary_weight)
        batch, labels = next(iter(learner.to(device).train_dataloader()))
        loss = learner.loss(batch[:images], labels[:images])
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())


def try_recipe(data: ImageData, recipe: Recipe, trainer: Mapping[str, Any] | None = None) -> None:
    """Take an iteration of the smallest network by a recipe, and a step of its schedule.

    Raises `InputError` for what the recipe names and there is not, or refuses its arguments; and as `train` does.
    """
    maps = nn.Conv2d(data.image[0], data.classes, 1)
    network = maps if data.task == "segmentation" else nn.Sequential(maps, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    batches = len(training_batches(data.train, recipe, 0, 0))
    optimizer, schedule = make_optimizer(network, recipe, recipe.epochs * batches)
    try_iteration(network, data, recipe, 0, trainer=trainer)
    with reported(f"recipe.optimizer: {recipe.optimizer}"):
        optimizer.step()
    schedule.step()


def score(
    network: nn.Module,
    part: Part | LoaderPart,
    data: ImageData,
    batch_size: int,
    *,
    trainer: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """The learnt measures of a network on any part of the data, by name, in float32.

    It computes on the device that `trainer` names. The network comes back on the CPU, in eval mode. Raises
    `TrainingFailed` where memory does not suffice, `InputError` where images cannot be read.
    """
    device = training_device(trainer)
    try:
        with memory_faults_reported():
            model = nn.Sequential(Normalise(data), network).to(device).eval()
        with torch.inference_mode(), memory_faults_reported():
            return mean_metrics(model, Read(batches_in_order(part.to(device), batch_size)), data)
    finally:
        _retire(network, {name for name, _ in _tensors(network)})


def _fit(trainer: pl.Trainer, classifier: Classifier, end: EpochEnd, checkpoint: Path | None) -> None:
    device = trainer.strategy.root_device
    end.measured = lambda _: classifier.measured()
    classifier.network.train()
    lay_out(classifier.network, device)
    part = classifier.data.train
    attached = part.host.attached(trainer) if isinstance(part, LoaderPart) else nullcontext()
    with forked_rng(device), run_ended(trainer), attached:
        trainer.fit(classifier, ckpt_path=checkpoint, weights_only=True)
    if trainer.received_sigterm:
        raise KeyboardInterrupt("training was broken off")


def _score(classifier: Classifier, part: Part | LoaderPart, end: EpochEnd) -> Score:
    gathered, found = classifier.metrics.gathered, classifier.validation
    digest = part.digest if isinstance(part, Part) else ""  # a user's loader is known by its labels alone
    outcomes = None if gathered is None else gathered.read(found, digest)
    return Score(found, classifier.train_loss, end.seconds, outcomes, end.learning_curve)


def _retire(network: nn.Module, double: Collection[str]) -> None:
    """Back to the CPU, in float32 whatever it was trained in, but for complex tensors and these double ones."""
    network.zero_grad(set_to_none=True)
    network.to("cpu").to(memory_format=torch.contiguous_format).eval()
    for name, tensor in _tensors(network):
        if tensor.is_floating_point() and not (name in double and tensor.dtype == torch.float64):
            tensor.data = tensor.data.float()


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(network.named_parameters(), network.named_buffers())
