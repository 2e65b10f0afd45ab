"""What a network gives while it is trained: class scores alone, or auxiliary ones too."""

import logging

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas_attn.settings import Backbone
from nas_attn.space import InputError

_LOG = logging.getLogger(__name__)


def training_scores(network: nn.Module, images: Tensor) -> list[object]:
    """All that a network gives of images in training mode, in which it is afterwards."""
    with torch.no_grad():
        return [leaf for leaf in tree_leaves(network.train()(images)) if leaf is not None]


def check_training_scores(found: list[object], backbone: Backbone, classes: int) -> None:
    """Log the auxiliary scores among what a network gives of two images in training mode.

    Raises `InputError` where it gives something else than class scores, or nobody says what auxiliary ones count.
    """
    shapes = [tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__ for leaf in found]
    where = f"{backbone.name}: in training mode"
    if not found or set(shapes) != {(2, classes)}:
        given = ", ".join(map(str, shapes)) or "nothing"
        raise InputError(f"{where} it gives {given} for two images; allowed: class scores, shape (2, {classes})")
    if len(found) == 1 and backbone.auxiliary_weight is not None:
        raise InputError(f"{backbone.name}: auxiliary_weight: gives no auxiliary scores; leave it out")
    if len(found) > 1 and backbone.auxiliary_weight is None:
        raise InputError(
            f"{where} it gives {len(found)} class scores, main and auxiliary ones; say in [backbone] what each "
            "auxiliary loss counts, auxiliary_weight = 0.4, the first being the main one; or let it give one"
        )
    if len(found) > 1:
        message = "%s it gives %d class scores; in the loss the first counts 1, each other %g"
        _LOG.warning(message, where, len(found), backbone.auxiliary_weight)
