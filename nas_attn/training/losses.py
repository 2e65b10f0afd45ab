"""Losses that train: cross-entropy, focal and binary cross-entropy, with class weights, or a user's own."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_attn.data import ImageData, Part
from nas_attn.settings import Recipe, chosen, is_named_object
from nas_attn.space import InputError, reported

_LEAST = 1e-12
"""Below it a power of less than 1 has no finite slope."""


class TrainingLoss(nn.Module):
    """Loss of a recipe: of logits (B, classes), float32, and labels, int64 (B,) or shares of classes (B, classes).

    Raises `InputError` where class weights are not one a class, or a loss of the user's own cannot be made, is given
    or gives something else than it should.
    """

    weights: Tensor | None

    def __init__(self, recipe: Recipe, data: ImageData) -> None:
        super().__init__()
        self.name = recipe.loss
        self.register_buffer("weights", class_weights(recipe, data), persistent=False)
        self.own = _own(recipe) if is_named_object(recipe.loss) else None
        self._built_in = partial(_BUILT_IN[recipe.loss], recipe) if self.own is None else None

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

    Raises `InputError` where they are not one a class, or there is nothing to balance.
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
    counts = torch.bincount(data.train.labels.cpu(), minlength=data.classes)
    if absent := [name for name, count in zip(data.class_names, counts.tolist(), strict=True) if not count]:
        raise InputError(f"recipe.class_weights: found 'balanced', but {absent[0]} has no training image")
    return len(data.train) / (data.classes * counts.float())


def _cross_entropy(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    return F.cross_entropy(logits, labels, weights, label_smoothing=recipe.label_smoothing)


def _focal(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Lin et al., "Focal Loss for Dense Object Detection", 2017 (https://arxiv.org/abs/1708.02002), of a softmax.

    -(1 - p)^gamma log(p), and the weighted mean over the batch, as cross-entropy has it, which it is for gamma 0.
    """
    if labels.ndim > 1:
        raise InputError("recipe.loss: found 'focal', which is not defined for labels that are shares of classes")
    loss = F.cross_entropy(logits, labels, reduction="none")
    loss = (-torch.expm1(-loss)).clamp_min(_LEAST) ** recipe.focal_gamma * loss
    return loss.mean() if weights is None else (weights[labels] * loss).sum() / weights[labels].sum()


def _binary(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over images and classes, with smoothed targets as in timm's `BinaryCrossEntropy`.

    An image has the weight of its class, or its shares of those of several.
    """
    shares = (labels if labels.ndim > 1 else F.one_hot(labels, logits.shape[1])).float()
    targets = shares * (1 - recipe.label_smoothing) + recipe.label_smoothing / logits.shape[1]
    if weights is None:
        return F.binary_cross_entropy_with_logits(logits, targets)
    of_image = shares @ weights
    return F.binary_cross_entropy_with_logits(logits, targets, (of_image / of_image.mean())[:, None])


_BUILT_IN: Mapping[str, Callable[[Recipe, Tensor, Tensor, Tensor | None], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "focal": _focal,
    "bce": _binary,
}


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
