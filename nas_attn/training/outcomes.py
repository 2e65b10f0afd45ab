"""What each validation image gets from a network, for measures that are means over images."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nas_attn.data import ImageData
from nas_attn.results import Outcomes, images_digest
from nas_attn.settings import Measure

from .reading import IGNORED, judged

_CLOSE = {"rel_tol": 1e-3, "abs_tol": 1e-6}
"""How near the mean over images has to be to the measure, which torchmetrics sums up in float32."""

_Each = Callable[[Measure, Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""What each image of a batch gets, of what the metric is updated with, and its pixels that count; None for all."""


class Gathered:
    """What each image of a pass over the validation part got, batch by batch, on the device that computes it.

    Measures that are no mean over images, as F1 or AUROC, have nothing here.
    """

    def __init__(self, measures: Sequence[Measure], data: ImageData) -> None:
        self._data = data
        self._each = [(one, _EACH[one.metric]) for one in measures if one.metric in _EACH]
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self._found: dict[str, list[tuple[Tensor, Tensor | None]]] = {one.name: [] for one, _ in self._each}
        self._labels: list[Tensor] = []

    def add(self, scores: Tensor, truth: Tensor) -> None:
        """Add a batch of what `read_scores` gives."""
        for one, each in self._each:
            self._found[one.name].append(each(one, *judged(one, scores, truth, self._data)))
        self._labels.append(truth if truth.ndim == 1 else truth.flatten(1).float().sum(1))

    def read(self, measured: Mapping[str, float], digest: str) -> Outcomes | None:
        """The outcomes whose means are what was measured; None where there are none. The host waits for the device.

        `digest` is that of the images' source; labels, in the order in which they came, are taken into it.
        """
        values = {name: _read(found) for name, found in self._found.items() if found}
        kept = {
            name: array
            for name, array in values.items()
            if math.isclose(float(array.mean(dtype=np.float64)), measured.get(name, math.nan), **_CLOSE)
        }
        if not kept:
            return None
        labels = torch.cat(self._labels).cpu().numpy()
        classes = labels if self._data.task == "classification" and labels.dtype.kind == "i" else labels[:0]
        return Outcomes(images_digest(digest, labels), classes.astype(np.int32), kept)


def _read(found: Sequence[tuple[Tensor, Tensor | None]]) -> NDArray[Any]:
    values = torch.cat([each for each, _ in found]).cpu().numpy()
    counts = [count for _, count in found if count is not None]
    if not counts:
        return values if values.dtype == np.bool_ else values.astype(np.float32)
    weights = torch.cat(counts).cpu().numpy().astype(np.float64)
    return np.asarray(values / weights.mean() if weights.any() else values * np.nan, dtype=np.float32)


def _right(one: Measure, scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    """Right or not, of classes or scores; of maps the pixels that are right, and those that count."""
    if scores.ndim == truth.ndim:
        right = scores == truth
    else:
        most = int(one.arguments.get("top_k", 1))
        likely = scores.argmax(1, keepdim=True) if most == 1 else scores.topk(min(most, scores.shape[1]), 1).indices
        right = (likely == truth.unsqueeze(1)).any(1)
    if truth.ndim == 1:
        return right, None
    counting = truth != IGNORED
    return _sums(right & counting), _sums(counting)


def _cross_entropy(one: Measure, scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    loss = F.cross_entropy(scores.float(), truth, reduction="none")
    return (loss, None) if truth.ndim == 1 else (_sums(loss), _sums(truth != IGNORED))


def _binary(one: Measure, scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    return F.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(1), None


def _exact(one: Measure, shares: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    return ((shares > float(one.arguments.get("threshold", 0.5))) == (truth > 0)).all(1), None


def _absolute(one: Measure, values: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    return (values - truth).abs().reshape(len(truth), -1).mean(1), None


def _squared(one: Measure, values: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    squares = ((values - truth) ** 2).reshape(len(truth), -1).mean(1)
    return (squares if one.arguments.get("squared", True) else torch.full_like(squares, math.nan)), None


def _sums(values: Tensor) -> Tensor:
    return values.flatten(1).float().sum(1)


_EACH: Mapping[str, _Each] = {
    "torchmetrics.classification:MulticlassAccuracy": _right,
    "torchmetrics.classification:MultilabelExactMatch": _exact,
    "torchmetrics:MeanAbsoluteError": _absolute,
    "torchmetrics:MeanSquaredError": _squared,
    "nas_attn.training.metrics:CrossEntropy": _cross_entropy,
    "nas_attn.training.metrics:BinaryCrossEntropy": _binary,
}
