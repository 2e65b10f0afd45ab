"""Pace of training: what a start, an iteration and a validation take here, from a training of a few batches."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas_attn.data import Part, training_batches
from nas_attn.space import Architecture
from nas_attn.tasks import ImageTask
from nas_attn.training import TrainingFailed, faults_reported

from .protocol import TrainingProtocol

_BATCHES = 4  # an epoch
_EPOCHS = 3
_SLOW_S = 0.5  # of an iteration from which on only one is timed
_FORWARD = 1 / 3  # of an iteration, which goes back too


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the parts of one training, in the mean over some networks."""

    start_s: float
    """Before the first iteration."""
    iteration_s: float
    """Of one batch, forth and back."""
    validation_s: float
    """After the last epoch."""
    networks: int
    """How many were timed."""

    def seconds(self, epochs: int, batches: int) -> float:
        """Of a training of so many epochs of so many batches."""
        return self.start_s + epochs * batches * self.iteration_s + self.validation_s


def batches_of(protocol: TrainingProtocol) -> int | None:
    """Batches of an epoch; None where that is the user's own code's to say."""
    if not isinstance(protocol.task, ImageTask):
        return None
    try:
        return len(training_batches(protocol.task.data.train, protocol.recipe, 0, 0))
    except TypeError:  # a loader without a length
        return None


def training_pace(
    protocol: TrainingProtocol, architectures: Sequence[Architecture], seed: int, limit_s: float
) -> Pace | None:
    """The pace of a protocol, in the mean over as many of these networks as can be timed within a limit.

    A training of 3 epochs of 4 batches tells start, iteration and validation apart. Where an iteration takes more than
    half a second, one is timed, and validation is taken to be a third of it for each batch. None where a user's own
    code trains, or the first network fails.
    """
    if batches_of(protocol) is None:
        return None
    began, found = time.perf_counter(), list[tuple[float, float, float]]()
    for architecture in architectures:
        try:
            with faults_reported():
                found.append(_timed(protocol, architecture, seed))
        except TrainingFailed:
            if not found:
                return None
        if time.perf_counter() - began > limit_s:
            break
    start, iteration, validation = (sum(part) / len(found) for part in zip(*found, strict=True))
    return Pace(start, iteration, validation, len(found))


def _timed(protocol: TrainingProtocol, architecture: Architecture, seed: int) -> tuple[float, float, float]:
    network = protocol.build(architecture, seed)
    protocol.try_out(network, seed)  # what is done once, such as the choice of an algorithm, is not counted
    began = time.perf_counter()
    protocol.try_out(network, seed)
    once = time.perf_counter() - began
    if once > _SLOW_S or not isinstance(protocol.task, ImageTask):
        return 0.0, once, _FORWARD * once * _validation_batches(protocol)
    return _of_short_training(protocol, architecture, seed)


def _of_short_training(protocol: TrainingProtocol, architecture: Architecture, seed: int) -> tuple[float, float, float]:
    batches = batches_of(protocol) or 1
    task = protocol.task
    if isinstance(task, ImageTask) and isinstance(task.data.train, Part) and batches > 2 * _BATCHES:
        task = task.reduced(_BATCHES / batches, 1.0)
    recipe = protocol.recipe.model_copy(update={"epochs": _EPOCHS, "warmup_epochs": 0.0})
    short = replace(
        protocol, task=task, recipe=recipe, trainer=_unlogged(protocol), keeps=None, outcomes=None, logs=None
    )
    ends = list[float]()
    network = short.build(architecture, seed)
    began = time.perf_counter()
    short.score(network, seed, lambda _done, _all: ends.append(time.perf_counter()))
    total, epoch_s = time.perf_counter() - began, (ends[-1] - ends[0]) / (_EPOCHS - 1)
    validation = began + total - ends[-1]
    return max(0.0, total - _EPOCHS * epoch_s - validation), epoch_s / (batches_of(short) or 1), validation


def _unlogged(protocol: TrainingProtocol) -> dict[str, object]:
    return {name: value for name, value in protocol.trainer.items() if name not in ("logger", "callbacks")}


def _validation_batches(protocol: TrainingProtocol) -> float:
    data = protocol.task.data if isinstance(protocol.task, ImageTask) else None
    part = None if data is None else data.validation
    return len(part) / protocol.recipe.batch_size if isinstance(part, Part) else 0.0
