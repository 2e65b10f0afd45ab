"""What a network's outputs and an image's labels say, task by task."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_attn.data import ImageData
from nas_attn.settings import VOID, Measure
from nas_attn.space import InputError

IGNORED = -100
"""The class of a void pixel in what losses and metrics take, as in torch, where 255 may be a class among many."""


def score_tensors(output: Any) -> list[Tensor]:
    """The tensors in a network's output, in their order: alone, in a tuple, list or mapping, or nested."""
    if isinstance(output, Tensor):
        return [output]
    inner = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return [scores for one in inner for scores in score_tensors(one)]


def expected_shape(data: ImageData) -> str:
    """The shape that a network's output must have for these images, in words."""
    scores = f"(B, {data.classes})"
    return {
        "segmentation": f"(B, {data.classes}, h, w), a score of each class for each place",
        "multilabel": f"{scores}, a score of each label",
        "regression": f"{scores}, a number for each value",
    }.get(data.task, f"{scores}, a score of each class")


def is_expected(scores: Tensor, data: ImageData) -> bool:
    """Whether an output has the shape that these images need."""
    shape = scores.shape
    return len(shape) == (4 if data.task == "segmentation" else 2) and shape[1] == data.classes


def read_scores(scores: Tensor, labels: Tensor, data: ImageData) -> tuple[Tensor, Tensor]:
    """Outputs in float32 and labels as a loss takes them: classes as int64, labels as float32, values standardised.

    A void pixel is `IGNORED`. Maps of scores (B, classes, h, w) get the size of the masks by bilinear interpolation.
    Raises `InputError` for an output of another shape.
    """
    if not (scores.ndim == 2 if data.task == "classification" else is_expected(scores, data)):
        found = f"found an output of shape {tuple(scores.shape)} for {data.task}"
        raise InputError(f"the network: {found}; allowed: {expected_shape(data)}")
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if data.task == "multilabel":
        return scores, labels.to(scores.dtype)
    if data.task == "regression":
        return scores, (labels - _like(labels, data.target_mean)) / _like(labels, data.target_std)
    if data.task == "segmentation":
        if scores.shape[2:] != labels.shape[1:]:
            scores = F.interpolate(scores, labels.shape[1:], mode="bilinear", align_corners=False)
        return scores, labels.long().masked_fill(labels == VOID, IGNORED)
    return scores, labels


def plain_loss(scores: Tensor, labels: Tensor, data: ImageData) -> Tensor:
    """The mean loss of what `read_scores` gives, by which a task judges."""
    if data.task == "multilabel":
        return F.binary_cross_entropy_with_logits(scores, labels)
    if data.task == "regression":
        return F.mse_loss(scores, labels)
    return F.cross_entropy(scores, labels)


def batch_loss(scores: Tensor, labels: Tensor, data: ImageData) -> Tensor:
    """The mean loss of a batch, of outputs and labels as they come."""
    return plain_loss(*read_scores(scores, labels, data), data)


def judged(one: Measure, scores: Tensor, labels: Tensor, data: ImageData) -> tuple[Tensor, Tensor]:
    """What the metric of a measure is updated with, of what `read_scores` gives."""
    if one.takes == "classes":
        return scores.argmax(1), labels
    if one.takes == "values":
        mean, std = _like(scores, data.target_mean), _like(scores, data.target_std)
        values = scores * std + mean, labels * std + mean
        return (values[0].squeeze(1), values[1].squeeze(1)) if data.classes == 1 else values
    if one.takes == "probabilities" and data.task == "multilabel":
        return scores.sigmoid(), labels.long()
    if one.takes == "probabilities":
        shares = scores.softmax(1)
        binary = data.classes == 2 and one.metric.rpartition(":")[2].startswith("Binary")
        return (shares[:, 1] if binary else shares), labels
    return scores, labels


def _like(values: Tensor, numbers: tuple[float, ...]) -> Tensor:
    return values.new_tensor(numbers)
