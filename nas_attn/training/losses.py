"""Losses that train: those of a task, focal and binary cross-entropy, with class weights, or a user's own."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_attn.data import ImageData, Part
from nas_attn.settings import BuiltIn, Recipe, chosen, is_named_object
from nas_attn.space import InputError, allowed, reported

from .mixing import as_shares
from .reading import IGNORED

_LEAST = 1e-12
"""Added to what a power of less than 1 is taken of, whose slope at 0 is not finite."""


class TrainingLoss(nn.Module):
    """Loss of a recipe, of what `read_scores` gives; labels of classes may be shares of them, (B, classes).

    Raises `InputError` where class weights are not one a class, or a loss of the user's own cannot be made, is given
    or gives something else than it should.
    """

    weights: Tensor | None

    def __init__(self, recipe: Recipe, data: ImageData) -> None:
        super().__init__()
        self.name, self.task = recipe.loss, data.task
        self.own = _own(recipe) if is_named_object(recipe.loss) else None
        _refuse_unused(recipe, data.task)
        self._built_in = partial(_built_in(recipe, data), recipe) if self.own is None else None
        self.register_buffer("weights", class_weights(recipe, data), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over a batch."""
        if self._built_in is not None:
            return self._built_in(logits, labels, self.weights)
        loss = self.own(logits, labels) if self.own is not None else None
        if not isinstance(loss, Tensor) or loss.ndim:
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise InputError(f"recipe.loss: {self.name} gives {found}; allowed: one number, the mean of a batch")
        return loss


def class_weights(recipe: Recipe, data: ImageData) -> Tensor | None:
    """Weights of the classes, float32 (classes,), or None; balanced ones are n / (classes * n of the class).

    Of labels, each is the weight of what has it; balanced, n without it / n with it. Raises `InputError` where they are
    not one a class, or there is nothing to balance.
    """
    said = recipe.class_weights
    if said is None:
        return None
    if said != "balanced":
        if len(said) != data.classes:
            raise InputError(f"recipe.class_weights: found {len(said)} numbers; the data have {data.classes} classes")
        return torch.tensor(said, dtype=torch.float32)
    if not isinstance(data.train, Part):
        raise InputError("recipe.class_weights: found 'balanced', but labels of a loader are not counted; list them")
    labels = data.train.labels.cpu()
    several = data.task == "multilabel"
    counts = labels.sum(0) if several else torch.bincount(labels.flatten(), minlength=data.classes)[: data.classes]
    if absent := [name for name, count in zip(data.class_names, counts.tolist(), strict=True) if not count]:
        raise InputError(f"recipe.class_weights: found 'balanced', but {absent[0]} has no training image")
    if several:
        return (len(labels) - counts) / counts.float()
    return counts.sum() / (data.classes * counts.float())


def _cross_entropy(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    smoothing = recipe.label_smoothing
    return F.cross_entropy(logits, labels, weights, label_smoothing=smoothing)


def _focal(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Lin et al., "Focal Loss for Dense Object Detection", 2017 (https://arxiv.org/abs/1708.02002), of a softmax.

    -(1 - p)^gamma log(p), and the weighted mean over the batch, as cross-entropy has it, which it is for gamma 0.
    """
    if labels.is_floating_point():
        raise InputError("recipe.loss: found 'focal', which is not defined for labels that are shares of classes")
    loss = _focused(F.cross_entropy(logits, labels, reduction="none"), recipe.focal_gamma)
    counts = labels != IGNORED
    if weights is None:
        return loss.sum() / counts.sum()
    shares = weights[labels * counts] * counts
    return (shares * loss).sum() / shares.sum()


def _focal_of_labels(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """The same of a sigmoid, as in its paper; the mean over images and labels."""
    loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    loss = _focused(loss, recipe.focal_gamma)
    return (loss if weights is None else torch.where(labels > 0, weights, 1.0) * loss).mean()


def _focused(loss: Tensor, gamma: float) -> Tensor:
    return (_LEAST - torch.expm1(-loss)) ** gamma * loss


def _binary(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over images and classes, with smoothed targets as in timm's `BinaryCrossEntropy`.

    An image has the weight of its class, or its shares of those of several.
    """
    shares = as_shares(labels, logits.shape[1])
    targets = shares * (1 - recipe.label_smoothing) + recipe.label_smoothing / logits.shape[1]
    if weights is None:
        return F.binary_cross_entropy_with_logits(logits, targets)
    of_image = shares @ weights
    return F.binary_cross_entropy_with_logits(logits, targets, (of_image / of_image.mean())[:, None])


def _of_labels(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)


def _squared(recipe: Recipe, outputs: Tensor, values: Tensor, weights: Tensor | None) -> Tensor:
    return F.mse_loss(outputs, values)


_Loss = Callable[[Recipe, Tensor, Tensor, Tensor | None], Tensor]
_BUILT_IN: Mapping[BuiltIn, Mapping[str, _Loss]] = {
    "classification": {"usual": _cross_entropy, "cross_entropy": _cross_entropy, "focal": _focal, "bce": _binary},
    "segmentation": {"usual": _cross_entropy, "cross_entropy": _cross_entropy, "focal": _focal},
    "multilabel": {"usual": _of_labels, "bce": _of_labels, "focal": _focal_of_labels},
    "regression": {"usual": _squared},
}
_SMOOTHED = (_cross_entropy, _binary)


def _built_in(recipe: Recipe, data: ImageData) -> _Loss:
    """The loss of a recipe for a task; raises `InputError` where the task has no such."""
    known = _BUILT_IN[data.task]
    if recipe.loss not in known:
        raise InputError(
            f"recipe.loss: found {recipe.loss!r} for {data.task}; {allowed(recipe.loss, known)}, or your own"
        )
    return known[recipe.loss]


def _refuse_unused(recipe: Recipe, task: BuiltIn) -> None:
    """Raise `InputError` for a setting of which a task makes no use."""
    unused = {
        "label_smoothing": recipe.label_smoothing and _BUILT_IN[task].get(recipe.loss) not in _SMOOTHED,
        "class_weights": recipe.class_weights is not None and task == "regression",
        "mixup": recipe.mixup and task != "classification",
        "cutmix": recipe.cutmix and task != "classification",
    }
    if name := next((name for name, wrong in unused.items() if wrong), ""):
        raise InputError(f"recipe.{name}: found {getattr(recipe, name)!r} for {task}, which has none; leave it out")


def _own(recipe: Recipe) -> Any:
    """A user's own loss: an object of a class, or a function with its arguments."""
    found, arguments = chosen("recipe.loss", recipe.loss), recipe.loss_arguments
    with reported(f"recipe.loss: {recipe.loss}"):
        made = found(**arguments) if inspect.isclass(found) else partial(found, **arguments)
    if isinstance(made, nn.Module) and any(one.requires_grad for one in made.parameters()):
        raise InputError(f"recipe.loss: {recipe.loss} has weights of its own, which no optimiser would train")
    if not callable(made):
        raise InputError(f"recipe.loss: {recipe.loss} cannot be called with logits and labels")
    return made
