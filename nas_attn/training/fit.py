"""A network trained by a recipe, and how well it then does."""

import time
from dataclasses import dataclass

import torch
from torch import nn

from nas_attn.settings import Recipe

from .batches import batches_in_order
from .classifier import Classifier, OnEpoch
from .device import make_trainer, seeded, training_device
from .failure import interrupts_told, memory_faults_told
from .images import ImageData, Part
from .judging import Judgement, Normalise
from .quiet import quiet


@dataclass(frozen=True, slots=True)
class Score:
    """How well a trained network does on the validation part, after its last epoch."""

    accuracy: float
    """Share of right answers, 0 to 1."""
    loss: float
    """Mean cross-entropy in nats, without label smoothing."""
    seconds: float
    """Time that training and judging took, by the wall clock."""


def train(network: nn.Module, data: ImageData, recipe: Recipe, seed: int, on_epoch: OnEpoch | None = None) -> Score:
    """Train a network (B, C, H, W) -> (B, classes) in place, on the device that Lightning chooses.

    Data order, augmentation and the network's own chance (dropout) depend on the seed alone: networks that are trained
    with one seed see the same images, and on a CPU the same weights come to the same end, bit by bit, with the same
    number of threads. `on_epoch` is told after each epoch how many are done, and of how many. Nothing is printed or
    written, torch's chance goes on as if nothing had happened, and the network comes back on the CPU, in eval mode.

    Raises `TrainingFailed` where the loss is no number any more, or memory does not suffice; `KeyboardInterrupt` on
    Ctrl-C and on SIGTERM.
    """
    device = training_device()
    began = time.perf_counter()
    try:
        with quiet(), seeded(device, seed), interrupts_told(), memory_faults_told():
            accuracy, loss = _fit(network, data, recipe, seed, on_epoch, device)
    finally:
        network.zero_grad(set_to_none=True)
        _retire(network)
    return Score(accuracy, loss, time.perf_counter() - began)


def score(network: nn.Module, part: Part, data: ImageData, batch_size: int) -> tuple[float, float]:
    """Accuracy (0 to 1) and mean cross-entropy (nats) of a network on any part of the data, in float32.

    The network comes back on the CPU, in eval mode. Raises `TrainingFailed` where memory does not suffice.
    """
    device = training_device()
    try:
        with torch.inference_mode(), memory_faults_told():
            judgement = Judgement(data.classes).to(device)
            model = nn.Sequential(Normalise(data), network).to(device).eval()
            for images, labels in batches_in_order(part.to(device), batch_size):
                judgement.update(model(images), labels)
            return judgement.result()
    finally:
        _retire(network)


def _fit(
    network: nn.Module, data: ImageData, recipe: Recipe, seed: int, on_epoch: OnEpoch | None, device: torch.device
) -> tuple[float, float]:
    if device.type == "cuda":
        _lay_out(network, torch.channels_last)
    classifier = Classifier(network.train(), data.near(device), recipe, seed, on_epoch)
    trainer = make_trainer(recipe.epochs)
    trainer.fit(classifier)
    if trainer.received_sigterm:
        raise KeyboardInterrupt("training was broken off")
    return classifier.judgement.result()


def _retire(network: nn.Module) -> None:
    network.to("cpu").eval()
    _lay_out(network, torch.contiguous_format)


def _lay_out(network: nn.Module, order: torch.memory_format) -> None:
    network.to(memory_format=order)
