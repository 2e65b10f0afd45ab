"""What a network gives while it is trained: class scores alone, or auxiliary ones too."""

import logging
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas_attn.settings import Backbone
from nas_attn.space import InputError

from .tracing import Size

_LOG = logging.getLogger(__name__)


def check_training_mode(
    network: nn.Module, backbone: Backbone, sizes: Iterable[Size], *, in_channels: int, classes: int
) -> bool:
    """Whether a network passes images of one of these sizes in training mode, on its device.

    Auxiliary scores are told. Raises `InputError` where it gives something else than class scores, or nobody says what
    auxiliary ones count.
    """
    given = _given(network, in_channels, sizes)
    if given is None:
        return False
    found = [leaf for leaf in tree_leaves(given) if leaf is not None]
    shapes = [tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__ for leaf in found]
    where = f"{backbone.name}: in training mode"
    if not found or set(shapes) != {(2, classes)}:
        told = ", ".join(map(str, shapes)) or "nothing"
        raise InputError(f"{where} it gives {told} for two images; allowed: class scores, shape (2, {classes})")
    if len(found) == 1 and backbone.auxiliary_weight is not None:
        raise InputError(f"{backbone.name}: auxiliary_weight: gives no auxiliary scores; leave it out")
    if len(found) > 1 and backbone.auxiliary_weight is None:
        raise InputError(
            f"{where} it gives {len(found)} class scores, main and auxiliary ones; say in [backbone] what each "
            "auxiliary loss counts, auxiliary_weight = 0.4, the first being the main one; or let it give one"
        )
    if len(found) > 1:
        told = "%s it gives %d class scores; in the loss the first counts 1, each other %g"
        _LOG.warning(told, where, len(found), backbone.auxiliary_weight)
    return True


def _given(network: nn.Module, in_channels: int, sizes: Iterable[Size]) -> object | None:
    network.train()
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    for size in sizes:
        try:
            with torch.no_grad():
                return network(torch.zeros(2, in_channels, *size, device=device))  # type: ignore[no-any-return]
        except Exception:  # somebody else's network may fail in any way
            continue
    return None
